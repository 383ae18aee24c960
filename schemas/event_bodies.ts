/** The bodies of Avro values in our own two schemas, and what an event must be, whoever wrote it and in which schema. */
import { AvroReader } from "./avro_reader.js";
import type { Order, Payment } from "./events.js";
import { TIMESTAMP_MAX_MS } from "./iso_timestamp.js";
import { invalid, type Malformed } from "./malformed.js";
import { otherUnit } from "./time_unit.js";

/** Decodes `buffer[start, end)`, which must lie inside the buffer. The result keeps no reference to it. */
export type EventDecoder<T> = (buffer: Buffer, start: number, end: number) => T | Malformed;

const reader = new AvroReader();

export const orderFromAvro: EventDecoder<Order> = (buffer, start, end) => {
  reader.reset(buffer, start, end);
  const order_id = reader.string("order_id");
  const order_date = reader.long("order_date");
  const created_at = reader.long("created_at");
  const customer_id = reader.string("customer_id");
  const amount = reader.int("amount");
  return reader.finish() ?? checkedOrder({ order_id, order_date, created_at, customer_id, amount });
};

export const paymentFromAvro: EventDecoder<Payment> = (buffer, start, end) => {
  reader.reset(buffer, start, end);
  const payment_id = reader.string("payment_id");
  const order_id = reader.string("order_id");
  const payment_date = reader.long("payment_date");
  const created_at = reader.long("created_at");
  const amount = reader.int("amount");
  return reader.finish() ?? checkedPayment({ payment_id, order_id, payment_date, created_at, amount });
};

export function checkedOrder(order: Order): Order | Malformed {
  if (order.order_id.length === 0) return invalid("order_id", "is empty");
  if (!isTimestamp(order.order_date)) return outOfRange("order_date", order.order_date);
  if (!isTimestamp(order.created_at)) return outOfRange("created_at", order.created_at);
  return order;
}

export function checkedPayment(payment: Payment): Payment | Malformed {
  if (payment.payment_id.length === 0) return invalid("payment_id", "is empty");
  if (payment.order_id.length === 0) return invalid("order_id", "is empty");
  if (!isTimestamp(payment.payment_date)) return outOfRange("payment_date", payment.payment_date);
  if (!isTimestamp(payment.created_at)) return outOfRange("created_at", payment.created_at);
  return payment;
}

function isTimestamp(value: number): boolean {
  return value >= -TIMESTAMP_MAX_MS && value <= TIMESTAMP_MAX_MS;
}

function outOfRange(field: string, value: number): Malformed {
  const unit = otherUnit(value);
  const hint = unit === "" ? "" : `; ${unit}`;
  return invalid(field, `is ${value} ms since the epoch, which no date can hold${hint}`);
}
