/**
 * The events of one order_id that wait in state until their expiry, paired ones too: a later payment may still find
 * its order, and a duplicate must still meet its original. Stored as what waited at some time and, for a large key,
 * each change since: an arrival that pairs says so for its partners as well, so what is stored is not rewritten for a flag.
 *
 *     waiting = varint count | count × ( flags u8 | event )    flags: 1 = payment, 2 = paired, 8 = came first
 *     change  = flags u8 | event                               it was not paired when it came
 *             | flags u8 | event | varint reach                it was, with all that waited and match, T being reach, ms
 *             | 4 | instant bound | varint count               the first events before the bound have expired
 *
 * Invariants
 * - What is stored, read from its beginning, gives what `read` of the cell gives: the same events with the same flags.
 * - One event of each kind that came first waits at most.
 * - The events that a change 4 takes depend on nothing but what waits: the earliest first, orders before payments.
 */
import {
  type ByteReader,
  type ByteWriter,
  type Changelog,
  CorruptBytesError,
  leafCoder,
  readInstant,
  writeInstant,
} from "@order-payment-stream/beam";

import type { Order, Payment } from "../schemas/events.js";
import { readOrder, readPayment, writeOrder, writePayment } from "./event_coders.js";
import { isPair } from "./match.js";
import { WaitingEvent, WaitingEvents } from "./waiting_events.js";

const orderIdOf = (order: Order): string => order.order_id;
const paymentIdOf = (payment: Payment): string => payment.payment_id;

/** Never added to: most keys have events of one kind. What is read for each element allocates little. */
const NO_ORDERS = new WaitingEvents<Order>(orderIdOf);
const NO_PAYMENTS = new WaitingEvents<Payment>(paymentIdOf);

/** How others see them: what comes is added to all that waits. */
type ReadonlyEvents<E extends Order | Payment> = Omit<WaitingEvents<E>, "add" | "take">;

export class Waiting {
  #orders = NO_ORDERS;
  #payments = NO_PAYMENTS;

  get orders(): ReadonlyEvents<Order> {
    return this.#orders;
  }

  get payments(): ReadonlyEvents<Payment> {
    return this.#payments;
  }

