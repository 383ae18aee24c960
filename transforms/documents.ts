/**
 * The documents of the joined and the unmatched collection, as pure functions of the events.
 *
 * A document's `_id` encodes the whole content of the events behind it, so that a repeated write meets itself and
 * two different outcomes never meet. That is more than the joined document shows: the payment's created_at is in
 * the `_id` only.
 */
import type { Order, Payment } from "../schemas/events.js";

/** `created_at` is the order's. Dates are BSON Dates, amounts are int32. */
export interface JoinedDocument {
  readonly _id: string;
  readonly order_id: string;
  readonly order_date: Date;
  readonly created_at: Date;
  readonly customer_id: string;
  readonly order_amount: number;
  readonly payment_id: string;
  readonly payment_date: Date;
  readonly payment_amount: number;
}

export interface UnmatchedOrderDocument {
  readonly _id: string;
  readonly order_id: string;
  readonly order_date: Date;
  readonly created_at: Date;
  readonly customer_id: string;
  readonly amount: number;
  readonly kind: "order";
  readonly reason: "UNPAID";
  readonly expires_at: Date;
}

export interface UnmatchedPaymentDocument {
  readonly _id: string;
  readonly payment_id: string;
  readonly order_id: string;
  readonly payment_date: Date;
  readonly created_at: Date;
  readonly amount: number;
  readonly kind: "payment";
  readonly reason: "NO_ORDER";
  readonly expires_at: Date;
}

export type UnmatchedDocument = UnmatchedOrderDocument | UnmatchedPaymentDocument;
export type UnmatchedReason = UnmatchedDocument["reason"];

/** The last instant of a JS Date, ms. */
const DATE_MAX_MS = 8.64e15;

/** A pair's document. Both events carry the same order_id. */
export function joinedDocument(order: Order, payment: Payment): JoinedDocument {
  return {
    _id: joinedId(order, payment),
    order_id: order.order_id,
    order_date: new Date(order.order_date),
    created_at: new Date(order.created_at),
    customer_id: order.customer_id,
    order_amount: order.amount,
    payment_id: payment.payment_id,
    payment_date: new Date(payment.payment_date),
    payment_amount: payment.amount,
  };
}

/** The document of an event that found no partner until `expiresAtMs` (its created_at + T). */
export function unmatchedDocument(
  kind: "order",
  event: Order,
  reason: "UNPAID",
  expiresAtMs: number,
): UnmatchedOrderDocument;
export function unmatchedDocument(
  kind: "payment",
  event: Payment,
  reason: "NO_ORDER",
  expiresAtMs: number,
): UnmatchedPaymentDocument;
export function unmatchedDocument(
  kind: "order" | "payment",
  event: Order | Payment,
  reason: UnmatchedReason,
  expiresAtMs: number,
): UnmatchedDocument {
  // An expiry in the last T before the end of time is no Date; BSON would silently write 1970.
  const expiresAt = new Date(Math.min(expiresAtMs, DATE_MAX_MS));
  if (kind === "order") {
    const order = event as Order;
    return {
      _id: unmatchedOrderId(order, expiresAtMs),
      order_id: order.order_id,
      order_date: new Date(order.order_date),
      created_at: new Date(order.created_at),
      customer_id: order.customer_id,
      amount: order.amount,
      kind,
      reason: reason as "UNPAID",
      expires_at: expiresAt,
    };
  }
  const payment = event as Payment;
  return {
    _id: unmatchedPaymentId(payment, expiresAtMs),
    payment_id: payment.payment_id,
    order_id: payment.order_id,
    payment_date: new Date(payment.payment_date),
    created_at: new Date(payment.created_at),
    amount: payment.amount,
    kind,
    reason: reason as "NO_ORDER",
    expires_at: expiresAt,
  };
}

/** Whether a pair's document is of the very event that an unmatched document says has found none. */
export function isPairOf(pair: JoinedDocument, unmatched: UnmatchedDocument): boolean {
  if (pair.order_id !== unmatched.order_id) return false;
  if (unmatched.kind === "order") {
    return (
      pair.customer_id === unmatched.customer_id &&
      pair.order_amount === unmatched.amount &&
      pair.order_date.getTime() === unmatched.order_date.getTime() &&
      pair.created_at.getTime() === unmatched.created_at.getTime()
    );
  }
  // The payment's created_at is in the id only: pair and payment must have all that the id ends with in common.
  const { order_id, payment_id, payment_date, created_at, amount } = unmatched;
  return (
    pair.payment_id === payment_id &&
    pair._id.endsWith(pairIdEnd(order_id, payment_id, payment_date, created_at, amount))
  );
}

function pairIdEnd(
  orderId: string,
  paymentId: string,
  paymentDate: Date,
  createdAt: Date,
  amount: number,
): string {
  return `:${paymentDate.getTime()}:${createdAt.getTime()}:${amount}:${orderId.length}:${paymentId.length}`;
}

// The grammar of every `_id` here, n being integers in decimal:
//
//   text {":" text} {":" n}           each kind of document has a fixed count of texts and of numbers
//
// and the numbers end with the lengths of all texts but the last. It is injective: numbers hold no ":", so they
// can be read from the right whatever the texts hold, and the lengths then cut the texts apart. Texts are well
// formed (the decoders refuse lone surrogates), so that UTF-8 keeps them apart as well. The texts come first to
// keep the documents of one order together in the index and to be found by eye.

function joinedId(order: Order, payment: Payment): string {
  const { order_id, customer_id } = order;
  const { payment_id } = payment;
  return `${order_id}:${payment_id}:${customer_id}:${order.order_date}:${order.created_at}:${order.amount}:${payment.payment_date}:${payment.created_at}:${payment.amount}:${order_id.length}:${payment_id.length}`;
}

/** The kind as a last part keeps orders and payments apart: the collection holds both. */
function unmatchedOrderId(order: Order, expiresAtMs: number): string {
  const { order_id, customer_id } = order;
  return `${order_id}:${customer_id}:${order.order_date}:${order.created_at}:${order.amount}:${expiresAtMs}:${order_id.length}:order`;
}

function unmatchedPaymentId(payment: Payment, expiresAtMs: number): string {
  const { order_id, payment_id } = payment;
  return `${order_id}:${payment_id}:${payment.payment_date}:${payment.created_at}:${payment.amount}:${expiresAtMs}:${order_id.length}:payment`;
}
