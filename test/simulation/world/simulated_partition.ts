/**
 * A partition's log, with all that may become of one: transactions, retention, elections that lose records, and what
 * it held before it was made again.
 */
import type { AbortedTransaction } from "../../../connectors/kafka/client/record_batch.js";
import { type BatchRecord, HEADER_BYTES, PLAIN, recordBatchBytes } from "./record_batch_bytes.js";

interface StoredBatch {
  readonly storedAtMs: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly bytes: Buffer;
}

/** What a consumer may see of a partition. */
export interface VisibleRecord extends BatchRecord {
  readonly offset: number;
}

/** A log as it was before it was cut, restored, or made again. */
export interface FormerLog {
  readonly topicId: string;
  readonly records: readonly VisibleRecord[];
  readonly nextOffset: number;
  /** Up to here the log that there is now is the same. */
  readonly keptUpTo: number;
}

interface Transaction {
  readonly firstOffset: number;
  /** Undefined: it is open. */
  endOffset: number | undefined;
  /** Its records are not in the log any more. */
  isGone: boolean;
}

export class SimulatedPartition {
  readonly batches: StoredBatch[] = [];
  /** In order of offset, those of aborted transactions left out; those that retention has removed are still here. */
  readonly visible: VisibleRecord[] = [];
  readonly aborted: AbortedTransaction[] = [];
  firstOffset = 0;
  nextOffset = 0;
  /** First offset of a transaction that is open. */
  openTransactionAt: number | undefined;
  /** Somebody has asked where it begins, to read it from there. */
  isLookedUp = false;
  /** Counts the elections. */
  leaderEpoch = 0;
  #leader: number;
  /** A leader that is new may not know yet how far its followers are: what lies behind is not shown. */
  shownUpTo = Number.POSITIVE_INFINITY;
  readonly #waiting = new Set<() => void>();
  readonly #transactions: Transaction[] = [];
  #nextProducer = 1;

  /** @param former what went before it under the same name */
  constructor(
    readonly topic: string,
    readonly partition: number,
    leader: number,
    readonly topicId: string,
    private readonly now: () => number,
    public former?: FormerLog,
  ) {
    this.#leader = leader;
  }

  /** Node id; -1: being elected. */
  get leader(): number {
    return this.#leader;
  }

  set leader(node: number) {
    this.#leader = node;
    if (node >= 0) this.leaderEpoch++;
  }

  /** What is stored and shown, open transactions included. */
  get highWatermark(): number {
    return Math.min(this.nextOffset, this.shownUpTo);
  }

  get lastStableOffset(): number {
    return Math.min(this.openTransactionAt ?? this.nextOffset, this.shownUpTo);
  }

