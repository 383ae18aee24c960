import { GLOBAL_WINDOW_MAX, type TimestampMs } from "./timestamps.js";

/** A window: a finite grouping of event time. Elements are late, and state is dropped, after `maxTimestamp`. */
export interface BoundedWindow {
  /** The last millisecond inside the window. */
  readonly maxTimestamp: TimestampMs;
}

/** The one window that holds all of event time. Encodes to zero bytes. */
export class GlobalWindow implements BoundedWindow {
  static readonly INSTANCE = new GlobalWindow();
  readonly maxTimestamp = GLOBAL_WINDOW_MAX;
  private constructor() {}
  toString(): string {
    return "global window";
  }
}

/** [start, end): fixed, sliding and session windows. */
export class IntervalWindow implements BoundedWindow {
  constructor(
    readonly start: TimestampMs,
    readonly end: TimestampMs,
  ) {}
  get maxTimestamp(): TimestampMs {
    return this.end - 1;
  }
  toString(): string {
    return `[${this.start}, ${this.end})`;
  }
}

/** The window list of nearly every element: shared, so that no array is made for each. */
export const IN_GLOBAL_WINDOW: readonly BoundedWindow[] = Object.freeze([GlobalWindow.INSTANCE]);
