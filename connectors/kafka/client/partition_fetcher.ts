/**
 * Keeps the buffers of all subscribed partitions filled. Each leader has at most one fetch under way, for all of its
 * partitions that have room; the next one leaves as soon as the answer is in the buffers, before anyone reads them.
 * There is no loop that runs: `#pump` starts whatever may start now, and everything that ends calls it again.
 */
import { type Clock, type HealthReporter, silentHealth, TrustedClock } from "@order-payment-stream/beam/io";

import { RetriableCodeError } from "./cluster.js";
import { FetchFailures } from "./fetch_failures.js";
import type { FetchedPartition, FetchRequest } from "./fetch_protocol.js";
import type { FetchTransport } from "./fetch_transport.js";
import type { KafkaLimits, KafkaLogger } from "./kafka_client.js";
import { KafkaRequestError, RecordFormatError } from "./kafka_errors.js";
import { LogCheck } from "./log_check.js";
import { holdsAnchor, type LogMark } from "./log_identity.js";
import { PartitionReader, type ReaderOwner } from "./partition_reader.js";
import { PassedTime } from "./passed_time.js";
import { readBatchHeader, readRecordSet } from "./record_batch.js";
import { TransactionWatch } from "./transaction_watch.js";
import { UnpackedBatches } from "./unpacked_batches.js";

const NO_ERROR = 0;
const OFFSET_OUT_OF_RANGE = 1;
const CORRUPT_MESSAGE = 2;
const UNKNOWN_TOPIC_OR_PARTITION = 3;
const LEADER_NOT_AVAILABLE = 5;

/**
 * A broker answers the fetches of one connection in turn, so a partition that gets room, or is subscribed, while a
 * long poll is under way has to wait for its end. While either is likely the polls are short.
 */
const SHORT_WAIT_MS = 10;
const SETTLING_MS = 1_000;

const HEALTH_CLOCK = "clock";
/**
 * In a gap of this length, of a buffer that was full, or a process or a broker that stood still, a log may have been
 * cut, or its topic made again, unseen.
 */
const DOUBT_AFTER_MS = 1_000;

/** Of two fetches, so that the answers of a partition with no news come with no gap between them. */
const WAIT_BY_NAME_MS = 400;

/** A buffer keeps the whole answer alive; a part smaller than this share of it is copied out. */
const VIEW_MIN_SHARE = 1 / 4;

export class PartitionFetcher implements ReaderOwner {
  readonly #readers = new Map<string, Map<number, PartitionReader>>();
  readonly #fetching = new Set<number>();
  /** Leaders that know topics by their names alone. */
  readonly #byName = new Set<number>();
  readonly #tasks = new Set<Promise<void>>();
  #isResolving = false;
  #turn = 0;
  #subscribedAtMs = 0;
  #cancelPump: (() => void) | undefined;
  #isClosed = false;
  readonly #transactions: TransactionWatch;
  readonly #unpacked: UnpackedBatches;
  readonly #failures: FetchFailures;
  readonly #logs: LogCheck;
  readonly #passed: PassedTime;

  constructor(
    private readonly transport: FetchTransport,
    private readonly limits: KafkaLimits,
    private readonly clock: Clock,
    logger: KafkaLogger,
    random: () => number = Math.random,
    private readonly health: HealthReporter = silentHealth,
    private readonly trustedClock: TrustedClock = new TrustedClock(clock),
  ) {
    this.#unpacked = new UnpackedBatches(limits.unpackedBatchMaxBytes, limits.unpackedMaxBytes);
    this.#failures = new FetchFailures(transport, limits, clock, logger, random, health);
    this.#passed = new PassedTime(clock);
    this.#logs = new LogCheck(transport, this.#failures);
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
    this.#failures.ended(reader);
    const ofTopic = this.#readers.get(reader.topic);
    ofTopic?.delete(reader.partition);
    if (ofTopic?.size === 0) this.#readers.delete(reader.topic);
  }

