/**
 * Which restrictions of the sources may be processed now: those that have something to do, less those that are too far
 * ahead of the slowest source in event time. And what a drain changes of that.
 */
import { GLOBAL_WINDOW_MAX, MAX_TIMESTAMP, MIN_TIMESTAMP, type TimestampMs } from "../model/timestamps.js";
import type { Restriction, Stage } from "./stage.js";
import type { RestrictionOrigin } from "./stage_spec.js";

/** How long a source that is behind may have nothing to read before the others go on without it. */
const SKEW_PATIENCE_MS = 1_000;
/** How often a source that is ahead looks whether it may go on. */
const SKEW_RETRY_MS = 20;

export class SourcePace {
  /** Set when a drain begins: sources do what their DoFns' `truncate` leaves to be done. */
  isDraining = false;
  /** When the slowest source last had something to read. */
  #slowestActiveAtMs = Number.NEGATIVE_INFINITY;
  /** The watermark that it had then. */
  #slowest: TimestampMs = MIN_TIMESTAMP;
  readonly #sources: readonly Stage[];

  /** @param skewMaxMs a source this far ahead of the slowest, in event time, waits for it */
  constructor(
    stages: readonly Stage[],
    private readonly skewMaxMs: number,
  ) {
    this.#sources = stages.filter(({ spec }) => spec.kind === "splittable");
  }

  /** @param elapsedMs now, by `Clock.elapsed` */
  ready(stage: Stage, elapsedMs: number): Restriction[] {
    const ready: Restriction[] = [];
    for (const restriction of stage.restrictions) {
      if (this.#isDue(restriction, elapsedMs)) ready.push(restriction);
    }
    stage.isAhead = false;
    if (ready.length === 0) return ready;
    const { slowest, isActive } = this.#slowestSource();
    if (isActive || slowest !== this.#slowest) this.#slowestActiveAtMs = elapsedMs;
    this.#slowest = slowest;
    // A source whose watermark is unknown has not begun; one that stays silent must not stop the others for long.
    if (slowest === MIN_TIMESTAMP || elapsedMs - this.#slowestActiveAtMs > SKEW_PATIENCE_MS) return ready;
    const furthest = slowest + this.skewMaxMs;
    // What stands at the end of time reads no events (it looks for partitions, say), so it is never ahead of others.
    const left = ready.filter(
      ({ residual: { watermark } }) => watermark <= furthest || watermark >= GLOBAL_WINDOW_MAX,
    );
    stage.isAhead = left.length === 0;
    return left;
  }

  /** Whether it has something to do, be it ahead or not. */
  hasDue({ restrictions }: Stage, elapsedMs: number): boolean {
    for (const restriction of restrictions) if (this.#isDue(restriction, elapsedMs)) return true;
    return false;
  }

  #slowestSource(): { slowest: TimestampMs; isActive: boolean } {
    let slowest = MAX_TIMESTAMP;
    let isActive = false;
    for (const { restrictions } of this.#sources) {
      for (const restriction of restrictions) {
        const { watermark } = restriction.residual;
        if (watermark > slowest) continue;
        // One that is merely due to be looked at again has had nothing to read.
        const hasWork = restriction.isReady || this.#isDrained(restriction);
        isActive = watermark === slowest ? isActive || hasWork : hasWork;
        slowest = watermark;
      }
    }
    return { slowest, isActive };
  }

  originOf(restriction: Restriction): RestrictionOrigin {
    if (this.#isDrained(restriction)) return "drained";
    return restriction.isResumed ? "resumed" : undefined;
  }

  /** How long until a restriction is due; Infinity: there is none. */
  nextInMs(elapsedMs: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { restrictions } of this.#sources) {
      for (const restriction of restrictions) {
        // One that is due but did not run waits for a commit, which wakes, or for a slower source.
        const isDue = this.#isDue(restriction, elapsedMs);
        next = Math.min(next, isDue ? SKEW_RETRY_MS : restriction.resumeAtMs - elapsedMs);
      }
    }
    return next;
  }

  #isDue(restriction: Restriction, elapsedMs: number): boolean {
    return restriction.isReady || restriction.resumeAtMs <= elapsedMs || this.#isDrained(restriction);
  }

  /** It waits as it did when the drain began. */
  #isDrained({ isTruncated }: Restriction): boolean {
    return this.isDraining && !isTruncated;
  }
}
