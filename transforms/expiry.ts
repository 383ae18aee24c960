/**
 * The timer rule. Every event gets one timer, set once, from its own timestamp; nothing that arrives later moves or
 * cancels it. A payment at exactly expiry is still in time, so the timer fires one millisecond behind it: when the
 * watermark has passed the expiry, and not when it has only reached it.
 *
 * T may change while events wait. It is the present one that decides: a timer that was set by a smaller T fires early,
 * and is set anew for what goes on waiting; one that was set by a larger T reports its event as late as it fires.
 */
import type { Timer } from "@order-payment-stream/beam";
import type { Order, Payment } from "../schemas/events.js";
import { expiryOf } from "./match.js";

export const NO_TAG = "";

/** Whether a watermark has passed an event's expiry: the event is late, or its time in state is over. */
export function isExpired(event: Order | Payment, watermark: number, timeoutMs: number): boolean {
  return watermark > expiryOf(event, timeoutMs);
}

/**
 * The tag keeps the timers of one order_id and kind apart; events of the same millisecond share one. Nearly every event
 * is the first of its kind, and does without a tag: what waits says whose timer has none.
 */
export function setExpiryTimer(
  timer: Timer,
  event: Pick<Order | Payment, "created_at">,
  timeoutMs: number,
  tag = tagOf(event.created_at),
): void {
  timer.set(expiryOf(event, timeoutMs) + 1, tag);
}

export function tagOf(created_at: number): string {
  return String(created_at);
}

/** The timer that fired at `fireTimestamp` ends the time in state of all events created before this instant. */
export function expiredBefore(fireTimestamp: number, timeoutMs: number): number {
  return Math.ceil(fireTimestamp - timeoutMs);
}

/** When the events were created that a timer with this tag was set for; undefined without a tag. */
export function createdAtOf(tag: string): number | undefined {
  return tag === NO_TAG ? undefined : Number(tag);
}
