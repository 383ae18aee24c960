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
import {
  changelogState,
  counter,
  eventTimeTimer,
  type KV,
  registerDoFn,
  type StatefulContext,
  StatefulDoFn,
  type Timer,
  type TimerContext,
} from "@order-payment-stream/beam";

import type { Order, Payment } from "../schemas/events.js";
import type { Kind, Place } from "../schemas/figures.js";
import { type Conflict, recordDeadLetter } from "./dead_letter.js";
import { deadLetterCoder } from "./dead_letter_coder.js";
import { createdAtOf, expiredBefore, isExpired, NO_TAG, setExpiryTimer, tagOf } from "./expiry.js";
import { expiryOf, isPair, isSameOrder, isSamePayment } from "./match.js";
import { pairCoder, unmatchedCoder } from "./outcomes.js";
import type { ReceivedEvent } from "./received_event.js";
import { Expired, waitingLog } from "./waiting.js";
import { WaitingEvent } from "./waiting_events.js";
import { WaitingOverview } from "./waiting_overview.js";

const outputs = { joined: pairCoder, unmatched: unmatchedCoder, deadLetters: deadLetterCoder };
const state = { waiting: changelogState(waitingLog) };
/** Of the expiry of each event, by its kind. */
const timers = { orders: eventTimeTimer(), payments: eventTimeTimer() };

type Outputs = typeof outputs;
type Context = StatefulContext<Outputs, typeof state, typeof timers>;
type ExpiryContext = TimerContext<string, Outputs, typeof state, typeof timers>;

/** What arrived for an order_id. */
export type Arrival =
  | { readonly tag: "orders"; readonly value: ReceivedEvent<Order> }
  | { readonly tag: "payments"; readonly value: ReceivedEvent<Payment> };

/** What one firing of a timer ends at most. */
const EXPIRED_PER_FIRING_MAX = 1_000;

/** So many events of an order_id may wait to be taken out until something is to be said of one of them. */
const FEW = 8;

export type JoinConfig = { readonly timeoutMs: number };

export class JoinOrdersPayments extends StatefulDoFn<
  string,
  Iterable<Arrival>,
  Outputs,
  typeof state,
  typeof timers,
  JoinConfig
