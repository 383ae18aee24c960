/** One subscription: what is buffered of a partition, what is known of its end, and how fetching it has gone lately. */
import { BufferedRecords } from "./buffered_records.js";
import type { FetchingState, PartitionSubscription, RecordCursor } from "./kafka_client.js";
import type { OpenTransactionError } from "./kafka_errors.js";
import type { LogId } from "./log_id.js";
import { type Anchor, isSameLog, type LogMark, mergedLog, UNKNOWN_LOG } from "./log_identity.js";
import type { RecordBatch } from "./record_batch.js";
import type { UnpackedBatches } from "./unpacked_batches.js";

/** An open transaction that hides what comes behind it. */
export interface HeldUp {
  readonly firstOffset: number;
  /** By `Clock.elapsed`. */
  readonly sinceMs: number;
  /** Who writes it, once that is known. */
  writer: string | undefined;
  isTold: boolean;
}

/** The fetcher, as its readers see it. */
export interface ReaderOwner {
  /** A reader that was left out of a fetch has room again. */
  hasRoom(): void;
  closed(reader: PartitionReader): void;
}

export class PartitionReader implements PartitionSubscription {
  highWatermark = -1;
  error: Error | undefined;
  isClosed = false;

  /** Node id of the broker to fetch from; -1: to be found out. */
  leader = -1;
  leaderEpoch = -1;
  log: LogId | undefined;
  /** A fetch, or another request on its behalf, is under way. */
  isBusy = false;
  /** Was left out of the last fetch because its buffer was full. */
  isPaused = false;
  /** When the last fetch was answered, by the clock's elapsed time. */
  fetchedAtMs = Number.POSITIVE_INFINITY;
  /** When what was told of the log last was asked for, which was that it is still the same; by `PassedTime`. */
  recognizedAtMs = 0;
  /** No attempt before this time. */
  retryAtMs = 0;
  /** Failures since the last success, and since when. */
  failures = 0;
  failingSinceMs = 0;
  lastFailure = "";
  /** Since when every answer has been that there is no such partition; -1: not so. */
  missingSinceMs = -1;
  /** Answers in a row whose first batch was damaged. */
  damaged = 0;
  /** The open transaction that everything up to which has been fetched; its end is waited for. */
  heldUp: HeldUp | undefined;
  transactionTimeout: OpenTransactionError | undefined;

  readonly #records: BufferedRecords;
  /** First offset that is not in the buffer. */
  nextOffset: number;
  readonly #expected: LogId;
  #toldTopicId = "";
  #anchor: Anchor | undefined;
  #isSameLog: boolean;
  #endConfirmedAtMs: number | undefined;

  constructor(
    readonly topic: string,
    readonly partition: number,
    offset: number,
    readonly onData: () => void,
    private readonly bufferMaxBytes: number,
    unpacked: UnpackedBatches,
    private readonly owner: ReaderOwner,
    mark?: LogMark,
  ) {
    this.nextOffset = offset;
    this.#expected = mark ?? UNKNOWN_LOG;
    this.#anchor = mark?.anchor;
    this.#isSameLog = mark?.anchor === undefined;
    this.#records = new BufferedRecords(offset, this.name, unpacked, () => this.#tellOfRoom());
  }

  get name(): string {
    return `${this.topic}[${this.partition}]`;
  }

  /** Where to fetch: while the log is in doubt, the last batch again. */
  get fetchOffset(): number {
    return this.anchorInDoubt?.offset ?? this.nextOffset;
  }

  /** The batch that shows, once it was fetched again, that the log is still the same. Undefined: that is known. */
  get anchorInDoubt(): Anchor | undefined {
    return this.#isSameLog ? undefined : this.#anchor;
  }

  /** Names the log in a fetch; empty: the brokers do not tell, even if another that was met before did. */
  get topicId(): string {
    return this.#toldTopicId;
  }

  get isCompared(): boolean {
    return this.#isSameLog && this.log !== undefined;
  }

  get anchor(): Anchor | undefined {
    return this.#anchor;
  }

