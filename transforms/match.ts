/**
 * The match rule, and what it means that an event repeats another. Pure functions of events; T is the timeout, ms.
 */
import type { Order, Payment } from "../schemas/events.js";

/** An order and a payment are a pair when they have one order_id and lie no more than T apart, bounds included. */
export function isPair(order: Order, payment: Payment, timeoutMs: number): boolean {
  return order.order_id === payment.order_id && Math.abs(order.created_at - payment.created_at) <= timeoutMs;
}

/** The last instant at which an event can still find a partner. */
export function expiryOf(event: Pick<Order | Payment, "created_at">, timeoutMs: number): number {
  return event.created_at + timeoutMs;
}

/** Whether an event that repeats another's id repeats its content as well: a duplicate, not a conflict. */
export function isSameOrder(a: Order, b: Order): boolean {
  return (
    a.order_id === b.order_id &&
    a.order_date === b.order_date &&
    a.created_at === b.created_at &&
    a.customer_id === b.customer_id &&
    a.amount === b.amount
  );
}

export function isSamePayment(a: Payment, b: Payment): boolean {
  return (
    a.payment_id === b.payment_id &&
    a.order_id === b.order_id &&
    a.payment_date === b.payment_date &&
    a.created_at === b.created_at &&
    a.amount === b.amount
  );
}