  /** Ends all subscriptions. Resolves when no request is under way; the caller breaks the connections off. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelPump?.();
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
      const isShort = isSettling || pausedLeaders.has(leader);
      const waitMs = isShort
        ? SHORT_WAIT_MS
        : this.#byName.has(leader)
          ? WAIT_BY_NAME_MS
          : Number.POSITIVE_INFINITY;
      this.#run(this.#fetch(leader, readers, Math.min(waitMs, this.limits.fetchMaxWaitMs)));
    }
    if (wakeAtMs !== Number.POSITIVE_INFINITY) this.#pumpAt(wakeAtMs);
  }

  #pumpAt(timeMs: number): void {
    this.#cancelPump?.();
    this.#cancelPump = this.clock.schedule(timeMs - this.clock.elapsed(), () => this.#pump());
  }

  #run(task: Promise<void>): void {
    const tracked = task.finally(() => this.#tasks.delete(tracked));
    this.#tasks.add(tracked);
  }

  async #resolveLeaders(readers: readonly PartitionReader[]): Promise<void> {
    this.#isResolving = true;
    for (const reader of readers) reader.isBusy = true;
    const toNotify: PartitionReader[] = [];
    await this.#recognize(readers, toNotify);
    for (const reader of readers) reader.isBusy = false;
    this.#isResolving = false;
    await this.#goOn(toNotify);
  }

  /**
   * Asks who leads the partitions, and which logs they are now.
   * @returns those of which nothing has changed; what is to be done about the others is done, and whose subscriber has
   *   something to see is in `toNotify`
   */
  async #recognize(
    readers: readonly PartitionReader[],
    toNotify: PartitionReader[],
  ): Promise<ReadonlySet<PartitionReader>> {
    const recognized = new Set<PartitionReader>();
    const askedAtMs = this.#passed.now();
    try {
      const { clusterId, topicMetadata } = await this.transport.metadata([
        ...new Set(readers.map(({ topic }) => topic)),
      ]);
      for (const reader of readers) {
        const topic = topicMetadata.find((known) => known.topic === reader.topic);
        const known = topic?.partitionMetadata.find(({ partitionId }) => partitionId === reader.partition);
        const code = topic?.topicErrorCode || (known === undefined ? UNKNOWN_TOPIC_OR_PARTITION : NO_ERROR);
        if (code !== NO_ERROR) {
          if (this.#failures.failedByCode(reader, code)) toNotify.push(reader);
        } else if (known!.leader < 0) {
          if (this.#failures.failedByCode(reader, known!.partitionErrorCode || LEADER_NOT_AVAILABLE))
            toNotify.push(reader);
        } else {
          const told = { clusterId, topicId: topic!.topicId };
          const { leader, leaderEpoch } = known!;
          if (reader.recognize(told)) {
            reader.recognizedAtMs = askedAtMs;
            if (reader.isLedBy(leader, leaderEpoch)) recognized.add(reader);
            else reader.followLeader(leader, leaderEpoch);
          } else if (await this.#logs.madeAgain(reader, leader, told)) {
            toNotify.push(reader);
          }
        }
      }
    } catch (error) {
      for (const reader of readers) {
        recognized.delete(reader);
        if (this.#failures.failed(reader, error)) toNotify.push(reader);
      }
    }
    return recognized;
  }

  async #fetch(leader: number, readers: readonly PartitionReader[], maxWaitMs: number): Promise<void> {
    this.#fetching.add(leader);
    for (const reader of readers) reader.isBusy = true;
    const unanswered = new Set(readers);
    const toNotify: PartitionReader[] = [];
    const sentAtMs = this.trustedClock.now();
    const askedAtMs = this.#passed.now();
    const elapsedMs = this.clock.elapsed();
    for (const reader of readers) if (elapsedMs - reader.fetchedAtMs > DOUBT_AFTER_MS) reader.doubt();
    this.#watchClock();
    const cancel = this.#failures.watchAnswer(leader, maxWaitMs);
    try {
      const answer = await this.transport.fetch(leader, this.#request(readers, maxWaitMs));
      cancel();
      if (answer.errorCode !== NO_ERROR) throw new RetriableCodeError("fetch", answer.errorCode);
      const throttledMs = answer.clientSideThrottleTime;
      if (throttledMs > 0) this.#failures.throttled(leader, throttledMs);
      // Such an answer leaves all partitions out: they are asked for again when the connection is free.
      if (throttledMs > 0 && answer.partitions.length === 0) unanswered.clear();
      if (answer.isById) {
        this.#byName.delete(leader);
      } else {
        this.#byName.add(leader);
        const doubtful = this.#afterGap(readers);
        // Once the answer came: no id comes back.
        const recognized = doubtful.length > 0 ? await this.#recognize(doubtful, toNotify) : undefined;
        for (const reader of doubtful) if (!recognized!.has(reader)) unanswered.delete(reader);
      }
      for (const fetched of answer.partitions) {
        const reader = this.#readers.get(fetched.topic)?.get(fetched.partition);
        // Closed, or closed and subscribed anew, while the fetch was under way.
        if (reader === undefined || !unanswered.delete(reader)) continue;
        if (fetched.errorCode === NO_ERROR)
          reader.recognizedAtMs = Math.max(reader.recognizedAtMs, askedAtMs);
        const hasNews = this.#accept(reader, fetched, leader, sentAtMs);
        // Nearly always known at once.
        if (typeof hasNews === "boolean" ? hasNews : await hasNews) toNotify.push(reader);
      }
      for (const reader of unanswered) {
        if (
          this.#failures.failed(reader, new KafkaRequestError(`the fetch answer left ${reader.name} out`))
        ) {
          toNotify.push(reader);
        }
      }
    } catch (error) {
      for (const reader of unanswered) if (this.#failures.failed(reader, error)) toNotify.push(reader);
    }
    cancel();
    for (const reader of readers) reader.isBusy = false;
    this.#fetching.delete(leader);
    await this.#goOn(toNotify);
  }

  /** Those whose topic's name may be another topic's by now, where ids tell them apart. */
  #afterGap(readers: readonly PartitionReader[]): PartitionReader[] {
    const now = this.#passed.now();
    return readers.filter((one) => one.topicId !== "" && now - one.recognizedAtMs > DOUBT_AFTER_MS);
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
  #accept(
    reader: PartitionReader,
    fetched: FetchedPartition,
    leader: number,
    sentAtMs: number,
  ): boolean | Promise<boolean> {
    if (fetched.errorCode === OFFSET_OUT_OF_RANGE) {
      // It is an answer: without it what is trusted now would be in doubt again before the next fetch.
      reader.fetchedAtMs = this.clock.elapsed();
      return this.#logs.outOfRange(reader, leader);
    }
    if (fetched.errorCode === CORRUPT_MESSAGE) {
      const what = `the broker says that its log is damaged at offset ${reader.fetchOffset}`;
      return this.#failures.damaged(reader, leader, what);
    }
    if (fetched.errorCode !== NO_ERROR) return this.#failures.failedByCode(reader, fetched.errorCode);

    let { buffer, recordsStart: start, recordsEnd: end } = fetched;
    if (end > start && end - start < buffer.length * VIEW_MIN_SHARE) {
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
        if (first === undefined) return this.#logs.withoutAnchor(reader, leader, anchorInDoubt, fetched);
        if (!holdsAnchor(first, anchorInDoubt)) {
          return this.#logs.contradicts(reader, leader, anchorInDoubt, first);
        }
      }
      const set = readRecordSet(buffer, start, end, reader.nextOffset, fetched.aborted, verifyChecksums);
      if (set.latestTimestampMs >= 0) this.trustedClock.confirm(set.latestTimestampMs);
      if (set.nextOffset > reader.fetchOffset) reader.damaged = 0;
      this.#failures.succeeded(reader);
      this.#transactions.watch(reader, set.nextOffset, fetched, leader);
      return reader.accept(set.batches, set.nextOffset, set.anchor, fetched.highWatermark, sentAtMs);
    } catch (error) {
      if (!(error instanceof RecordFormatError)) throw error;
      return this.#failures.damaged(reader, leader, error.message);
    }
  }

  #watchClock(): void {
    const problem = this.trustedClock.problem();
    if (problem === undefined) this.health.clear(HEALTH_CLOCK);
    else this.health.report(HEALTH_CLOCK, problem);
  }
}
