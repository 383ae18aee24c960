/** The restriction of everything that is numbered: [start, end), with an end that may be open (Infinity). */
import type { RestrictionTracker, Split } from "./splittable.js";

/** Whole numbers from `start` up to `end`. */
export interface OffsetRange {
  readonly start: number;
  /** Exclusive. Infinity: the end is not known. */
  readonly end: number;
}

/** From an offset on, without an end. */
export function openRange(start: number): OffsetRange {
  return { start, end: Number.POSITIVE_INFINITY };
}

/** Hands out an offset range from its start to its end. */
export class OffsetRangeTracker implements RestrictionTracker<OffsetRange, number> {
  #range: OffsetRange;
  #lastClaimed: number;
  #lastAttempted: number;

  /** @param estimateEnd for an open range: its approximate end now, for splitting and progress */
  constructor(
    range: OffsetRange,
    private readonly estimateEnd: () => number = () => range.end,
  ) {
    this.#range = range;
    this.#lastClaimed = range.start - 1;
    this.#lastAttempted = range.start - 1;
  }

  get restriction(): OffsetRange {
    return this.#range;
  }

  /** Claims everything up to `offset`, included. Offsets must grow. */
  tryClaim(offset: number): boolean {
    if (offset <= this.#lastAttempted) {
      throw new Error(`offset ${offset} was claimed after ${this.#lastAttempted}: claims must grow`);
    }
    this.#lastAttempted = offset;
    if (offset >= this.#range.end) return false;
    this.#lastClaimed = offset;
    return true;
  }

  trySplit(fractionOfRemainder: number): Split<OffsetRange> | undefined {
    const { start, end } = this.#range;
    const next = this.#lastClaimed + 1;
    const reachable = end === Number.POSITIVE_INFINITY ? Math.max(next, this.estimateEnd()) : end;
    const kept =
      fractionOfRemainder <= 0 ? 0 : Math.max(1, Math.floor((reachable - next) * fractionOfRemainder));
    const at = Math.min(next + kept, end);
    if (at >= end) return undefined;
    this.#range = { start, end: at };
    return { primary: this.#range, residual: { start: at, end } };
  }

  checkDone(): void {
    const { start, end } = this.#range;
    if (start >= end || this.#lastAttempted >= end - 1) return;
    throw new Error(
      `process returned stop() but left [${this.#lastAttempted + 1}, ${end}) of [${start}, ${end}): ` +
        "claim up to the end, or return resume()",
    );
  }

  progress(): { completed: number; remaining: number } {
    const { start, end } = this.#range;
    const done = this.#lastClaimed + 1;
    const reachable = end === Number.POSITIVE_INFINITY ? Math.max(done, this.estimateEnd()) : end;
    return { completed: done - start, remaining: Math.max(0, reachable - done) };
  }
}
