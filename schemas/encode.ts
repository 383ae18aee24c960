/**
 * From events to the bytes of Kafka values: the exact counterpart of decode.ts. Avro bodies are written by
 * avsc, which throws on an event that does not fit its schema (a programmer's error, unlike bad input).
 */
import { eventTypes } from "./avro_types.js";
import type { EventKind, EventOfKind, Order, Payment } from "./events.js";

const CONFLUENT_HEADER_LENGTH = 5;
const SCHEMA_ID_MAX = 0xffff_ffff;
/** Beyond this avsc rounds a long without saying so (the year is then 144683 or so). */
const EXACT_TIMESTAMP_MAX_MS = 2 ** 52;

/** Single-object encoding. */
export function encodeOrderAvro(order: Order): Buffer {
  return encodeAfter(eventTypes.order.header, "order", order);
}

/** Single-object encoding. */
export function encodePaymentAvro(payment: Payment): Buffer {
  return encodeAfter(eventTypes.payment.header, "payment", payment);
}

/** A JSON object with ISO-8601 timestamps in UTC. */
export function encodeOrderJson(order: Order): Buffer {
  return Buffer.from(
    JSON.stringify({
      order_id: order.order_id,
      order_date: new Date(order.order_date),
      created_at: new Date(order.created_at),
      customer_id: order.customer_id,
      amount: order.amount,
    }),
  );
}

/** A JSON object with ISO-8601 timestamps in UTC. */
export function encodePaymentJson(payment: Payment): Buffer {
  return Buffer.from(
    JSON.stringify({
      payment_id: payment.payment_id,
      order_id: payment.order_id,
      payment_date: new Date(payment.payment_date),
      created_at: new Date(payment.created_at),
      amount: payment.amount,
    }),
  );
}

/** The Confluent frame: 0x00, the registry's schema id (4 bytes, big-endian), the Avro body. */
export function encodeConfluent<K extends EventKind>(
  schemaId: number,
  kind: K,
  event: EventOfKind[K],
): Buffer {
  if (!Number.isInteger(schemaId) || schemaId < 0 || schemaId > SCHEMA_ID_MAX) {
    throw new RangeError(`a schema id is an unsigned 32-bit integer, not ${schemaId}`);
  }
  const header = Buffer.alloc(CONFLUENT_HEADER_LENGTH);
  header.writeUInt32BE(schemaId, 1);
  return encodeAfter(header, kind, event);
}

let scratch = Buffer.allocUnsafeSlow(1024);

function encodeAfter<K extends EventKind>(header: Buffer, kind: K, event: EventOfKind[K]): Buffer {
  const { type } = eventTypes[kind];
  assertExact(event.created_at);
  assertExact("order_date" in event ? event.order_date : event.payment_date);
  let end = type.encode(event, scratch, header.length);
  if (end < 0) {
    // avsc answers with the number of bytes that were missing.
    scratch = Buffer.allocUnsafeSlow(scratch.length - end);
    end = type.encode(event, scratch, header.length);
  }
  header.copy(scratch);
  return Buffer.from(scratch.subarray(0, end));
}

function assertExact(timestampMs: number): void {
  if (Math.abs(timestampMs) > EXACT_TIMESTAMP_MAX_MS) {
    throw new RangeError(`${timestampMs} ms since the epoch cannot be encoded exactly`);
  }
}
