/**
 * Keeps the buffers of all subscribed partitions filled. Each leader has at most one fetch under way, for all of its
 * partitions that have room; the next one leaves as soon as the answer is in the buffers, before anyone reads them.
 * There is no loop that runs: `#pump` starts whatever may start now, and everything that ends calls it again.
 */
import type { Clock } from "../../../model/clock.js";
import { type HealthReporter, unheard } from "../../../model/health.js";
import { SteadyHour } from "../../../model/steady_hour.js";
import { backoffMs } from "./backoff.js";
import { RetriableCodeError } from "./cluster.js";
import type { FetchAnswer, FetchedPartition, FetchRequest } from "./fetch_protocol.js";
import type { KafkaLimits, KafkaLogger } from "./kafka_client.js";
import {
  KafkaAuthenticationError,
  KafkaAuthorizationError,
  type KafkaError,
  KafkaProgramError,
  KafkaRequestError,
  OffsetOutOfRangeError,
  RecordFormatError,
  TopicNotFoundError,
} from "./kafka_errors.js";
import { errorName, type MetadataAnswer } from "./kafkajs_internals.js";
import { PartitionReader, type ReaderOwner } from "./partition_reader.js";
import { decompress, readRecordSet } from "./record_batch.js";
import { type TransactionSource, TransactionWatch } from "./transaction_watch.js";

/** What the fetcher asks of the cluster. Each call is one attempt, and rejects when it fails. */
export interface FetchTransport extends TransactionSource {
  readonly brokers: readonly string[];
  metadata(topics: readonly string[]): Promise<MetadataAnswer>;
  fetch(nodeId: number, request: FetchRequest): Promise<FetchAnswer>;
  /** First offset, and one more than the last, whether visible under read_committed or not. */
  offsetRange(
    nodeId: number,
    topic: string,
    partition: number,
  ): Promise<{ earliest: number; latest: number }>;
  /** A rejection, as one of our errors. */
  toKafkaError(error: unknown): KafkaError;
}

const NO_ERROR = 0;
const OFFSET_OUT_OF_RANGE = 1;
const CORRUPT_MESSAGE = 2;
const UNKNOWN_TOPIC_OR_PARTITION = 3;
const INVALID_FETCH_SIZE = 4;
const LEADER_NOT_AVAILABLE = 5;
const INVALID_TOPIC = 17;
const TOPIC_AUTHORIZATION_FAILED = 29;
const UNSUPPORTED_VERSION = 35;

/**
 * A broker answers the fetches of one connection in turn, so a partition that gets room, or is subscribed, while a
 * long poll is under way has to wait for its end. While either is likely the polls are short.
 */
const SHORT_WAIT_MS = 10;
const SETTLING_MS = 1_000;

const HEALTH_KAFKA = "Kafka";
const HEALTH_CLOCK = "clock";
/** A change of leader, which is no problem, is over sooner. */
const HEALTH_AFTER_MS = 1_000;
/** Beyond the time that a broker may hold an answer back. */
const HEALTH_SLOW_MS = 5_000;

/** A buffer keeps the whole answer alive; a part smaller than this share of it is copied out. */
const VIEW_MIN_SHARE = 1 / 4;

export class PartitionFetcher implements ReaderOwner {
  readonly #readers = new Map<string, Map<number, PartitionReader>>();
  readonly #fetching = new Set<number>();
  readonly #tasks = new Set<Promise<void>>();
  #isResolving = false;
  #turn = 0;
  #subscribedAtMs = 0;
  #callOffPump: (() => void) | undefined;
  #isClosed = false;
  readonly #hour: SteadyHour;
  readonly #transactions: TransactionWatch;
  /** Partitions have failed for longer than a change of leader takes, or a broker does not answer. */
  #isFailing = false;

  constructor(
    private readonly transport: FetchTransport,
    private readonly limits: KafkaLimits,
    private readonly clock: Clock,
    private readonly logger: KafkaLogger,
    private readonly random: () => number = Math.random,
    private readonly health: HealthReporter = unheard,
  ) {
    this.#hour = new SteadyHour(clock);
    this.#transactions = new TransactionWatch(transport, limits, clock, logger, health);
  }

