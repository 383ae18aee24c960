/**
 * The join. Every event of an order_id waits in state from its arrival to its expiry, whatever happens in between:
 *
 * - An event that repeats the id of one that stands is a duplicate (same content: counted and dropped) or a CONFLICT
 *   (other content: to the dead letters; the first stands).
 * - Any other waits, sets its expiry timer, and is paired with each partner that waits too (match.ts).
 * - When the timer fires, what has expired leaves the state; if it was never paired, it is reported as unmatched.
 *
 * Whether an earlier event still stands is asked of the new event's own partition, not of the join's watermark, which
 * other partitions hold back: so the answer does not depend on how partitions and topics were interleaved.
 */
import type { KV } from "../beam/model/kv.js";
import { type StatefulContext, StatefulDoFn, type TimerContext } from "../beam/sdk/do_fn.js";
import { counter } from "../beam/sdk/metrics.js";
import { registerDoFn } from "../beam/sdk/registry.js";
import { valueState } from "../beam/sdk/state.js";
import { eventTimeTimer } from "../beam/sdk/timer.js";
import type { Order, Payment } from "../schemas/events.js";
import type { Conflict } from "./dead_letter.js";
import { deadLetterCoder } from "./dead_letter_coder.js";
import { hasLostTimer, isExpired, isExpiredBy, setExpiryTimer } from "./expiry.js";
import { expiryOf, isPair, isSameOrder, isSamePayment } from "./match.js";
import { pairCoder, unmatchedCoder } from "./outcomes.js";
import type { ReceivedEvent } from "./received_event.js";
import { isEmpty, type Waiting, type WaitingEvent, waitingCoder } from "./waiting.js";

const outputs = { joined: pairCoder, unmatched: unmatchedCoder, deadLetters: deadLetterCoder };
const state = { waiting: valueState(waitingCoder) };
const timers = { expiry: eventTimeTimer() };

type Outputs = typeof outputs;
type Context = StatefulContext<Outputs, typeof state, typeof timers>;
type ExpiryContext = TimerContext<string, Outputs, typeof state, typeof timers>;

/** What arrived for one order_id. */
export interface Arrivals {
  readonly orders: readonly ReceivedEvent<Order>[];
  readonly payments: readonly ReceivedEvent<Payment>[];
}

export type JoinConfig = { readonly timeoutMs: number };

export class JoinOrdersPayments extends StatefulDoFn<
  string,
  Arrivals,
  Outputs,
  typeof state,
  typeof timers,
  JoinConfig
