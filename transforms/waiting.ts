/**
 * The events of one order_id that wait in state until their expiry, paired ones too: a later payment may still find
 * its order, and a duplicate must still meet its original. Stored as what waited at some time, and each change since:
 * an arrival that pairs says so for its partners as well, so nothing that is stored is ever rewritten for a flag.
 *
 *     waiting = varint count | count × ( flags u8 | event )             flags: 1 = payment, 2 = paired
 *     change  = 0 | order          | 2 | order | varint reach           2, 3: it was paired when it came, with all
 *             | 1 | payment        | 3 | payment | varint reach         that waited within reach, ms
 *             | 4 | instant bound | varint count                        the first events before the bound have expired
 *
 * Invariants
 * - What is stored, read from its beginning, gives what `read` of the cell gives: the same events with the same flags.
 * - The events that a change 4 takes depend on nothing but what waits: the earliest first, orders before payments.
 */
import {
  type ByteReader,
  type ByteWriter,
  type Changelog,
  CorruptBytesError,
  readInstant,
  writeInstant,
} from "@order-payment-stream/beam";

import type { Order, Payment } from "../schemas/events.js";
import { leafCoder, readOrder, readPayment, writeOrder, writePayment } from "./event_coders.js";
import { isWithin } from "./match.js";
import { WaitingEvent, WaitingEvents } from "./waiting_events.js";

export class Waiting {
  readonly orders = new WaitingEvents<Order>((order) => order.order_id);
  readonly payments = new WaitingEvents<Payment>((payment) => payment.payment_id);

  get size(): number {
    return this.orders.size + this.payments.size;
  }

  hasCreatedBefore(bound: number): boolean {
    return this.orders.hasCreatedBefore(bound) || this.payments.hasCreatedBefore(bound);
  }
}

/** Events whose time in state is over; `events` is filled when the change is applied. */
export class Expired {
  readonly kind = "expired";
  readonly events: WaitingEvent<Order | Payment>[] = [];

  /** @param createdBefore which are meant @param countMax how many of them at most */
  constructor(
    readonly createdBefore: number,
    readonly countMax: number,
  ) {}
}

export type WaitingChange = WaitingEvent<Order> | WaitingEvent<Payment> | Expired;

const PAYMENT = 1;
const PAIRED = 2;
const EXPIRED = 4;

export const waitingCoder = leafCoder<Waiting>(
  "order-payment-stream:coder:waiting:v1",
  ({ orders, payments }: Waiting, out: ByteWriter) => {
    out.writeVarint(orders.size + payments.size);
    for (const { event, isPaired } of orders) {
      out.writeByte(isPaired ? PAIRED : 0);
      writeOrder(event, out);
    }
    for (const { event, isPaired } of payments) {
      out.writeByte(isPaired ? PAYMENT | PAIRED : PAYMENT);
      writePayment(event, out);
    }
  },
  (input: ByteReader) => {
    const waiting = new Waiting();
    for (let left = input.readVarint(); left > 0; left--) {
      const flags = input.readByte();
      if (flags > (PAYMENT | PAIRED)) throw new CorruptBytesError(`flags ${flags} of a waiting event`);
      const isPaired = (flags & PAIRED) !== 0;
      if ((flags & PAYMENT) === 0) {
        waiting.orders.add(new WaitingEvent("order", readOrder(input), isPaired, 0));
      } else {
        waiting.payments.add(new WaitingEvent("payment", readPayment(input), isPaired, 0));
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
    const paired = change.isPaired ? PAIRED : 0;
    if (change.kind === "order") {
      out.writeByte(paired);
      writeOrder(change.event, out);
    } else {
      out.writeByte(paired | PAYMENT);
      writePayment(change.event, out);
    }
    // Times are whole milliseconds, so what is less than one decides nothing.
    if (change.isPaired) out.writeVarint(Math.floor(change.reachMs));
  },
  (input: ByteReader) => {
    const flags = input.readByte();
    if (flags === EXPIRED) return new Expired(readInstant(input), input.readVarint());
    if (flags > (PAYMENT | PAIRED)) throw new CorruptBytesError(`a change ${flags} of waiting events`);
    const isPaired = (flags & PAIRED) !== 0;
    if ((flags & PAYMENT) === 0) {
      const order = readOrder(input);
      return new WaitingEvent("order", order, isPaired, isPaired ? input.readVarint() : 0);
    }
    const payment = readPayment(input);
    return new WaitingEvent("payment", payment, isPaired, isPaired ? input.readVarint() : 0);
  },
);

export const waitingLog: Changelog<Waiting, WaitingChange> = {
  coder: waitingCoder,
  changeCoder: waitingChangeCoder,
  create: () => new Waiting(),
  apply(waiting, change) {
    switch (change.kind) {
      case "order":
        if (change.isPaired) markPaired(waiting.payments, change);
        waiting.orders.add(change);
        break;
      case "payment":
        if (change.isPaired) markPaired(waiting.orders, change);
        waiting.payments.add(change);
        break;
      case "expired":
        waiting.orders.take(change.createdBefore, change.countMax, change.events);
        waiting.payments.take(change.createdBefore, change.countMax, change.events);
    }
  },
  sizeOf: (waiting) => waiting.size,
};

function markPaired(
  others: WaitingEvents<Order> | WaitingEvents<Payment>,
  { event, reachMs }: WaitingEvent<any>,
): void {
  for (const other of others) {
    if (!other.isPaired && isWithin(event, other.event, reachMs)) other.isPaired = true;
  }
}
