/**
 * The timer rule. Every event gets one timer, set once, from its own timestamp; nothing that arrives later moves or
 * cancels it. A payment at exactly expiry is still in time, so the timer fires one millisecond behind it: when the
 * watermark has passed the expiry, and not when it has only reached it.
 *
 * T may change while events wait. It is the present one that decides: a timer that was set by a smaller T fires early,
 * and is set anew for what goes on waiting; one that was set by a larger T reports its event as late as it fires.
 */
import type { Timer } from "../beam/sdk/timer.js";
import type { Order, Payment } from "../schemas/events.js";
import { expiryOf } from "./match.js";

/** Whether a watermark has passed an event's expiry: the event is late, or its time in state is over. */
export function isExpired(event: Order | Payment, watermark: number, timeoutMs: number): boolean {
  return watermark > expiryOf(event, timeoutMs);
}

/** The tag keeps the timers of one order_id apart; events of the same millisecond share one. */
export function setExpiryTimer(timer: Timer, event: Order | Payment, timeoutMs: number): void {
  timer.set(expiryOf(event, timeoutMs) + 1, String(event.created_at));
}

/** Whether the timer that fired at `fireTimestamp` ends the event's time in state. */
export function isExpiredBy(event: Order | Payment, fireTimestamp: number, timeoutMs: number): boolean {
  return expiryOf(event, timeoutMs) < fireTimestamp;
}

/**
 * Whether an event that is left behind a timer has lost its own with it. A state that was written before each timer had
 * a tag holds some without, which may be any event's.
 */
export function hasLostTimer(event: Order | Payment, firedTag: string): boolean {
  return firedTag === "" || firedTag === String(event.created_at);
}
