import type { Clock } from "../platform/clock.js";
import type { RestrictionTracker, Split } from "../sdk/splittable.js";
import type { ClaimBudget } from "./services.js";

/**
 * Refuses claims once the bundle has had its share, which makes the tracker split: so bundles stay small, whatever
 * loop the user wrote.
 */
export class BudgetedTracker implements RestrictionTracker<unknown, unknown> {
  /** The clock is read after so many claims at most, and after fewer when this time passes between two readings. */
  static readonly #CLAIMS_UNSEEN_MAX = 256;
  static readonly #UNSEEN_MS = 5;
  /** What the runner took back. */
  residual: Split<unknown> | undefined;
  #claimsUnseen = 1;
  /** Not for the first claim: one that takes longer to prepare than a bundle may last would never get on. */
  #untilClock = 2;
  #seenAtMs: number;
  #deadlineMs: number;
  /** Whether any claim was made: before, there is nothing to be kept, and a split would leave an empty part. */
  hasClaimed = false;

  constructor(
    private readonly inner: RestrictionTracker<unknown, unknown>,
    private readonly budget: ClaimBudget,
    private readonly clock: Clock,
  ) {
    this.#seenAtMs = clock.elapsed();
    this.#deadlineMs = budget.deadlineMs;
  }

  get restriction(): unknown {
    return this.inner.restriction;
  }

  tryClaim(position: unknown): boolean {
    if (!this.hasClaimed) this.#begin();
    if (this.budget.claims <= 0 || (--this.#untilClock === 0 && this.#isLate())) {
      this.residual ??= this.inner.trySplit(0);
      // Where nothing is left to give away, the claim is answered by the restriction itself.
      if (this.residual !== undefined) return false;
    }
    this.budget.claims--;
    return this.inner.tryClaim(position);
  }

  /** A claim counts as one until then. */
  brought(elements: number): void {
    this.budget.claims -= Math.max(0, elements - 1);
  }

  /** What was waited for before the first claim is no part of what claims may take. */
  #begin(): void {
    this.hasClaimed = true;
    const waitedMs = this.clock.elapsed() - this.#seenAtMs;
    if (waitedMs > BudgetedTracker.#UNSEEN_MS) this.#deadlineMs += waitedMs;
  }

  #isLate(): boolean {
    const now = this.clock.elapsed();
    const isSlow = now - this.#seenAtMs > BudgetedTracker.#UNSEEN_MS;
    this.#claimsUnseen = isSlow ? 1 : Math.min(2 * this.#claimsUnseen, BudgetedTracker.#CLAIMS_UNSEEN_MAX);
    this.#untilClock = this.#claimsUnseen;
    this.#seenAtMs = now;
    return now >= this.#deadlineMs;
  }

  trySplit(fractionOfRemainder: number): Split<unknown> | undefined {
    return this.inner.trySplit(fractionOfRemainder);
  }

  checkDone(): void {
    this.inner.checkDone();
  }

  progress(): { completed: number; remaining: number } {
    return this.inner.progress();
  }
}
