/** How late pairs come out at a steady pace: what a peer is told and tells, and the load that it is offered. */
import { randomBytes } from "node:crypto";
import { Kafka, logLevel } from "kafkajs";
import { createMissingTopics } from "../../producers/topics.js";
import type { SubjectInput } from "../subject.js";
import { LiveLoad } from "../subjects/latency/live_load.js";

/** An order and a payment each. */
export const PAIRS_PER_SECOND = 1_000;
/** For a JVM to start and to get warm. */
const WARM_UP_MS = 20_000;
/** What is sent last comes out within this time. */
export const LAST_MS = 3_000;

/** What a peer counts: pairs whose payment was sent from a time to a time, in ms since the epoch. */
export interface LiveInput extends SubjectInput {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** By milliseconds from the payment's time, which is when it was sent, to the pair's output: how many pairs. */
export type Latencies = Readonly<Record<string, number>>;

export interface LatencySummary {
  readonly p50: number;
  readonly p99: number;
  /** Pairs that did not come out in time, of those that were sent. */
  readonly missing: number;
  readonly sent: number;
}

/**
 * Offers load to topics of their own while a peer runs.
 * @param run starts the peer; resolves when it has ended, which it does by itself
 */
export async function measureLatencies(
  input: SubjectInput,
  seconds: number,
  run: (input: LiveInput) => Promise<Latencies>,
): Promise<LatencySummary> {
  const id = randomBytes(4).toString("hex");
  const topics = { orders: `bench_live_orders_${id}`, payments: `bench_live_payments_${id}` };
  const kafka = new Kafka({
    clientId: "bench-live",
    brokers: [...input.brokers],
    logLevel: logLevel.NOTHING,
  });
  await createMissingTopics(kafka, [topics.orders, topics.payments]);
  const producer = kafka.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  try {
    const fromMs = Date.now() + WARM_UP_MS;
    let sent = 0;
    const untilMs = fromMs + seconds * 1_000;
    const counting = {
      add(ids: readonly string[], _sentMs: number, createdAtMs: number): void {
        if (createdAtMs >= fromMs && createdAtMs < untilMs) sent += ids.length;
      },
    };
    const load = new LiveLoad(producer, topics, counting, 2 * PAIRS_PER_SECOND);
    const [latencies] = await Promise.all([
      run({ ...input, topics, fromMs, untilMs }),
      load.run(0, WARM_UP_MS + seconds * 1_000),
    ]);
    return summaryOf(latencies, sent);
  } finally {
    await producer.disconnect();
  }
}

function summaryOf(latencies: Latencies, sent: number): LatencySummary {
  const counts = Object.entries(latencies)
    .map(([ms, count]) => [Number(ms), count] as const)
    .sort(([a], [b]) => a - b);
  const all = counts.reduce((sum, [, count]) => sum + count, 0);
  const at = (share: number): number => {
    let left = share * all;
    for (const [ms, count] of counts) {
      left -= count;
      if (left <= 0) return ms;
    }
    return Number.NaN;
  };
  return { p50: at(0.5), p99: at(0.99), missing: Math.max(0, sent - all), sent };
}

/** Of a peer in Node. */
export class LatencyCounts {
  readonly #counts: Record<string, number> = {};

  constructor(private readonly input: Pick<LiveInput, "fromMs" | "untilMs">) {}

  add(sentMs: number): void {
    const { fromMs, untilMs } = this.input;
    if (sentMs < fromMs || sentMs >= untilMs) return;
    const late = Math.max(0, Date.now() - sentMs);
    this.#counts[late] = (this.#counts[late] ?? 0) + 1;
  }

  /** Resolves at the end of the measurement. */
  async collected(): Promise<Latencies> {
    await new Promise((resolve) => setTimeout(resolve, this.input.untilMs + LAST_MS - Date.now()));
    return this.#counts;
  }
}
