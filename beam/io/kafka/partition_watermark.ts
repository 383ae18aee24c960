/**
 * The watermark rule: how far event time has come in one partition.
 *
 * - Behind an event, the watermark is its event time less the disorder that is allowed for.
 * - A partition that is caught up goes on with the clock: whatever is written to it from now on was not there at
 *   `caughtUpAtMs`, so it is no older than that, less the same allowance.
 * - It never goes back, and nothing else moves it: a partition that is paused, disconnected or behind stands still.
 *
 * All times in milliseconds. The watermark of a source is the smallest of its partitions'.
 */
import type { TimestampMs } from "../../model/timestamps.js";

export function watermarkAfterEvent(
  watermark: TimestampMs,
  eventTime: TimestampMs,
  maxOutOfOrdernessMs: number,
): TimestampMs {
  const behindEvent = eventTime - maxOutOfOrdernessMs;
  return behindEvent > watermark ? behindEvent : watermark;
}

export function watermarkWhenCaughtUp(
  watermark: TimestampMs,
  caughtUpAtMs: TimestampMs,
  maxOutOfOrdernessMs: number,
): TimestampMs {
  return watermarkAfterEvent(watermark, caughtUpAtMs, maxOutOfOrdernessMs);
}