  subscribe(topic: string, partition: number, offset: number, onData: () => void): PartitionReader {
    if (this.#isClosed) throw new Error("subscribe after close");
    let ofTopic = this.#readers.get(topic);
    if (ofTopic === undefined) {
      ofTopic = new Map();
      this.#readers.set(topic, ofTopic);
    }
    if (ofTopic.has(partition)) throw new Error(`${topic}[${partition}] is subscribed already`);
    const reader = new PartitionReader(
      topic,
      partition,
      offset,
      onData,
      this.limits.bufferPartitionMaxBytes,
      this,
    );
    ofTopic.set(partition, reader);
    this.#subscribedAtMs = this.clock.elapsed();
    this.#pumpAt(this.#subscribedAtMs);
    return reader;
  }

  hasRoom(): void {
    this.#pump();
  }

  closed(reader: PartitionReader): void {
    this.#transactions.ended(reader);
    const ofTopic = this.#readers.get(reader.topic);
    ofTopic?.delete(reader.partition);
    if (ofTopic?.size === 0) this.#readers.delete(reader.topic);
  }

  /** Ends all subscriptions. Resolves when no request is under way; the caller breaks the connections off. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#callOffPump?.();
    for (const ofTopic of [...this.#readers.values()]) {
      for (const reader of [...ofTopic.values()]) reader.close();
    }
    await Promise.allSettled([...this.#tasks, this.#transactions.idle()]);
  }

  #pump(): void {
    if (this.#isClosed) return;
    const now = this.clock.elapsed();
    let wakeAtMs = Number.POSITIVE_INFINITY;
    const leaderless: PartitionReader[] = [];
    const byLeader = new Map<number, PartitionReader[]>();
    const pausedLeaders = new Set<number>();

    for (const ofTopic of this.#readers.values()) {
      for (const reader of ofTopic.values()) {
        if (reader.error !== undefined || reader.isBusy) continue;
        if (reader.retryAtMs > now) wakeAtMs = Math.min(wakeAtMs, reader.retryAtMs);
        else if (reader.leader < 0) leaderless.push(reader);
        else if (this.#fetching.has(reader.leader)) continue;
        else if (reader.isFull) {
          reader.isPaused = true;
          pausedLeaders.add(reader.leader);
        } else {
          const ofLeader = byLeader.get(reader.leader);
          if (ofLeader === undefined) byLeader.set(reader.leader, [reader]);
          else ofLeader.push(reader);
        }
      }
    }

    if (leaderless.length > 0 && !this.#isResolving) this.#run(this.#resolveLeaders(leaderless));
    const isSettling = now - this.#subscribedAtMs < SETTLING_MS;
    for (const [leader, readers] of byLeader) {
      const waitMs = isSettling || pausedLeaders.has(leader) ? SHORT_WAIT_MS : this.limits.fetchMaxWaitMs;
      this.#run(this.#fetch(leader, readers, Math.min(waitMs, this.limits.fetchMaxWaitMs)));
    }
    if (wakeAtMs !== Number.POSITIVE_INFINITY) this.#pumpAt(wakeAtMs);
  }

  #pumpAt(timeMs: number): void {
    this.#callOffPump?.();
    this.#callOffPump = this.clock.schedule(timeMs - this.clock.elapsed(), () => this.#pump());
  }

  #run(task: Promise<void>): void {
    const tracked = task.finally(() => this.#tasks.delete(tracked));
    this.#tasks.add(tracked);
  }

  async #resolveLeaders(readers: readonly PartitionReader[]): Promise<void> {
    this.#isResolving = true;
    for (const reader of readers) reader.isBusy = true;
    const toNotify: PartitionReader[] = [];
    try {
      const { topicMetadata } = await this.transport.metadata([
        ...new Set(readers.map(({ topic }) => topic)),
      ]);
      for (const reader of readers) {
        const topic = topicMetadata.find((known) => known.topic === reader.topic);
        const known = topic?.partitionMetadata.find(({ partitionId }) => partitionId === reader.partition);
        const code = topic?.topicErrorCode || (known === undefined ? UNKNOWN_TOPIC_OR_PARTITION : NO_ERROR);
        if (code !== NO_ERROR) {
          if (this.#failedByCode(reader, code)) toNotify.push(reader);
        } else if (known!.leader < 0) {
          if (this.#failedByCode(reader, known!.partitionErrorCode || LEADER_NOT_AVAILABLE))
            toNotify.push(reader);
        } else {
          reader.leader = known!.leader;
        }
      }
    } catch (error) {
      for (const reader of readers) if (this.#failed(reader, error)) toNotify.push(reader);
    }
    for (const reader of readers) reader.isBusy = false;
    this.#isResolving = false;
    await this.#goOn(toNotify);
  }

  async #fetch(leader: number, readers: readonly PartitionReader[], maxWaitMs: number): Promise<void> {
    this.#fetching.add(leader);
    for (const reader of readers) reader.isBusy = true;
    const unanswered = new Set(readers);
    const toNotify: PartitionReader[] = [];
    const sentAtMs = this.#hour.now();
    this.#watchClock();
    const callOff = this.#watchAnswer(leader, maxWaitMs);
    try {
      const answer = await this.transport.fetch(leader, this.#request(readers, maxWaitMs));
      if (answer.errorCode !== NO_ERROR) throw new RetriableCodeError("fetch", answer.errorCode);
      for (const fetched of answer.partitions) {
        const reader = this.#readers.get(fetched.topic)?.get(fetched.partition);
        // Closed, or closed and subscribed anew, while the fetch was under way.
        if (reader === undefined || !unanswered.delete(reader)) continue;
        if (await this.#accept(reader, fetched, leader, sentAtMs)) toNotify.push(reader);
      }
      for (const reader of unanswered) {
        if (this.#failed(reader, new KafkaRequestError(`the fetch answer left ${reader.name} out`))) {
          toNotify.push(reader);
        }
      }
    } catch (error) {
      for (const reader of unanswered) if (this.#failed(reader, error)) toNotify.push(reader);
    }
    callOff();
    for (const reader of readers) reader.isBusy = false;
    this.#fetching.delete(leader);
    await this.#goOn(toNotify);
  }

  /** Sends what can be sent, and only then lets the subscribers work. */
  async #goOn(toNotify: readonly PartitionReader[]): Promise<void> {
    this.#pump();
    if (toNotify.length === 0) return;
    await this.clock.yield();
    for (const reader of toNotify) if (!reader.isClosed) reader.onData();
  }