  append(...records: readonly BatchRecord[]): void {
    const baseOffset = this.#store(
      recordBatchBytes(this.nextOffset, records, PLAIN, this.leaderEpoch),
      records.length,
    );
    for (const [i, record] of records.entries()) this.visible.push({ ...record, offset: baseOffset + i });
    this.wakeAll();
  }

  /** Begins a transaction, and ends it when the returned function is called. */
  appendOpen(...records: readonly BatchRecord[]): (outcome: "commit" | "abort") => void {
    const kind = { ...PLAIN, producerId: this.#nextProducer++, isTransactional: true };
    const baseOffset = this.#store(
      recordBatchBytes(this.nextOffset, records, kind, this.leaderEpoch),
      records.length,
    );
    const transaction: Transaction = { firstOffset: baseOffset, endOffset: undefined, isGone: false };
    this.#transactions.push(transaction);
    this.openTransactionAt = baseOffset;
    this.wakeAll();
    return (outcome) => {
      if (transaction.isGone) return;
      if (outcome === "commit") {
        for (const [i, record] of records.entries()) this.visible.push({ ...record, offset: baseOffset + i });
      } else {
        this.aborted.push({ producerId: kind.producerId, firstOffset: baseOffset });
      }
      const key = Buffer.from([0, 0, 0, outcome === "commit" ? 1 : 0]);
      const marker = { timestampMs: records[0]!.timestampMs, key, value: Buffer.alloc(6) };
      transaction.endOffset = this.#store(
        recordBatchBytes(this.nextOffset, [marker], { ...kind, isControl: true }, this.leaderEpoch),
        1,
      );
      this.openTransactionAt = undefined;
      this.visible.sort((a, b) => a.offset - b.offset);
      this.wakeAll();
    };
  }

  /** Removes what lies before the offset, as retention does. */
  deleteBefore(offset: number): void {
    this.firstOffset = offset;
    if (!this.isLookedUp) this.forgetDeleted();
    this.wakeAll();
  }

  /** Nobody was to read what retention has removed. */
  forgetDeleted(): void {
    this.isLookedUp = false;
    removeFrom(this.visible, (record) => record.offset < this.firstOffset);
  }

  /** What its next offset was at a time. */
  lengthAt(timeMs: number): number {
    return (this.batches.findLast(({ storedAtMs }) => storedAtMs <= timeMs)?.lastOffset ?? -1) + 1;
  }

  /** As it is now, for the one that follows it. */
  asFormer(keptUpTo: number): FormerLog {
    const { topicId, visible, nextOffset } = this;
    return { topicId, records: [...visible], nextOffset, keptUpTo };
  }

  /**
   * The log goes back to what it was at an offset: a leader that was behind has won an election, or a copy was put
   * back. A transaction that was not over then never was.
   */
  cut(offset: number): void {
    let end = offset;
    for (let before = Number.NaN; before !== end; ) {
      before = end;
      for (const { firstOffset, endOffset, isGone } of this.#transactions) {
        if (!isGone && firstOffset < end && (endOffset === undefined || endOffset >= end)) end = firstOffset;
      }
      for (const { baseOffset, lastOffset } of this.batches) {
        if (baseOffset < end && lastOffset >= end) end = baseOffset;
      }
    }
    this.former = this.asFormer(end);
    for (const transaction of this.#transactions)
      if (transaction.firstOffset >= end) transaction.isGone = true;
    removeFrom(this.batches, ({ baseOffset }) => baseOffset >= end);
    removeFrom(this.visible, (record) => record.offset >= end);
    removeFrom(this.aborted, ({ firstOffset }) => firstOffset >= end);
    this.nextOffset = end;
    this.firstOffset = Math.min(this.firstOffset, end);
    if (this.openTransactionAt !== undefined && this.openTransactionAt >= end)
      this.openTransactionAt = undefined;
    this.wakeAll();
  }

  /** Calls once when there is something new to tell. Returns a function that ends the wait. */
  whenNews(wake: () => void): () => void {
    this.#waiting.add(wake);
    return () => this.#waiting.delete(wake);
  }

  wakeAll(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** Whole batches from the one that holds `offset`, so many bytes at most, but one if there is one. */
  read(offset: number, maxBytes: number): Buffer {
    const chosen: Buffer[] = [];
    let bytes = 0;
    for (const batch of this.batches) {
      if (batch.lastOffset < offset) continue;
      if (batch.baseOffset >= this.lastStableOffset) break;
      if (chosen.length > 0 && bytes + batch.bytes.length > maxBytes) break;
      chosen.push(batch.bytes);
      bytes += batch.bytes.length;
    }
    return Buffer.concat(chosen);
  }

  /** A batch that nobody can read: one record, of which consumers see no more than that. */
  appendUnreadable(timestampMs: number, length: number): void {
    const inside = { timestampMs, key: null, value: Buffer.alloc(length) };
    const bytes = recordBatchBytes(
      this.nextOffset,
      [inside],
      { ...PLAIN, isGzipped: true },
      this.leaderEpoch,
    );
    const offset = this.#store(bytes, 1);
    this.visible.push({ timestampMs, key: null, value: bytes.subarray(HEADER_BYTES), offset });
    this.wakeAll();
  }

  #store(bytes: Buffer, count: number): number {
    const baseOffset = this.nextOffset;
    this.nextOffset += count;
    this.batches.push({ storedAtMs: this.now(), baseOffset, lastOffset: this.nextOffset - 1, bytes });
    return baseOffset;
  }
}

function removeFrom<T>(list: T[], isMeant: (item: T) => boolean): void {
  let kept = 0;
  for (const item of list) if (!isMeant(item)) list[kept++] = item;
  list.length = kept;
}