> {
  static readonly urn = "order-payment-stream:dofn:join:v1";
  readonly outputs = outputs;
  readonly state = state;
  readonly timers = timers;
  readonly onTimer = {
    orders: (ctx: ExpiryContext) => this.#expire(ctx, true),
    payments: (ctx: ExpiryContext) => this.#expire(ctx, false),
  };
  readonly #timeoutMs = this.config.timeoutMs;
  readonly #overview = new WaitingOverview();

  /** Both sides of the books, in events, but for `joined`, which are pairs. `pending` goes up and down. */
  override readonly metrics = {
    joined: counter(),
    joined_orders: counter(),
    joined_payments: counter(),
    unmatched_orders: counter(),
    unmatched_payments: counter(),
    duplicates_orders: counter(),
    duplicates_payments: counter(),
    dead_letters_orders: counter(),
    dead_letters_payments: counter(),
    pending_orders: counter(),
    pending_payments: counter(),
  } satisfies Readonly<Record<`${Place}_${Kind}` | "joined", unknown>>;

  process({ value: arrivals }: KV<string, Iterable<Arrival>>, ctx: Context): void {
    for (const { tag, value } of arrivals) {
      if (tag === "orders") this.#takeOrder(value, ctx);
      else this.#takePayment(value, ctx);
    }
  }

  #takeOrder(received: ReceivedEvent<Order>, ctx: Context): void {
    const order = received.event;
    const waiting = ctx.state.waiting.read();
    const first = this.#standing(waiting.orders.withId(order.order_id), received);
    if (first !== undefined) {
      if (isSameOrder(first, order)) {
        this.metrics.duplicates_orders.inc();
      } else {
        this.metrics.dead_letters_orders.inc();
        this.#refuse(received, { kind: "order", first, event: order }, ctx);
      }
      return;
    }
    const isFirst = waiting.orders.size === 0;
    const arrived = new WaitingEvent<Order>("order", order, false, this.#timeoutMs, isFirst);
    this.#setTimer(ctx.timers.orders, order, isFirst);
    this.metrics.pending_orders.inc();
    for (const payment of waiting.payments) this.#pairIfMatching(arrived, payment, ctx);
    ctx.state.waiting.add(arrived);
  }

  #takePayment(received: ReceivedEvent<Payment>, ctx: Context): void {
    const payment = received.event;
    const waiting = ctx.state.waiting.read();
    const first = this.#standing(waiting.payments.withId(payment.payment_id), received);
    if (first !== undefined) {
      if (isSamePayment(first, payment)) {
        this.metrics.duplicates_payments.inc();
      } else {
        this.metrics.dead_letters_payments.inc();
        this.#refuse(received, { kind: "payment", first, event: payment }, ctx);
      }
      return;
    }
    const isFirst = waiting.payments.size === 0;
    const arrived = new WaitingEvent<Payment>("payment", payment, false, this.#timeoutMs, isFirst);
    this.#setTimer(ctx.timers.payments, payment, isFirst);
    this.metrics.pending_payments.inc();
    for (const order of waiting.orders) this.#pairIfMatching(order, arrived, ctx, received.timestamp);
    ctx.state.waiting.add(arrived);
  }

  /** The first of its kind needs no tag. */
  #setTimer(expiry: Timer, event: Order | Payment, isFirst: boolean): void {
    setExpiryTimer(expiry, event, this.#timeoutMs, isFirst ? NO_TAG : tagOf(event.created_at));
  }

  /** The first with the newcomer's id that has not expired for it: what is in state longer waits for other partitions. */
  #standing<E extends Order | Payment>(
    firstOfId: WaitingEvent<E> | undefined,
    newcomer: ReceivedEvent<E>,
  ): E | undefined {
    for (let first = firstOfId; first !== undefined; first = first.nextOfId) {
      if (!isExpired(first.event, newcomer.partitionWatermark, this.#timeoutMs)) return first.event;
    }
    return undefined;
  }

  /** @param paymentTimestamp where it is the payment that has just come */
  #pairIfMatching(
    order: WaitingEvent<Order>,
    payment: WaitingEvent<Payment>,
    ctx: Context,
    paymentTimestamp?: number,
  ): void {
    if (!isPair(order.event, payment.event, this.#timeoutMs)) return;
    ctx.emit.joined(
      paymentTimestamp === undefined
        ? { order: order.event, payment: payment.event }
        : { order: order.event, payment: payment.event, paymentTimestamp },
    );
    this.metrics.joined.inc();
    if (!order.isPaired) {
      order.isPaired = true;
      this.metrics.joined_orders.inc();
      this.metrics.pending_orders.inc(-1);
    }
    if (!payment.isPaired) {
      payment.isPaired = true;
      this.metrics.joined_payments.inc();
      this.metrics.pending_payments.inc(-1);
    }
  }

  #refuse(received: ReceivedEvent<Order | Payment>, conflict: Conflict, ctx: Context): void {
    const id = conflict.kind === "order" ? "order_id" : "payment_id";
    const message = `its ${id} belongs to an event with other content that came first`;
    ctx.emit.deadLetters(
      recordDeadLetter({ reason: "CONFLICT", message, conflict }, received.from, received),
    );
  }

  /** @param isOrders it is a timer of an order's */
  #expire(ctx: ExpiryContext, isOrders: boolean): void {
    const { tag, timers } = ctx;
    const expiry = isOrders ? timers.orders : timers.payments;
    const bound = expiredBefore(ctx.fireTimestamp, this.#timeoutMs);
    const overview = this.#overview;
    overview.lookAt(ctx.state.waiting, bound);
    const { firstOrderAt, firstPaymentAt } = overview;
    if (overview.size > 0) this.#keepTimer(expiry, isOrders ? firstOrderAt : firstPaymentAt, bound, tag);
    if (!overview.hasExpired) return;
    // Another's timer may end its time: one of the same millisecond, or one that a smaller T set.
    const isOfFirst = tag === NO_TAG;
    if (firstOrderAt < bound && !(isOfFirst && isOrders)) timers.orders.clear();
    if (firstPaymentAt < bound && !(isOfFirst && !isOrders)) timers.payments.clear();
    if (overview.isNothingToTell) overview.keepOthers(ctx.state.waiting);
    else this.#tellExpired(ctx, bound, expiry);
  }

  /**
   * Where some may be unpaired. A timer of very many events ends some of them, and fires again for the rest: nobody waits
   * long for its bundle.
   */
  #tellExpired(ctx: ExpiryContext, bound: number, expiry: Timer): void {
    const waiting = ctx.state.waiting.read();
    const expired = new Expired(bound, EXPIRED_PER_FIRING_MAX);
    ctx.state.waiting.add(expired, waiting.size <= FEW && waiting.isPairedBefore(bound));
    for (const { kind, event, isPaired } of expired.events) {
      if (isPaired) continue;
      const expiresAt = expiryOf(event, this.#timeoutMs);
      if (kind === "order") {
        ctx.emit.unmatched({ kind, event: event as Order, expiresAt });
        this.metrics.unmatched_orders.inc();
        this.metrics.pending_orders.inc(-1);
      } else {
        ctx.emit.unmatched({ kind, event: event as Payment, expiresAt });
        this.metrics.unmatched_payments.inc();
        this.metrics.pending_payments.inc(-1);
      }
    }
    if (waiting.size === 0) ctx.state.waiting.clear();
    else if (waiting.hasCreatedBefore(bound)) expiry.set(ctx.fireTimestamp, tagOf(bound - 1));
  }

  /**
   * T may have grown since the timer was set: then what it was set for goes on waiting.
   * @param firstAt when the event was created whose timer it is without a tag; NaN: it is gone
   */
  #keepTimer(expiry: Timer, firstAt: number, bound: number, tag: string): void {
    const created_at = createdAtOf(tag) ?? firstAt;
    if (created_at >= bound) setExpiryTimer(expiry, { created_at }, this.#timeoutMs, tag);
  }
}
registerDoFn(JoinOrdersPayments);
