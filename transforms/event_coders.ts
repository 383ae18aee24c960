/**
 * Binary coders of orders and payments: what travels between steps and waits in state.
 *
 *     order   = order_id string | order_date instant | created_at instant | customer_id string | amount zig-zag varint
 *     payment = payment_id string | order_id string | payment_date instant | created_at instant | amount zig-zag varint
 *     instant = 8 bytes, as everywhere in Beam
 *     string  = varint length | UTF-8
 */
import {
  type ByteReader,
  type ByteWriter,
  leafCoder,
  readInstant,
  writeInstant,
} from "@order-payment-stream/beam";

import type { Order, Payment } from "../schemas/events.js";

function writeAmount(amount: number, out: ByteWriter): void {
  out.writeVarint(amount >= 0 ? amount * 2 : -amount * 2 - 1);
}

function readAmount(input: ByteReader): number {
  const zigZag = input.readVarint();
  return zigZag % 2 === 0 ? zigZag / 2 : -(zigZag + 1) / 2;
}

function skipString(input: ByteReader): void {
  input.skip(input.readVarint());
}

export function writeOrder(order: Order, out: ByteWriter): void {
  out.writeString(order.order_id);
  writeInstant(order.order_date, out);
  writeInstant(order.created_at, out);
  out.writeString(order.customer_id);
  writeAmount(order.amount, out);
}

export function readOrder(input: ByteReader): Order {
  return {
    order_id: input.readString(),
    order_date: readInstant(input),
    created_at: readInstant(input),
    customer_id: input.readString(),
    amount: readAmount(input),
  };
}

/** Moves past an order and returns its created_at: nothing is made of it. */
export function skipOrder(input: ByteReader): number {
  skipString(input);
  readInstant(input);
  const created_at = readInstant(input);
  skipString(input);
  input.readVarint();
  return created_at;
}

export function writePayment(payment: Payment, out: ByteWriter): void {
  out.writeString(payment.payment_id);
  out.writeString(payment.order_id);
  writeInstant(payment.payment_date, out);
  writeInstant(payment.created_at, out);
  writeAmount(payment.amount, out);
}

export function readPayment(input: ByteReader): Payment {
  return {
    payment_id: input.readString(),
    order_id: input.readString(),
    payment_date: readInstant(input),
    created_at: readInstant(input),
    amount: readAmount(input),
  };
}

/** As `skipOrder`. */
export function skipPayment(input: ByteReader): number {
  skipString(input);
  skipString(input);
  readInstant(input);
  const created_at = readInstant(input);
  input.readVarint();
  return created_at;
}

export const orderCoder = leafCoder("order-payment-stream:coder:order:v1", writeOrder, readOrder);
export const paymentCoder = leafCoder("order-payment-stream:coder:payment:v1", writePayment, readPayment);
