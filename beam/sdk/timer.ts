/**
 * The timers that a StatefulDoFn can declare, and what it sees of them. A timer is known by key, window, family (its
 * declared name) and tag; setting it again replaces it. Source: beam_runner_api.proto, TimerFamilySpec.
 */
import type { TimestampMs } from "../model/timestamps.js";

/** A declared timer, for the key and window at hand. */
export interface Timer {
  /**
   * Fires once, when the input watermark (event time) or the clock (processing time) has reached `fireAt`.
   *
   * @param tag distinguishes several timers of one family and key
   * @param outputTimestamp event time of what the callback emits; holds the output watermark until then. Default:
   *   `fireAt` for an event-time timer, the current element's timestamp for a processing-time timer.
   */
  set(fireAt: TimestampMs, tag?: string, outputTimestamp?: TimestampMs): void;
  clear(tag?: string): void;
}

/** A declared timer family. */
export interface TimerSpec {
  readonly kind: "timer";
  readonly timeDomain: "event" | "processing";
}
/** The timers of a StatefulDoFn, by name. */
export type TimerSpecs = Readonly<Record<string, TimerSpec>>;
/** The timers at hand, by name. */
export type Timers<T extends TimerSpecs> = { readonly [N in keyof T]: Timer };

/** Fires when the watermark has reached its time, even without traffic. */
export function eventTimeTimer(): TimerSpec {
  return { kind: "timer", timeDomain: "event" };
}

/** Fires by the clock. */
export function processingTimeTimer(): TimerSpec {
  return { kind: "timer", timeDomain: "processing" };
}
