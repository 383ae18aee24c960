import type { PaneInfo } from "./pane.js";
import type { TimestampMs } from "./timestamps.js";
import type { BoundedWindow } from "./windows.js";

/** What a timer goes by: event time, or the wall clock. */
export type TimeDomain = "event" | "processing";

/** So many families of a DoFn may be kept beside a cell: a flag of each, and one of the state, share a byte. */
export const TIMED_FAMILIES_MAX = 6;

interface TimerIdentity<K> {
  readonly key: K;
  /** Tells apart the timers of one family; "" when only one is used. */
  readonly tag: string;
  readonly windows: readonly BoundedWindow[];
}

/** Takes back a timer, also one that an earlier bundle set. */
export interface TimerClear<K> extends TimerIdentity<K> {
  readonly clear: true;
}

/** Sets a timer, or tells that it fired. A timer with the same key, tag and window is replaced. */
export interface TimerSet<K> extends TimerIdentity<K> {
  readonly clear: false;
  /** When to fire: event time or wall clock, as the timer's family says. */
  readonly fireTimestamp: TimestampMs;
  /** Always event time: the output watermark is held here until the timer fires, and outputs carry it. */
  readonly holdTimestamp: TimestampMs;
  readonly pane: PaneInfo;
}

/** One timer of a family, as it travels between runner and SDK. Source: beam_runner_api.proto, StandardCoders TIMER. */
export type TimerElement<K> = TimerClear<K> | TimerSet<K>;
