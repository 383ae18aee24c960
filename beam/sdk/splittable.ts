/**
 * Splittable DoFns: sources, and whatever else works through one element in pieces that can be cut, put off and
 * resumed. A restriction says which part of an element's work is meant; a tracker hands it out claim by claim; what is
 * not claimed when `process` returns is the residual. Source: https://s.apache.org/splittable-do-fn.
 */
import type { Coder } from "../model/coders/coder.js";
import type { TimestampMs } from "../model/timestamps.js";
import { BaseDoFn, type ElementContext, type OutputSpecs } from "./do_fn.js";
import type { Json } from "./json.js";

/** A restriction in two parts: what the current call keeps, and what somebody else is to do. */
export interface Split<R> {
  readonly primary: R;
  readonly residual: R;
}

/** Hands out one restriction. `R` is the restriction, `P` a position in it. */
export interface RestrictionTracker<R, P> {
  /** What remains of the original restriction after the splits so far. */
  readonly restriction: R;
  /** True: this call owns everything up to `position`. False: return; the rest belongs to somebody else. */
  tryClaim(position: P): boolean;
  /**
   * Call it if a claim has yielded more than one element, for runners that limit bundles by elements. Runners
   * provide it; a tracker need not.
   */
  brought?(elements: number): void;
  /**
   * Keeps the claimed part and `fractionOfRemainder` of the rest, and gives the remaining part away. 0 = keep only
   * what is claimed. Undefined: there is nothing to give away.
   */
  trySplit(fractionOfRemainder: number): Split<R> | undefined;
  /** Throws if `process` said that it had finished, but left work that it neither claimed nor put off. */
  checkDone(): void;
  /** Work done and left, in any unit. */
  progress(): { readonly completed: number; readonly remaining: number };
}

/** A watermark that `process` sets. It never goes back, and a residual keeps it. */
export interface ManualWatermark {
  readonly current: TimestampMs;
  /** Ignored if it would go back. */
  set(watermark: TimestampMs): void;
}

/** What `process` returns. */
export type ProcessContinuation =
  | { readonly kind: "stop" }
  | {
      readonly kind: "resume";
      /** Resume after this time at the latest. */
      readonly delayMs: number;
      /**
       * A hint for runners in the same process: calls its argument as soon as there is something to resume for, and
       * returns a function that stops watching.
       */
      readonly onReady: ((wake: () => void) => () => void) | undefined;
      /**
       * A hint for runners in the same process: how far the watermark has come by now, if nothing has happened but that
       * time has passed. They may ask this at the end of each delay in place of a call of `process`, until `onReady`
       * calls; so it means nothing without `onReady`. Undefined: only `process` knows.
       */
      readonly watermarkNow: (() => TimestampMs) | undefined;
    };

const STOP: ProcessContinuation = { kind: "stop" };

/** The restriction is done. */
export const stop = (): ProcessContinuation => STOP;

/**
 * More may come: call again with the residual.
 * @param delayMs that it rests for at most; the direct runner lets it rest for more than half of that, and portable
 *   runners as long as they see fit
 * @param onReady see ProcessContinuation, as for `watermarkNow`
 */
export function resume(
  delayMs = 0,
  onReady?: (wake: () => void) => () => void,
  watermarkNow?: () => TimestampMs,
): ProcessContinuation {
  return { kind: "resume", delayMs, onReady, watermarkNow };
}

/** What a splittable `process` sees: also its watermark. */
export interface SplittableContext<O extends OutputSpecs> extends ElementContext<O> {
  readonly watermark: ManualWatermark;
  /**
   * Whether the residual returns to this process, as soon as `onReady` calls. Elsewhere any process may get it, and
   * only after the delay, so it may have to start over with what was not waited for here.
   */
  readonly heedsReady: boolean;
}

/** `E` element, `R` restriction, `P` position. */
export abstract class SplittableDoFn<E, R, P, O extends OutputSpecs, C extends Json = null> extends BaseDoFn<
  O,
  C
> {
  abstract readonly restrictionCoder: Coder<R>;
  /** Whether every restriction ends by itself. */
  abstract readonly isBounded: boolean;

  abstract initialRestriction(element: E): R | Promise<R>;
  /** The parts to start with. Default: the whole. */
  split(_element: E, restriction: R): readonly R[] | Promise<readonly R[]> {
    return [restriction];
  }
  /** Amount of work, never negative, in a unit that is the same for all restrictions of this DoFn. */
  size(_element: E, _restriction: R): number {
    return 1;
  }
  abstract newTracker(restriction: R, element: E): RestrictionTracker<R, P>;
  /** The first watermark of a restriction. Default: the element's timestamp. */
  initialWatermark(_element: E, _restriction: R, elementTimestamp: TimestampMs): TimestampMs {
    return elementTimestamp;
  }
  /** On drain: what is still to be done. Default: all of a bounded restriction, nothing of an unbounded one. */
  truncate(_element: E, restriction: R): R | undefined {
    return this.isBounded ? restriction : undefined;
  }
  /**
   * What a later run on the same state continues with, when this run has finished the restriction, or is drained
   * before it has (then nothing of `restriction` is done). Default: nothing.
   */
  remainder(_element: E, _restriction: R, _isDone: boolean): R | undefined {
    return undefined;
  }
  /**
   * What this run is to do of a restriction that an earlier run on the same state has left. Default: all of it.
   */
  resumed(_element: E, restriction: R): R | Promise<R> {
    return restriction;
  }
  /**
   * Works until a claim fails or there is nothing to read. Synchronous if possible; a runner can neither split nor
   * see the progress of what does not yield.
   */
  abstract process(
    element: E,
    tracker: RestrictionTracker<R, P>,
    ctx: SplittableContext<O>,
  ): ProcessContinuation | Promise<ProcessContinuation>;
}
