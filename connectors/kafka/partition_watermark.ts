/**
 * The watermark rule: how far event time has come in one partition.
 *
 * - Behind an event, the watermark is its event time less the disorder that is allowed for.
 * - A partition that is caught up goes on with the clock: whatever is written to it from now on was not there at
 *   `caughtUpAtMs`, so it is no older than that, less the same allowance.
 * - It never goes back, and nothing else moves it: a partition that is paused, disconnected or behind stands still.
 *
 * - Partitions that nobody knows yet hold it back as well, once the look for them is overdue (`watermarkAfterLook`).
 *
 * All times in milliseconds. The watermark of a source is the smallest of its partitions'.
 */
import type { TimestampMs } from "@order-payment-stream/beam";

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

/**
 * What is in a partition that appeared after a look was written after that look, so it is no older, less the allowance.
 * Until the next look is due, though, event time goes on as if there was no such partition: standing still between two
 * looks would delay every expiry, and the interval is a part of the allowance.
 */
export function watermarkAfterLook(
  lookedAtMs: TimestampMs,
  intervalMs: number,
  maxOutOfOrdernessMs: number,
): TimestampMs {
  return Math.floor(lookedAtMs + intervalMs - maxOutOfOrdernessMs);
}
