/**
 * Sends a scenario to Kafka with an idempotent producer: every message is acknowledged by all in-sync
 * replicas, none is doubled by a retry, and those of one topic keep their order of arrival.
 */
import { every, sleep, systemClock } from "@order-payment-stream/beam/io";
import {
  type CompressionTypes,
  Kafka,
  type KafkaConfig,
  logLevel,
  type Producer,
  type TopicMessages,
} from "kafkajs";
import { type Compression, compressionType } from "./compression.js";
import { createKeyPartitioner } from "./partitioner.js";
import { pump } from "./pump.js";
import { type Scenario, type ScenarioMessage, type ScenarioTopic, scenario } from "./scenario.js";
import { type Schedule, type ScheduleOptions, scenarioOptions, schedule } from "./schedule.js";
import { completeShares, messagesPerOrder } from "./shares.js";
import { createMissingTopics } from "./topics.js";

export interface ProduceOptions extends ScheduleOptions {
  /** Brokers and security. Logging is off unless it says otherwise. */
  kafka: KafkaConfig;
  /** The topics' names in Kafka. */
  topics: Readonly<Record<ScenarioTopic, string>>;
  /** The same seed gives the same orders and payments, in any number of processes. */
  seed: number;
  /** Of the batches. Default: none. */
  compression?: Compression;
  /** Stops soon and in order: what was handed over is still acknowledged. */
  signal?: AbortSignal;
  /** Called every second, and at the end. */
  onProgress?: (progress: ProduceProgress) => void;
}

export interface ProduceProgress {
  /** Messages handed to the client. */
  sent: number;
  /** Messages that Kafka has confirmed. */
  acknowledged: number;
  /** Sends that failed, each of a whole batch; most are repeated with success. */
  errors: number;
  /** Confirmed per second, since the progress before. */
  ratePerSecond: number;
  /** What is still to come; undefined where there is no end. */
  rest?: ProduceRest | undefined;
}

export interface ProduceRest {
  /** Messages; an estimate while there are orders to come. */
  messages: number;
  /** Orders that are to come. */
  orders: number;
  /** When the last message is due, ms since the epoch; undefined: nothing waits for the clock. */
  dueUntilMs: number | undefined;
}

export interface ProduceSummary {
  sent: number;
  acknowledged: number;
  errors: number;
  /** Confirmed messages of each topic. */
  orders: number;
  payments: number;
  durationMs: number;
  /** Confirmed per second, over the whole run. */
  ratePerSecond: number;
}

/** Kafka could not be written to, in spite of retries: an outage, not a fault of the program or its input. */
export class ProduceError extends Error {
  override readonly name = "ProduceError";

  constructor(
    message: string,
    /** What was achieved until then. */
    readonly summary: ProduceSummary,
    options: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** kafkajs regroups a batch in time that grows with its square: larger ones are slower. */
const BATCH_SIZE_MAX = 600;
const ATTEMPTS_MAX = 4;
const RETRY_DELAY_MS = 1000;
const PROGRESS_INTERVAL_MS = 1000;

/**
 * Creates missing topics, then sends `count` orders' worth of messages, or goes on until the signal. Rejects
 * with a ProduceError when a batch could not be sent, a RangeError for wrong options, and with kafkajs's own
 * error when Kafka cannot be reached at the start.
 */
export async function produce(options: ProduceOptions): Promise<ProduceSummary> {
  const { topics, which, signal } = options;
  // Wrong options are reported before anything is connected.
  scenario(scenarioOptions(options, schedule(options, systemClock.now())));

  const kafka = new Kafka({ logLevel: logLevel.NOTHING, ...options.kafka });
  const wanted = which === "all" ? [topics.orders, topics.payments] : [topics[which]];
  await createMissingTopics(kafka, wanted);
  const producer = kafka.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    createPartitioner: createKeyPartitioner,
  });
  await producer.connect();