  get expectedLog(): LogId {
    return this.log ?? this.#expected;
  }

  /** Takes in what the brokers say of the log. False: it is another one. */
  recognize(told: LogId): boolean {
    if (!isSameLog(this.expectedLog, told)) return false;
    this.log = mergedLog(told, this.expectedLog);
    this.#toldTopicId = told.topicId;
    return true;
  }

  /** Whether there is nothing new in what the metadata tells; they may come from a broker that is behind. */
  isLedBy(leader: number, epoch: number): boolean {
    if (this.leader < 0) return false;
    const isOlder = epoch >= 0 && epoch < this.leaderEpoch;
    return isOlder || (this.leader === leader && this.leaderEpoch === epoch);
  }

  /** The log of another leader may have been cut. */
  followLeader(leader: number, epoch: number): void {
    this.leader = leader;
    this.leaderEpoch = epoch;
    this.doubt();
  }

  /** The log has passed for the one that was read, or there is nothing to compare any more. */
  trust(): void {
    this.#isSameLog = true;
  }

  /** The log may be another one since it was fetched from last. */
  doubt(): void {
    this.#isSameLog = this.#anchor === undefined;
  }

  get isFull(): boolean {
    return this.#records.bufferedBytes >= this.bufferMaxBytes;
  }

  take(maxRecords: number): RecordCursor | undefined {
    const records = this.#records;
    records.allow(maxRecords);
    return records.isExhausted ? undefined : records;
  }

  /** At once, and not when somebody asks for more: a subscriber that has seen all may not come back before there is news. */
  #tellOfRoom(): void {
    if (!this.isPaused || this.isFull || this.isClosed) return;
    this.isPaused = false;
    this.owner.hasRoom();
  }

  get position(): number {
    return this.#records.isExhausted ? this.nextOffset : this.#records.position;
  }

  get caughtUpAtMs(): number | undefined {
    return this.#records.isExhausted ? this.#endConfirmedAtMs : undefined;
  }

  get fetching(): FetchingState {
    const { leader, isBusy, isPaused, fetchedAtMs: answeredAtMs, heldUp } = this;
    const failure =
      this.failures > 0 ? { sinceMs: this.failingSinceMs, message: this.lastFailure } : undefined;
    return { leader, answeredAtMs, isBusy, isPaused, failure, heldUp };
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#endConfirmedAtMs = undefined;
    this.#records.clear();
    this.owner.closed(this);
  }

  /**
   * Takes in an answer to a fetch sent at `sentAtMs`. True: the subscriber has something to see. That the end is still
   * the end is nothing to see: with many quiet partitions it would wake the subscriber of each with every answer.
   * @param anchor the last batch of the answer, if there was one
   */
  accept(
    batches: readonly RecordBatch[],
    nextOffset: number,
    anchor: Anchor | undefined,
    highWatermark: number,
    sentAtMs: number,
  ): boolean {
    const wasExhausted = this.#records.isExhausted;
    const wasCaughtUp = this.caughtUpAtMs !== undefined;
    this.#records.push(batches);
    this.nextOffset = nextOffset;
    this.#anchor = anchor ?? this.#anchor;
    this.#isSameLog = true;
    this.highWatermark = highWatermark;
    // A leader that is new may tell an end that is too early; it does not know yet what lies behind.
    this.#endConfirmedAtMs = nextOffset === highWatermark ? sentAtMs : undefined;
    const isCaughtUp = this.caughtUpAtMs !== undefined;
    return (wasExhausted && batches.length > 0) || isCaughtUp !== wasCaughtUp;
  }

  /** The end of the log is not known any more. True: the subscriber has something to see. */
  disconnect(): boolean {
    const caughtUpBefore = this.caughtUpAtMs;
    this.leader = -1;
    this.doubt();
    this.#endConfirmedAtMs = undefined;
    return caughtUpBefore !== undefined;
  }

  /** Gives up. Always something to see. */
  fail(error: Error): true {
    this.disconnect();
    this.error = error;
    return true;
  }
}
