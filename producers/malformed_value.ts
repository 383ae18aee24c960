/**
 * Bytes that no decoder may accept, made from a good event: each variant is one way in which producers get
 * it wrong.
 */
import {
  encodeConfluent,
  encodeOrderAvro,
  encodeOrderJson,
  encodePaymentAvro,
  encodePaymentJson,
} from "../schemas/encode.js";
import type { Order, Payment } from "../schemas/events.js";

type Variant = (event: Order | Payment) => Buffer;

const UNREGISTERED_SCHEMA_ID = 4711;

const variants: readonly Variant[] = [
  (event) => avro(event).subarray(0, -2),
  (event) => Buffer.concat([avro(event), Buffer.from([0])]),
  (event) => withByte(avro(event), 2, 0xff),
  (event) => withByte(avro(event), 11, 0xff),
  (event) =>
    isOrder(event)
      ? encodeConfluent(UNREGISTERED_SCHEMA_ID, "order", event)
      : encodeConfluent(UNREGISTERED_SCHEMA_ID, "payment", event),
  () => Buffer.alloc(0),
  () => Buffer.from("order 66 was paid"),
  (event) => json(event).subarray(0, -3),
  (event) => withByte(json(event), 3, 0xff),
  (event) => edited(event, "created_at", undefined),
  (event) => edited(event, "created_at", "2026-02-30T12:00:00Z"),
  (event) => edited(event, "created_at", event.created_at),
  (event) => edited(event, "amount", String(event.amount)),
  (event) => edited(event, "amount", event.amount + 0.5),
  (event) => edited(event, "order_id", null),
  (event) => edited(event, "order_id", ""),
];

export const MALFORMED_VARIANTS = variants.length;

/** `variant` is in [0, MALFORMED_VARIANTS). */
export function malformedValue(event: Order | Payment, variant: number): Buffer {
  return variants[variant]!(event);
}

function isOrder(event: Order | Payment): event is Order {
  return !("payment_id" in event);
}

function avro(event: Order | Payment): Buffer {
  return isOrder(event) ? encodeOrderAvro(event) : encodePaymentAvro(event);
}

function json(event: Order | Payment): Buffer {
  return isOrder(event) ? encodeOrderJson(event) : encodePaymentJson(event);
}

function withByte(bytes: Buffer, at: number, byte: number): Buffer {
  bytes[at] = byte;
  return bytes;
}

function edited(event: Order | Payment, field: keyof (Order | Payment), value: unknown): Buffer {
  return Buffer.from(JSON.stringify({ ...JSON.parse(json(event).toString()), [field]: value }));
}
