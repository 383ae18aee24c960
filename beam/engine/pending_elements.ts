/**
 * The elements in front of a stage, in the order of their coming. Where the order is of no matter, in front of sinks,
 * others pass the pieces of a very large batch, so that one key's results keep nobody waiting.
 */
import type { ElementBatch } from "./element_batch.js";
import type { StageProcessor, StageSpec, StageView } from "./stage_spec.js";

/** Elements in front of a stage. */
export interface PendingBatch {
  readonly stage: StageView;
  readonly id: number;
  readonly input: number;
  readonly batch: ElementBatch;
  /** Elements before this one are behind. */
  next: number;
  /** As `next`, of the turns that are committed. */
  committedNext: number;
  /** What brought it is committed. */
  isCommitted: boolean;
  /** What is left of it is a record of the store. */
  isStored: boolean;
  /** Of a batch that was very large. */
  isPiece: boolean;
}

/** Elements that were taken: all of the batch before `next`. */
export interface Consumed {
  readonly pending: PendingBatch;
  readonly next: number;
}

/** After so many bundles a piece of a large batch has its turn. */
const PASSED_MAX = 3;
/** More pieces of large batches than these are not to come. */
const PIECES_MAX = 100;

export class PendingElements {
  readonly #batches: PendingBatch[] = [];
  /** Bundles that have passed a piece which could have been taken. */
  #passed = 0;

  constructor(private readonly spec: StageSpec) {}

  get batches(): readonly PendingBatch[] {
    return this.#batches;
  }

  add(stage: StageView, id: number, input: number, batch: ElementBatch): PendingBatch {
    const pending: PendingBatch = {
      stage,
      id,
      input,
      batch,
      next: 0,
      committedNext: 0,
      isCommitted: false,
      isStored: false,
      isPiece: false,
    };
    this.#batches.push(pending);
    return pending;
  }

  /** All that is there, which is gone from here. */
  takeAll(): PendingBatch[] {
    return this.#batches.splice(0);
  }

  get count(): number {
    let count = 0;
    for (const { batch, next } of this.#batches) count += batch.length - next;
    return count;
  }

  /** As `count`, less those that must not be touched yet. */
  get readyCount(): number {
    if (this.spec.needsStableInput !== true) return this.count;
    let count = 0;
    for (const { batch, next, isCommitted } of this.#batches) if (isCommitted) count += batch.length - next;
    return count;
  }

  /** Of those that sources wait for: the pieces of a large batch are passed, but there may not be very many. */
  get backlog(): number {
    if (this.spec.isUnordered !== true) return this.readyCount;
    let count = 0;
    let pieces = 0;
    for (const pending of this.#batches) {
      if (pending.isPiece) pieces++;
      else if (this.#isReady(pending)) count += pending.batch.length - pending.next;
    }
    return pieces > PIECES_MAX ? Number.POSITIVE_INFINITY : count;
  }

  /** Elements can be taken. A piece of a large batch is, while no other bundle is open, or when it was passed often. */
  hasReady(openBundles: number): boolean {
    const at = this.#nextReady();
    if (at < 0) return false;
    return !this.#isPassable(this.#batches[at]!) || openBundles === 0 || this.#passed >= PASSED_MAX;
  }

  /** As `hasReady`, but for pieces that others may pass. */
  get hasUrgent(): boolean {
    const at = this.#nextReady();
    return at >= 0 && !this.#isPassable(this.#batches[at]!);
  }

  #isReady({ isCommitted }: PendingBatch): boolean {
    return isCommitted || this.spec.needsStableInput !== true;
  }

  #isPassable({ isPiece }: PendingBatch): boolean {
    return isPiece && this.spec.isUnordered === true;
  }

  /** Which of the pending to take next; -1: none. */
  #nextReady(): number {
    const pending = this.#batches;
    if (this.spec.isUnordered !== true) return pending.length > 0 && this.#isReady(pending[0]!) ? 0 : -1;
    let piece = -1;
    for (let at = 0; at < pending.length; at++) {
      if (!this.#isReady(pending[at]!)) continue;
      if (!pending[at]!.isPiece) {
        if (piece >= 0 && this.#passed >= PASSED_MAX) return piece;
        return at;
      }
      if (piece < 0) piece = at;
    }
    return piece;
  }

  /** Hands ready elements to a bundle, `countMax` at most, or one piece of a large batch. Returns how many. */
  take(countMax: number, processor: StageProcessor, consumed: Consumed[]): number {
    let left = countMax;
    while (left > 0) {
      const at = this.#nextReady();
      if (at < 0) break;
      const pending = this.#batches[at]!;
      const isPassable = this.#isPassable(pending);
      if (isPassable && left < countMax) {
        this.#passed++;
        break;
      }
      const { batch, input } = pending;
      const end = Math.min(batch.length, pending.next + left);
      left -= end - pending.next;
      for (let index = pending.next; index < end; index++) processor.process(input, batch, index);
      pending.next = end;
      consumed.push({ pending, next: end });
      if (end === batch.length) this.#batches.splice(at, 1);
      if (isPassable) {
        this.#passed = 0;
        break;
      }
    }
    return countMax - left;
  }
}