  const compression = compressionType(options.compression ?? "none");
  const timing = schedule(options, systemClock.now());
  const messages = scenario(scenarioOptions(options, timing));
  const counts = new Counts(options.onProgress, () => restOf(options, timing, messages));
  try {
    await pump({
      messages,
      send: (batch) => sendBatch(producer, topics, batch, compression, counts, signal),
      dueMs: timing.dueMs,
      batchSizeMax: BATCH_SIZE_MAX,
      signal,
    });
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw new ProduceError(`could not write to Kafka: ${cause}`, counts.summary(), { cause: error });
  } finally {
    counts.stop();
    await producer.disconnect();
  }
  return counts.summary();
}

function restOf(options: ProduceOptions, timing: Schedule, messages: Scenario): ProduceRest | undefined {
  if (options.count === Number.POSITIVE_INFINITY) return undefined;
  const rest = messages.rest();
  const perOrder = messagesPerOrder(completeShares(options.shares), options.which);
  return {
    messages: rest.messages + Math.round(rest.orders * perOrder),
    orders: rest.orders,
    dueUntilMs: timing.isOnClock ? rest.lastArrivalMs : undefined,
  };
}

async function sendBatch(
  producer: Producer,
  topics: Readonly<Record<ScenarioTopic, string>>,
  batch: readonly ScenarioMessage[],
  compression: CompressionTypes,
  counts: Counts,
  signal: AbortSignal | undefined,
): Promise<void> {
  const orders: TopicMessages = { topic: topics.orders, messages: [] };
  const payments: TopicMessages = { topic: topics.payments, messages: [] };
  for (const { topic, key, value } of batch) {
    (topic === "orders" ? orders : payments).messages.push({ key: Buffer.from(key), value });
  }
  const topicMessages = [orders, payments].filter(({ messages }) => messages.length > 0);
  counts.sent += batch.length;
  for (let attempt = 1; ; attempt++) {
    try {
      await producer.sendBatch({ acks: -1, compression, topicMessages });
      break;
    } catch (error) {
      counts.errors++;
      if (attempt === ATTEMPTS_MAX || signal?.aborted) throw error;
      await sleep(RETRY_DELAY_MS * attempt);
    }
  }
  counts.orders += orders.messages.length;
  counts.payments += payments.messages.length;
}

/** The figures of a run, and what reports them. */
class Counts {
  sent = 0;
  errors = 0;
  orders = 0;
  payments = 0;
  private readonly startMs = systemClock.elapsed();
  private endMs: number | undefined;
  private reportedMs = this.startMs;
  private reported = 0;
  private readonly endReports: (() => void) | undefined;

  constructor(
    private readonly onProgress: ((progress: ProduceProgress) => void) | undefined,
    private readonly rest: () => ProduceRest | undefined,
  ) {
    if (onProgress !== undefined) this.endReports = every(PROGRESS_INTERVAL_MS, () => this.report());
  }

  stop(): void {
    this.endReports?.();
    this.endMs = systemClock.elapsed();
    this.report();
  }

  summary(): ProduceSummary {
    const { sent, errors, orders, payments } = this;
    const acknowledged = orders + payments;
    const durationMs = Math.round((this.endMs ?? systemClock.elapsed()) - this.startMs);
    const ratePerSecond = Math.round((acknowledged * 1000) / Math.max(1, durationMs));
    return { sent, acknowledged, errors, orders, payments, durationMs, ratePerSecond };
  }

  private report(): void {
    const nowMs = systemClock.elapsed();
    const { sent, errors } = this;
    const acknowledged = this.orders + this.payments;
    const elapsedMs = Math.max(1, nowMs - this.reportedMs);
    const ratePerSecond = Math.round(((acknowledged - this.reported) * 1000) / elapsedMs);
    this.reportedMs = nowMs;
    this.reported = acknowledged;
    this.onProgress?.({ sent, acknowledged, errors, ratePerSecond, rest: this.rest() });
  }
}