  /** A broker fills its answer from the front, so the partitions take turns at being first. */
  #request(readers: readonly PartitionReader[], maxWaitMs: number): FetchRequest {
    const first = this.#turn++ % readers.length;
    return {
      maxWaitMs,
      maxBytes: this.limits.fetchMaxBytes,
      partitionMaxBytes: this.limits.fetchPartitionMaxBytes,
      partitions: [...readers.slice(first), ...readers.slice(0, first)],
    };
  }

  /** True: the subscriber has something to see. */
  async #accept(
    reader: PartitionReader,
    fetched: FetchedPartition,
    leader: number,
    sentAtMs: number,
  ): Promise<boolean> {
    if (fetched.errorCode === OFFSET_OUT_OF_RANGE) return this.#outOfRange(reader, leader);
    if (fetched.errorCode !== NO_ERROR) return this.#failedByCode(reader, fetched.errorCode);

    let { buffer, recordsStart: start, recordsEnd: end } = fetched;
    if (end - start < buffer.length * VIEW_MIN_SHARE) {
      buffer = Buffer.from(buffer.subarray(start, end));
      start = 0;
      end = buffer.length;
    }
    try {
      const { verifyChecksums } = this.limits;
      const set = readRecordSet(buffer, start, end, reader.fetchOffset, fetched.aborted, verifyChecksums);
      this.#hour.confirm(set.latestTimestampMs);
      if (set.isCompressed) await decompress(set.batches);
      if (reader.isClosed) return false;
      this.#succeeded(reader);
      this.#transactions.watch(reader, set.nextOffset, fetched, leader);
      return reader.accept(set.batches, set.nextOffset, fetched.highWatermark, sentAtMs);
    } catch (error) {
      if (!(error instanceof RecordFormatError)) throw error;
      return reader.fail(new RecordFormatError(`${reader.name}: ${error.message}`, { cause: error }));
    }
  }

  /** Right after a change of leader the new one may not know its own end yet, so the log is asked once more. */
  async #outOfRange(reader: PartitionReader, leader: number): Promise<boolean> {
    const { topic, partition, fetchOffset } = reader;
    try {
      const { earliest, latest } = await this.transport.offsetRange(leader, topic, partition);
      if (fetchOffset < earliest || fetchOffset > latest) {
        return reader.fail(new OffsetOutOfRangeError(topic, partition, fetchOffset, earliest, latest));
      }
      return this.#failed(reader, new RetriableCodeError(reader.name, OFFSET_OUT_OF_RANGE));
    } catch (error) {
      return this.#failed(reader, error);
    }
  }

  #succeeded(reader: PartitionReader): void {
    if (reader.failures > 0) {
      const { topic, partition, failures } = reader;
      const outageMs = this.clock.elapsed() - reader.failingSinceMs;
      this.logger.info("Kafka partition can be read again", { topic, partition, failures, outageMs });
    }
    reader.failures = 0;
    reader.missingSinceMs = -1;
    if (this.#isFailing && !this.#anyFails()) {
      this.#isFailing = false;
      this.health.clear(HEALTH_KAFKA);
    }
  }

  #anyFails(): boolean {
    for (const ofTopic of this.#readers.values()) {
      for (const { failures } of ofTopic.values()) if (failures > 0) return true;
    }
    return false;
  }

  /** Returns a function that ends the watch. */
  #watchAnswer(leader: number, maxWaitMs: number): () => void {
    if (this.health === unheard) return () => {};
    return this.clock.schedule(maxWaitMs + HEALTH_SLOW_MS, () => {
      this.#unwell(`broker ${leader} has not answered a fetch for ${HEALTH_SLOW_MS / 1000} s`);
    });
  }

  /** The first sentence stays: one outage is told once. */
  #unwell(problem: string): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.health.report(HEALTH_KAFKA, problem);
  }

  #watchClock(): void {
    const aheadMs = this.#hour.aheadMs;
    if (aheadMs === 0) {
      this.health.clear(HEALTH_CLOCK);
      return;
    }
    const ahead = `${Math.round(aheadMs / 1000)} s`;
    this.health.report(
      HEALTH_CLOCK,
      `the clock of this machine was set forward by ${ahead}, which no record has shown yet: partitions without new records wait`,
    );
  }

  #failedByCode(reader: PartitionReader, code: number): boolean {
    switch (code) {
      case TOPIC_AUTHORIZATION_FAILED:
        return reader.fail(new KafkaAuthorizationError(`topic "${reader.topic}"`, errorName(code)));
      case INVALID_TOPIC:
        return reader.fail(new TopicNotFoundError(reader.topic, this.transport.brokers));
      case CORRUPT_MESSAGE:
      case INVALID_FETCH_SIZE:
      case UNSUPPORTED_VERSION:
        return reader.fail(new KafkaRequestError(`fetching ${reader.name}: ${errorName(code)}`));
      case UNKNOWN_TOPIC_OR_PARTITION: {
        const now = this.clock.elapsed();
        if (reader.missingSinceMs < 0) reader.missingSinceMs = now;
        if (now - reader.missingSinceMs > this.limits.topicMissingMaxMs) {
          return reader.fail(new TopicNotFoundError(reader.topic, this.transport.brokers, reader.partition));
        }
        return this.#retryLater(reader, new RetriableCodeError(reader.name, code));
      }
      default:
        return this.#failed(reader, new RetriableCodeError(reader.name, code));
    }
  }

  #failed(reader: PartitionReader, error: unknown): boolean {
    reader.missingSinceMs = -1;
    return this.#retryLater(reader, error);
  }

  /** True: the subscriber has something to see. */
  #retryLater(reader: PartitionReader, error: unknown): boolean {
    if (reader.isClosed || reader.error !== undefined) return false;
    const cause = this.transport.toKafkaError(error);
    if (cause instanceof KafkaAuthenticationError || cause instanceof KafkaProgramError)
      return reader.fail(cause);
    const now = this.clock.elapsed();
    if (reader.failures === 0) reader.failingSinceMs = now;
    reader.failures++;
    if (now - reader.failingSinceMs > this.limits.retryMaxMs) return reader.fail(cause);
    reader.retryAtMs = now + backoffMs(reader.failures, this.random);
    if (now - reader.failingSinceMs >= HEALTH_AFTER_MS) {
      this.#unwell(`${reader.name} cannot be read: ${cause.message}`);
    }
    if (reader.failures === 1) {
      const { topic, partition } = reader;
      this.logger.warn("Kafka partition cannot be read, trying again", {
        topic,
        partition,
        error: cause.message,
      });
    }
    return reader.disconnect();
  }
}
