/**
 * Which timer is next. An entry is a hint, { time, reference }: whoever sets, moves or clears a timer leaves the old
 * entry where it is, and whoever pops one checks it against the timer itself. Entries are never searched for.
 *
 * Entries lie unsorted in buckets of about a second; only the earliest bucket is a heap. Inserting into the future is
 * therefore a push onto an array, and sorting happens in small pieces.
 */
import { MAX_TIMESTAMP, type TimestampMs } from "../model/timestamps.js";

const BUCKET_MS = 1024;

interface Bucket {
  readonly number: number;
  readonly times: number[];
  readonly references: number[];
}

const NO_BUCKET: Bucket = { number: Number.NaN, times: [], references: [] };

export class TimerQueue {
  /** Binary heap of the entries before `#heapEnd`, by time. */
  readonly #times: number[] = [];
  readonly #references: number[] = [];
  #heapEnd = Number.NEGATIVE_INFINITY;
  readonly #buckets = new Map<number, Bucket>();
  /** The bucket of the last entry: the next mostly goes there too. */
  #last: Bucket = NO_BUCKET;
  /** Binary heap of the numbers of all buckets. */
  readonly #bucketNumbers: number[] = [];
  #size = 0;

  /** Entries, stale ones included. */
  get size(): number {
    return this.#size;
  }

  insert(time: TimestampMs, reference: number): void {
    this.#size++;
    if (time < this.#heapEnd) {
      this.#heapPush(time, reference);
      return;
    }
    const number = Math.floor(time / BUCKET_MS);
    if (number !== this.#last.number) this.#last = this.#bucket(number);
    this.#last.times.push(time);
    this.#last.references.push(reference);
  }

  #bucket(number: number): Bucket {
    let bucket = this.#buckets.get(number);
    if (bucket === undefined) {
      bucket = { number, times: [], references: [] };
      this.#buckets.set(number, bucket);
      pushNumber(this.#bucketNumbers, number);
    }
    return bucket;
  }

  /** The time of the earliest entry; MAX_TIMESTAMP when there is none. An entry may be stale. */
  nextTime(): TimestampMs {
    if (this.#times.length > 0) return this.#times[0]!;
    if (this.#bucketNumbers.length === 0) return MAX_TIMESTAMP;
    let earliest = MAX_TIMESTAMP;
    for (const time of this.#buckets.get(this.#bucketNumbers[0]!)!.times)
      if (time < earliest) earliest = time;
    return earliest;
  }

  /** Whether an entry, perhaps a stale one, is due by `limit`. */
  hasDue(limit: TimestampMs): boolean {
    if (this.#times.length > 0) return this.#times[0]! <= limit;
    const number = this.#bucketNumbers[0];
    return number !== undefined && number * BUCKET_MS <= limit && this.nextTime() <= limit;
  }

  /** The earlier of `limit` and the time of the earliest entry. Looks into no bucket that begins after `limit`. */
  earliestUpTo(limit: TimestampMs): TimestampMs {
    if (this.#times.length === 0) {
      const number = this.#bucketNumbers[0];
      if (number === undefined || number * BUCKET_MS > limit) return limit;
    }
    return Math.min(limit, this.nextTime());
  }

  /** The time of the earliest entry, if it is not after `limit`: of the one that `take` removes. */
  dueTime(limit: TimestampMs): TimestampMs | undefined {
    while (this.#times.length === 0) {
      const number = this.#bucketNumbers[0];
      if (number === undefined || number * BUCKET_MS > limit) return undefined;
      this.#loadBucket(number);
    }
    return this.#times[0]! > limit ? undefined : this.#times[0];
  }

  /** Removes the entry that `dueTime` has told of, and returns its reference. */
  take(): number {
    const reference = this.#references[0]!;
    this.#heapPop();
    this.#size--;
    return reference;
  }

  /** Where the entries lie in time, stale ones included, by buckets of about a second and in no order. */
  *histogram(): Generator<{ readonly time: TimestampMs; readonly count: number }> {
    if (this.#times.length > 0) yield { time: this.#times[0]!, count: this.#times.length };
    for (const [number, { times }] of this.#buckets) yield { time: number * BUCKET_MS, count: times.length };
  }

  /** Calls `visit` with the time of each entry, stale ones included, in no order. */
  forEachTime(visit: (time: TimestampMs) => void): void {
    for (const time of this.#times) visit(time);
    for (const { times } of this.#buckets.values()) for (const time of times) visit(time);
  }

  clear(): void {
    this.#times.length = 0;
    this.#references.length = 0;
    this.#buckets.clear();
    this.#last = NO_BUCKET;
    this.#bucketNumbers.length = 0;
    this.#heapEnd = Number.NEGATIVE_INFINITY;
    this.#size = 0;
  }

  #loadBucket(number: number): void {
    popNumber(this.#bucketNumbers);
    const bucket = this.#buckets.get(number)!;
    this.#buckets.delete(number);
    if (this.#last === bucket) this.#last = NO_BUCKET;
    this.#heapEnd = (number + 1) * BUCKET_MS;
    for (let i = 0; i < bucket.times.length; i++) this.#heapPush(bucket.times[i]!, bucket.references[i]!);
  }

  #heapPush(time: number, reference: number): void {
    const times = this.#times;
    const references = this.#references;
    let at = times.length;
    times.push(time);
    references.push(reference);
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (times[parent]! <= time) break;
      times[at] = times[parent]!;
      references[at] = references[parent]!;
      at = parent;
    }
    times[at] = time;
    references[at] = reference;
  }

  #heapPop(): void {
    const times = this.#times;
    const references = this.#references;
    const time = times.pop()!;
    const reference = references.pop()!;
    const count = times.length;
    if (count === 0) return;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= count) break;
      if (child + 1 < count && times[child + 1]! < times[child]!) child++;
      if (times[child]! >= time) break;
      times[at] = times[child]!;
      references[at] = references[child]!;
      at = child;
    }
    times[at] = time;
    references[at] = reference;
  }
}

function pushNumber(heap: number[], value: number): void {
  let at = heap.length;
  heap.push(value);
  while (at > 0) {
    const parent = (at - 1) >>> 1;
    if (heap[parent]! <= value) break;
    heap[at] = heap[parent]!;
    at = parent;
  }
  heap[at] = value;
}

function popNumber(heap: number[]): void {
  const value = heap.pop()!;
  const count = heap.length;
  if (count === 0) return;
  let at = 0;
  for (;;) {
    let child = at * 2 + 1;
    if (child >= count) break;
    if (child + 1 < count && heap[child + 1]! < heap[child]!) child++;
    if (heap[child]! >= value) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = value;
}
