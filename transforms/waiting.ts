/**
 * The events of one order_id that wait in state until their expiry, paired ones too: a later payment may still find
 * its order, and a duplicate must still meet its original.
 *
 *     varint count | count × ( flags u8 | order or payment )        flags: 1 = payment, 2 = paired
 */
import { type ByteReader, type ByteWriter, CorruptBytesError } from "@order-payment-stream/beam";
import type { Order, Payment } from "../schemas/events.js";
import { leafCoder, readOrder, readPayment, writeOrder, writePayment } from "./event_coders.js";

export interface WaitingEvent<E> {
  readonly event: E;
  isPaired: boolean;
}

export interface Waiting {
  orders: WaitingEvent<Order>[];
  payments: WaitingEvent<Payment>[];
}

export function isEmpty({ orders, payments }: Waiting): boolean {
  return orders.length + payments.length === 0;
}

const PAYMENT = 1;
const PAIRED = 2;

export const waitingCoder = leafCoder<Waiting>(
  "order-payment-stream:coder:waiting:v1",
  ({ orders, payments }: Waiting, out: ByteWriter) => {
    out.writeVarint(orders.length + payments.length);
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
    const waiting: Waiting = { orders: [], payments: [] };
    for (let left = input.readVarint(); left > 0; left--) {
      const flags = input.readByte();
      if (flags > (PAYMENT | PAIRED)) throw new CorruptBytesError(`flags ${flags} of a waiting event`);
      const isPaired = (flags & PAIRED) !== 0;
      if ((flags & PAYMENT) === 0) waiting.orders.push({ event: readOrder(input), isPaired });
      else waiting.payments.push({ event: readPayment(input), isPaired });
    }
    return waiting;
  },
);