  /** For whoever shows what is in state. */
  toJSON(): unknown {
    return { orders: this.#orders, payments: this.#payments };
  }

  get size(): number {
    return this.#orders.size + this.#payments.size;
  }

  addOrder(order: WaitingEvent<Order>): void {
    if (this.#orders === NO_ORDERS) this.#orders = new WaitingEvents(orderIdOf);
    this.#orders.add(order);
  }

  addPayment(payment: WaitingEvent<Payment>): void {
    if (this.#payments === NO_PAYMENTS) this.#payments = new WaitingEvents(paymentIdOf);
    this.#payments.add(payment);
  }

  /** Takes out what has expired. */
  take(expired: Expired): void {
    const { createdBefore, countMax } = expired;
    const orders = this.#orders.take(createdBefore, countMax);
    const payments = this.#payments.take(createdBefore, countMax - orders.length);
    expired.events =
      orders.length === 0 ? payments : payments.length === 0 ? orders : [...orders, ...payments];
  }

  /** Whether nobody misses those created before `bound`: nothing is told of a paired one any more. */
  isPairedBefore(bound: number): boolean {
    return this.orders.isPairedBefore(bound) && this.payments.isPairedBefore(bound);
  }

  hasCreatedBefore(bound: number): boolean {
    return this.#orders.hasCreatedBefore(bound) || this.#payments.hasCreatedBefore(bound);
  }
}

const NO_EVENTS: readonly WaitingEvent<any>[] = [];

/** Events whose time in state is over; `events` is known when the change was applied. */
export class Expired {
  readonly kind = "expired";
  events: readonly WaitingEvent<any>[] = NO_EVENTS;

  /** @param createdBefore which are meant @param countMax how many of them at most */
  constructor(
    readonly createdBefore: number,
    readonly countMax: number,
  ) {}
}

export type WaitingChange = WaitingEvent<Order> | WaitingEvent<Payment> | Expired;

export const PAYMENT = 1;
export const PAIRED = 2;
const EXPIRED = 4;
export const FIRST = 8;
const FLAGS = PAYMENT | PAIRED | FIRST;

function flagsOf({ isPaired, cameFirst }: WaitingEvent<any>): number {
  return (isPaired ? PAIRED : 0) | (cameFirst ? FIRST : 0);
}

/** Of an event that waits. */
export function readFlags(input: ByteReader): number {
  const flags = input.readByte();
  if ((flags & ~FLAGS) !== 0) throw new CorruptBytesError(`flags ${flags} of a waiting event`);
  return flags;
}

export const waitingCoder = leafCoder<Waiting>(
  "order-payment-stream:coder:waiting:v1",
  ({ orders, payments }: Waiting, out: ByteWriter) => {
    out.writeVarint(orders.size + payments.size);
    for (const order of orders) {
      out.writeByte(flagsOf(order));
      writeOrder(order.event, out);
    }
    for (const payment of payments) {
      out.writeByte(flagsOf(payment) | PAYMENT);
      writePayment(payment.event, out);
    }
  },
  (input: ByteReader) => {
    const waiting = new Waiting();
    for (let left = input.readVarint(); left > 0; left--) {
      const flags = readFlags(input);
      const isPaired = (flags & PAIRED) !== 0;
      const cameFirst = (flags & FIRST) !== 0;
      if ((flags & PAYMENT) === 0) {
        waiting.addOrder(new WaitingEvent("order", readOrder(input), isPaired, 0, cameFirst));
      } else {
        waiting.addPayment(new WaitingEvent("payment", readPayment(input), isPaired, 0, cameFirst));
      }
    }
    return waiting;
  },
);

export const waitingChangeCoder = leafCoder<WaitingChange>(
  "order-payment-stream:coder:waiting-change:v1",
  (change: WaitingChange, out: ByteWriter) => {
    if (change.kind === "expired") {
      out.writeByte(EXPIRED);
      writeInstant(change.createdBefore, out);
      out.writeVarint(change.events.length);
      return;
    }
    if (change.kind === "order") {
      out.writeByte(flagsOf(change));
      writeOrder(change.event, out);
    } else {
      out.writeByte(flagsOf(change) | PAYMENT);
      writePayment(change.event, out);
    }
    // Times are whole milliseconds, so what is less than one decides nothing.
    if (change.isPaired) out.writeVarint(Math.floor(change.reachMs));
  },
  (input: ByteReader) => {
    const flags = input.readByte();
    if (flags === EXPIRED) return new Expired(readInstant(input), input.readVarint());
    if ((flags & ~FLAGS) !== 0) throw new CorruptBytesError(`a change ${flags} of waiting events`);
    const isPaired = (flags & PAIRED) !== 0;
    const cameFirst = (flags & FIRST) !== 0;
    if ((flags & PAYMENT) === 0) {
      const order = readOrder(input);
      return new WaitingEvent("order", order, isPaired, isPaired ? input.readVarint() : 0, cameFirst);
    }
    const payment = readPayment(input);
    return new WaitingEvent("payment", payment, isPaired, isPaired ? input.readVarint() : 0, cameFirst);
  },
);

export const waitingLog: Changelog<Waiting, WaitingChange> = {
  coder: waitingCoder,
  changeCoder: waitingChangeCoder,
  create: () => new Waiting(),
  apply(waiting, change) {
    switch (change.kind) {
      case "order":
        if (change.isPaired) pairOrder(change, waiting.payments);
        waiting.addOrder(change);
        break;
      case "payment":
        if (change.isPaired) pairPayment(change, waiting.orders);
        waiting.addPayment(change);
        break;
      case "expired":
        waiting.take(change);
    }
  },
  sizeOf: (waiting) => waiting.size,
};

function pairOrder({ event, reachMs }: WaitingEvent<Order>, payments: ReadonlyEvents<Payment>): void {
  for (const payment of payments) payment.isPaired ||= isPair(event, payment.event, reachMs);
}

function pairPayment({ event, reachMs }: WaitingEvent<Payment>, orders: ReadonlyEvents<Order>): void {
  for (const order of orders) order.isPaired ||= isPair(order.event, event, reachMs);
}
