/**
 * Which restrictions of the sources may be processed now: those that have something to do, less those that are too far
 * ahead of the slowest source in event time. And what a drain changes of that.
 */
import { GLOBAL_WINDOW_MAX, MAX_TIMESTAMP, MIN_TIMESTAMP, type TimestampMs } from "../model/timestamps.js";
import type { Restriction, Stage } from "./stage.js";
import type { RestrictionOrigin } from "./stage_spec.js";

/** How long a source that is behind may stop the others before it is looked at whether it catches up at all. */
const SKEW_PATIENCE_MS = 1_000;
/** In event time, for each unit of time: one that is no faster, and has nothing at hand now and then, is caught up. */
const LIVE_PACE_MAX = 1.5;
/** In event time: more than that at once is no passing of time. */
const LIVE_STEP_MAX_MS = 5_000;
/** How often a source that is ahead looks whether it may go on. */
const SKEW_RETRY_MS = 20;

export class SourcePace {
  /** Set when a drain begins: sources do what their DoFns' `truncate` leaves to be done. */
  isDraining = false;
  /** The slowest source has nothing to catch up with: it is silent, or its watermark moves on with the time alone. */
  #isSlowestLive = false;
  /** Since when it is looked at, the watermark that it had then, and whether it has been without anything to read. */
  #look = { sinceMs: Number.NEGATIVE_INFINITY, watermark: MIN_TIMESTAMP, wasIdle: false };
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
    this.#lookAt(slowest, isActive, elapsedMs);
    // A source whose watermark is unknown has not begun; one that will not catch up must not stop the others for long.
    if (slowest === MIN_TIMESTAMP || this.#isSlowestLive) return ready;
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

  /**
   * One that is ahead of a source that is caught up has elements from the future: it would wait until their time has come.
   */
  #lookAt(slowest: TimestampMs, isActive: boolean, elapsedMs: number): void {
    const look = this.#look;
    look.wasIdle ||= !isActive;
    const spentMs = elapsedMs - look.sinceMs;
    const advancedMs = slowest - look.watermark;
    const isCatchingUp = advancedMs > LIVE_PACE_MAX * spentMs + LIVE_STEP_MAX_MS;
    if (spentMs < SKEW_PATIENCE_MS && !isCatchingUp) return;
    this.#isSlowestLive = look.wasIdle && advancedMs <= LIVE_PACE_MAX * spentMs;
    this.#look = { sinceMs: elapsedMs, watermark: slowest, wasIdle: !isActive };
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
