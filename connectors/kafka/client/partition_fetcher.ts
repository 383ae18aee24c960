/**
 * Keeps the buffers of all subscribed partitions filled. Each leader has at most one fetch under way, for all of its
 * partitions that have room; the next one leaves as soon as the answer is in the buffers, before anyone reads them.
 * There is no loop that runs: `#pump` starts whatever may start now, and everything that ends calls it again.
 */
import { type Clock, type HealthReporter, TrustedClock, unheard } from "@order-payment-stream/beam/io";

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
  LogChangedError,
  OffsetOutOfRangeError,
  RecordFormatError,
  TokenRefusedError,
  TopicNotFoundError,
} from "./kafka_errors.js";
import { errorName, type MetadataAnswer } from "./kafkajs_internals.js";
import {
  type Anchor,
  type BatchHeader,
  type BatchMark,
  holdsAnchor,
  isSameLog,
  type LogId,
  type LogMark,
} from "./log_identity.js";
import { PartitionReader, type ReaderOwner } from "./partition_reader.js";
import { readBatchHeader, readRecordSet } from "./record_batch.js";
import { type TransactionSource, TransactionWatch } from "./transaction_watch.js";
import { UnpackedBatches } from "./unpacked_batches.js";

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
  /** The next request to this node goes by a new connection. */
  disconnect(nodeId: number): void;
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

/** Answers with the same batch damaged, each by a connection of its own, before it counts as damaged on the disk. */
const DAMAGED_MAX = 6;

const HEALTH_KAFKA = "Kafka";
const HEALTH_CLOCK = "clock";
/** A change of leader, which is no problem, is over sooner. */
const HEALTH_AFTER_MS = 1_000;
/** Beyond the time that a broker may hold an answer back. */
const HEALTH_SLOW_MS = 5_000;

/** After a gap of this length between fetches, of a buffer that was full or a process that stood still, a topic may have
 * been made again unseen. */
const DOUBT_AFTER_MS = 1_000;

