/**
 * The two events of the join. All timestamps are plain numbers, ms since the epoch (UTC), never Date.
 * `created_at` is the event time; the `*_date` fields are business dates and may be backdated.
 */

/** Schema: order.avsc. */
export interface Order {
  order_id: string;
  order_date: number;
  created_at: number;
  customer_id: string;
  amount: number;
}

/** Schema: payment.avsc. */
export interface Payment {
  payment_id: string;
  order_id: string;
  payment_date: number;
  created_at: number;
  amount: number;
}

export type EventKind = "order" | "payment";

/** Which event a kind stands for. */
export interface EventOfKind {
  order: Order;
  payment: Payment;
}
