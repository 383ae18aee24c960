/**
 * The timer rule. Every event gets one timer, set once, from its own timestamp; nothing that arrives later moves or
 * cancels it. A payment at exactly expiry is still in time, so the timer fires one millisecond behind it: when the
 * watermark has passed the expiry, and not when it has only reached it.
 */
import type { Timer } from "../beam/sdk/timer.js";
import type { Order, Payment } from "../schemas/events.js";
import { expiryOf } from "./match.js";

/** Whether a watermark has passed an event's expiry: the event is late, or its time in state is over. */
export function isExpired(event: Order | Payment, watermark: number, timeoutMs: number): boolean {
  return watermark > expiryOf(event, timeoutMs);
}

/**
 * The tag keeps the timers of one order_id apart; those that expire in the same millisecond share one. An event that
 * waits alone needs no tag: whatever used the untagged timer before it has expired, and the timer with it.
 */
export function setExpiryTimer(
  timer: Timer,
  event: Order | Payment,
  isAlone: boolean,
  timeoutMs: number,
): void {
  timer.set(expiryOf(event, timeoutMs) + 1, isAlone ? "" : String(event.created_at));
}

/** The timer that fired at `fireTimestamp` ends the time in state of all events created before this instant. */
export function expiredBefore(fireTimestamp: number, timeoutMs: number): number {
  return Math.ceil(fireTimestamp - timeoutMs);
}