/** What waiting does not mend. */
const FATAL = [KafkaAuthenticationError, TokenRefusedError, KafkaProgramError];

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
  readonly #transactions: TransactionWatch;
  readonly #unpacked: UnpackedBatches;
  /** Partitions have failed for longer than a change of leader takes, or a broker does not answer. */
  #isFailing = false;

  constructor(
    private readonly transport: FetchTransport,
    private readonly limits: KafkaLimits,
    private readonly clock: Clock,
    private readonly logger: KafkaLogger,
    private readonly random: () => number = Math.random,
    private readonly health: HealthReporter = unheard,
    private readonly trustedClock: TrustedClock = new TrustedClock(clock),
  ) {
    this.#unpacked = new UnpackedBatches(limits.unpackedBatchMaxBytes, limits.unpackedMaxBytes);
    this.#transactions = new TransactionWatch(transport, limits, clock, logger, health);
  }

  subscribe(
    topic: string,
    partition: number,
    offset: number,
    onData: () => void,
    mark?: LogMark,
  ): PartitionReader {
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
      this.#unpacked,
      this,
      mark,
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
      const { clusterId, topicMetadata } = await this.transport.metadata([
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
          const told = { clusterId, topicId: topic!.topicId };
          const { leader, leaderEpoch } = known!;
          if (reader.recognize(told)) {
            reader.leader = leader;
            reader.leaderEpoch = leaderEpoch;
          } else if (await this.#logChanged(reader, leader, otherIds(reader.expectedLog, told), told)) {
            toNotify.push(reader);
          }
        }
      }
    } catch (error) {
      for (const reader of readers) if (this.#failed(reader, error)) toNotify.push(reader);
    }
    for (const reader of readers) reader.isBusy = false;
    this.#isResolving = false;
    await this.#goOn(toNotify);
  }

  /** True: the subscriber has something to see. */
  async #logChanged(reader: PartitionReader, leader: number, evidence: string, log: LogId): Promise<boolean> {
    const { topic, partition, nextOffset } = reader;
    try {
      const range = await this.transport.offsetRange(leader, topic, partition);
      const found = { log, earliestOffset: range.earliest, latestOffset: range.latest };
      return reader.fail(new LogChangedError(topic, partition, nextOffset, found, evidence));
    } catch (error) {
      return this.#failed(reader, error);
    }
  }

  async #fetch(leader: number, readers: readonly PartitionReader[], maxWaitMs: number): Promise<void> {
    this.#fetching.add(leader);
    for (const reader of readers) reader.isBusy = true;
    const unanswered = new Set(readers);
    const toNotify: PartitionReader[] = [];
    const sentAtMs = this.trustedClock.now();
    const elapsedMs = this.clock.elapsed();
    for (const reader of readers) if (elapsedMs - reader.fetchedAtMs > DOUBT_AFTER_MS) reader.doubt();
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
    if (fetched.errorCode === CORRUPT_MESSAGE) {
      const what = `the broker says that its log is damaged at offset ${reader.fetchOffset}`;
      return this.#damaged(reader, leader, what);
    }
    if (fetched.errorCode !== NO_ERROR) return this.#failedByCode(reader, fetched.errorCode);

    let { buffer, recordsStart: start, recordsEnd: end } = fetched;
    if (end - start < buffer.length * VIEW_MIN_SHARE) {
      buffer = Buffer.from(buffer.subarray(start, end));
      start = 0;
      end = buffer.length;
    }
    reader.fetchedAtMs = this.clock.elapsed();
    try {
      const { verifyChecksums } = this.limits;
      const { anchorInDoubt } = reader;
      if (anchorInDoubt !== undefined) {
        const first = readBatchHeader(buffer, start, end);
        if (first === undefined) return this.#withoutAnchor(reader, leader, anchorInDoubt, fetched);
        if (!holdsAnchor(first, anchorInDoubt)) {
          return this.#logChanged(reader, leader, contradiction(anchorInDoubt, first), reader.log!);
        }
      }
      const set = readRecordSet(buffer, start, end, reader.nextOffset, fetched.aborted, verifyChecksums);
      this.trustedClock.confirm(set.latestTimestampMs);
      if (set.nextOffset > reader.fetchOffset) reader.damaged = 0;
      this.#succeeded(reader);
      this.#transactions.watch(reader, set.nextOffset, fetched, leader);
      return reader.accept(set.batches, set.nextOffset, set.anchor, fetched.highWatermark, sentAtMs);
    } catch (error) {
      if (!(error instanceof RecordFormatError)) throw error;
      return this.#damaged(reader, leader, error.message);
    }
  }

  /** A byte that was damaged on the way is right the next time, by another connection; one on a disk is not. */
  #damaged(reader: PartitionReader, leader: number, what: string): boolean {
    const { name } = reader;
    reader.damaged++;
    if (reader.damaged >= DAMAGED_MAX) {
      return reader.fail(
        new RecordFormatError(
          `${name}: ${what}, ${DAMAGED_MAX} times in a row by as many connections: it is so on the disk of broker ${leader}. ` +
            "Another replica may be whole: move the leader; or delete the records up to there",
        ),
      );
    }
    this.transport.disconnect(leader);
    return this.#failed(reader, new KafkaRequestError(`${name}: ${what}`));
  }

  /** Right after a change of leader the new one may not know its own end yet, so the log is asked once more. */
  async #outOfRange(reader: PartitionReader, leader: number): Promise<boolean> {
    const { topic, partition, fetchOffset, nextOffset } = reader;
    try {
      const { earliest, latest } = await this.transport.offsetRange(leader, topic, partition);
      if (nextOffset < earliest || nextOffset > latest) {
        const found = { log: reader.log!, earliestOffset: earliest, latestOffset: latest };
        return reader.fail(new OffsetOutOfRangeError(topic, partition, nextOffset, found));
      }
      if (fetchOffset < earliest) {
        // Retention has removed what was read, and no more: there is nothing left to compare.
        reader.trust();
        return false;
      }
      return this.#failed(reader, new RetriableCodeError(reader.name, OFFSET_OUT_OF_RANGE));
    } catch (error) {
      return this.#failed(reader, error);
    }
  }

  /** The answer had no room for this partition, or the log ends in front of what was read. */
  async #withoutAnchor(
    reader: PartitionReader,
    leader: number,
    anchor: Anchor,
    { lastStableOffset }: FetchedPartition,
  ): Promise<boolean> {
    if (lastStableOffset > anchor.offset) return false;
    return this.#outOfRange(reader, leader);
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
    const problem = this.trustedClock.problem();
    if (problem === undefined) this.health.clear(HEALTH_CLOCK);
    else this.health.report(HEALTH_CLOCK, problem);
  }

  #failedByCode(reader: PartitionReader, code: number): boolean {
    switch (code) {
      case TOPIC_AUTHORIZATION_FAILED:
        return reader.fail(new KafkaAuthorizationError(`topic "${reader.topic}"`, errorName(code)));
      case INVALID_TOPIC:
        return reader.fail(new TopicNotFoundError(reader.topic, this.transport.brokers));
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
    if (FATAL.some((known) => cause instanceof known)) return reader.fail(cause);
    const now = this.clock.elapsed();
    if (reader.failures === 0) reader.failingSinceMs = now;
    reader.failures++;
    reader.lastFailure = cause.message;
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

function contradiction(anchor: Anchor, first: BatchHeader): string {
  const text = ({ baseOffset, leaderEpoch, checksum }: BatchMark): string =>
    `of offset ${baseOffset}, epoch ${leaderEpoch} and checksum ${checksum.toString(16)}`;
  return `at offset ${anchor.offset} there was a batch ${text(anchor)} and is one ${text(first)}, so it was cut or restored`;
}

function otherIds(was: LogId, is: LogId): string {
  return isSameLog({ ...was, topicId: "" }, { ...is, topicId: "" })
    ? `the topic was deleted and made again, its id was ${was.topicId} and is ${is.topicId}`
    : `it is in the cluster ${is.clusterId}, and what was read is in the cluster ${was.clusterId}`;
}