> {
  static readonly urn = "order-payment-stream:dofn:join:v1";
  readonly outputs = outputs;
  readonly state = state;
  readonly timers = timers;
  readonly onTimer = { expiry: (ctx: ExpiryContext) => this.#expire(ctx) };
  readonly #timeoutMs = this.config.timeoutMs;

  /** Both sides of the books, in events, but for `pairs`. `waiting` goes up and down. */
  override readonly metrics = {
    pairs: counter(),
    paired_orders: counter(),
    paired_payments: counter(),
    unmatched_orders: counter(),
    unmatched_payments: counter(),
    duplicate_orders: counter(),
    duplicate_payments: counter(),
    conflict_orders: counter(),
    conflict_payments: counter(),
    waiting_orders: counter(),
    waiting_payments: counter(),
  };

  process({ value }: KV<string, Arrivals>, ctx: Context): void {
    const waiting = ctx.state.waiting.read() ?? { orders: [], payments: [] };
    let hasChanged = false;
    for (const order of value.orders) hasChanged = this.#takeOrder(order, waiting, ctx) || hasChanged;
    for (const payment of value.payments) hasChanged = this.#takePayment(payment, waiting, ctx) || hasChanged;
    if (hasChanged) ctx.state.waiting.write(waiting);
  }

  /** True when the order waits now. */
  #takeOrder(received: ReceivedEvent<Order>, waiting: Waiting, ctx: Context): boolean {
    const order = received.event;
    for (const { event: first } of waiting.orders) {
      if (!this.#stands(first, received)) continue;
      if (isSameOrder(first, order)) {
        this.metrics.duplicate_orders.inc();
      } else {
        this.metrics.conflict_orders.inc();
        this.#refuse(received, { kind: "order", first, event: order }, ctx);
      }
      return false;
    }
    const arrived: WaitingEvent<Order> = { event: order, isPaired: false };
    setExpiryTimer(ctx.timers.expiry, order, this.#timeoutMs);
    waiting.orders.push(arrived);
    this.metrics.waiting_orders.inc();
    for (const payment of waiting.payments) this.#pairIfMatching(arrived, payment, ctx);
    return true;
  }

  /** True when the payment waits now. */
  #takePayment(received: ReceivedEvent<Payment>, waiting: Waiting, ctx: Context): boolean {
    const payment = received.event;
    for (const { event: first } of waiting.payments) {
      if (first.payment_id !== payment.payment_id || !this.#stands(first, received)) continue;
      if (isSamePayment(first, payment)) {
        this.metrics.duplicate_payments.inc();
      } else {
        this.metrics.conflict_payments.inc();
        this.#refuse(received, { kind: "payment", first, event: payment }, ctx);
      }
      return false;
    }
    const arrived: WaitingEvent<Payment> = { event: payment, isPaired: false };
    setExpiryTimer(ctx.timers.expiry, payment, this.#timeoutMs);
    waiting.payments.push(arrived);
    this.metrics.waiting_payments.inc();
    for (const order of waiting.orders) this.#pairIfMatching(order, arrived, ctx);
    return true;
  }

  /** Whether an event in state has not expired for a newcomer: what is in state longer waits for other partitions. */
  #stands(first: Order | Payment, newcomer: ReceivedEvent<Order | Payment>): boolean {
    return !isExpired(first, newcomer.partitionWatermark, this.#timeoutMs);
  }

  #pairIfMatching(order: WaitingEvent<Order>, payment: WaitingEvent<Payment>, ctx: Context): void {
    if (!isPair(order.event, payment.event, this.#timeoutMs)) return;
    ctx.emit.joined({ order: order.event, payment: payment.event });
    this.metrics.pairs.inc();
    if (!order.isPaired) {
      order.isPaired = true;
      this.metrics.paired_orders.inc();
      this.metrics.waiting_orders.inc(-1);
    }
    if (!payment.isPaired) {
      payment.isPaired = true;
      this.metrics.paired_payments.inc();
      this.metrics.waiting_payments.inc(-1);
    }
  }

  #refuse(received: ReceivedEvent<Order | Payment>, conflict: Conflict, ctx: Context): void {
    const id = conflict.kind === "order" ? "order_id" : "payment_id";
    ctx.emit.deadLetters({
      reason: "CONFLICT",
      message: `its ${id} belongs to an event with other content that came first`,
      topic: received.from.topic,
      partition: received.from.partition,
      offset: received.offset,
      log: received.from.log,
      timestamp: received.timestamp,
      key: received.key,
      value: received.value,
      conflict,
    });
  }

  #expire(ctx: ExpiryContext): void {
    const waiting = ctx.state.waiting.read();
    if (waiting === undefined) return;
    const left: Waiting = { orders: [], payments: [] };
    for (const order of waiting.orders) {
      const { event, isPaired } = order;
      if (!isExpiredBy(event, ctx.fireTimestamp, this.#timeoutMs)) {
        left.orders.push(order);
        this.#keepTimer(event, ctx);
      } else if (!isPaired) {
        ctx.emit.unmatched({ kind: "order", event, expiresAt: expiryOf(event, this.#timeoutMs) });
        this.metrics.unmatched_orders.inc();
        this.metrics.waiting_orders.inc(-1);
      }
    }
    for (const payment of waiting.payments) {
      const { event, isPaired } = payment;
      if (!isExpiredBy(event, ctx.fireTimestamp, this.#timeoutMs)) {
        left.payments.push(payment);
        this.#keepTimer(event, ctx);
      } else if (!isPaired) {
        ctx.emit.unmatched({ kind: "payment", event, expiresAt: expiryOf(event, this.#timeoutMs) });
        this.metrics.unmatched_payments.inc();
        this.metrics.waiting_payments.inc(-1);
      }
    }
    if (isEmpty(left)) ctx.state.waiting.clear();
    else ctx.state.waiting.write(left);
  }

  /** T has grown since the timer was set. */
  #keepTimer(event: Order | Payment, ctx: ExpiryContext): void {
    if (hasLostTimer(event, ctx.tag)) setExpiryTimer(ctx.timers.expiry, event, this.#timeoutMs);
  }
}
registerDoFn(JoinOrdersPayments);
