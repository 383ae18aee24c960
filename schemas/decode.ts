/**
 * From the bytes of a Kafka value to an event, or to the reason why it is none. The first byte tells the
 * format. Nothing here throws on any input, and the Avro path allocates only the event and its strings.
 *
 *   C3 01, fingerprint (8 bytes, little-endian), Avro body   single-object encoding
 *   00, schema id (4 bytes, big-endian), Avro body           Confluent frame
 *   "{" …                                                    a JSON object
 */
import { eventTypes } from "./avro_types.js";
import { type EventDecoder, orderFromAvro, paymentFromAvro } from "./event_bodies.js";
import type { EventKind, EventOfKind, Order, Payment } from "./events.js";
import { orderFromJson, paymentFromJson } from "./json_event.js";
import { type Malformed, NULL_VALUE, undecodable } from "./malformed.js";

export type { EventDecoder } from "./event_bodies.js";

const HEADER_LENGTH = 10;
const CONFLUENT_HEADER_LENGTH = 5;

export const decodeOrder: EventDecoder<Order> = (buffer, start, end) => {
  if (hasHeader(orderHeader, buffer, start, end)) return orderFromAvro(buffer, start + HEADER_LENGTH, end);
  if (isJson(buffer, start, end)) return orderFromJson(buffer, start, end);
  return explainHeader("order", buffer, start, end);
};

export const decodePayment: EventDecoder<Payment> = (buffer, start, end) => {
  if (hasHeader(paymentHeader, buffer, start, end))
    return paymentFromAvro(buffer, start + HEADER_LENGTH, end);
  if (isJson(buffer, start, end)) return paymentFromJson(buffer, start, end);
  return explainHeader("payment", buffer, start, end);
};

const decoders: { readonly [K in EventKind]: EventDecoder<EventOfKind[K]> } = {
  order: decodeOrder,
  payment: decodePayment,
};

/** The decoder that a pipeline's configuration names. Throws a TypeError on an unknown name. */
export function decoderByName<K extends EventKind>(name: K): EventDecoder<EventOfKind[K]>;
export function decoderByName(name: string): EventDecoder<Order | Payment>;
export function decoderByName(name: string): EventDecoder<Order | Payment> {
  if (name === "order" || name === "payment") return decoders[name];
  throw new TypeError(`no decoder is named "${name}"; there are: ${Object.keys(decoders).join(", ")}`);
}

/** Readers of the bodies of other schemas, by the fingerprints in front of them. */
export type OtherBodies<E> = ReadonlyMap<bigint, EventDecoder<E>>;

/** As `decoderByName`, for single-object values of further writers' schemas too. */
export function decoderWith<K extends EventKind>(
  kind: K,
  others: OtherBodies<EventOfKind[K]>,
): EventDecoder<EventOfKind[K]> {
  const decode = decoders[kind];
  if (others.size === 0) return decode;
  return (buffer, start, end) => {
    const isSingleObject =
      end - start >= HEADER_LENGTH && buffer[start] === 0xc3 && buffer[start + 1] === 0x01;
    const other = isSingleObject ? others.get(buffer.readBigUInt64LE(start + 2)) : undefined;
    return other === undefined ? decode(buffer, start, end) : other(buffer, start + HEADER_LENGTH, end);
  };
}

/** Decodes a whole Kafka value, which may be null. */
export function decodeValue<T>(decode: EventDecoder<T>, value: Buffer | null): T | Malformed {
  return value === null ? NULL_VALUE : decode(value, 0, value.length);
}

/** The fingerprint of a single-object header as two integers, so that comparing takes no loop. */
interface Header {
  readonly low: number;
  readonly high: number;
}

const orderHeader = headerOf("order");
const paymentHeader = headerOf("payment");

function headerOf(kind: EventKind): Header {
  const { header } = eventTypes[kind];
  return { low: header.readInt32LE(2), high: header.readInt32LE(6) };
}

function hasHeader(header: Header, buffer: Buffer, start: number, end: number): boolean {
  return (
    end - start >= HEADER_LENGTH &&
    buffer[start] === 0xc3 &&
    buffer[start + 1] === 0x01 &&
    int32At(buffer, start + 2) === header.low &&
    int32At(buffer, start + 6) === header.high
  );
}

function int32At(buffer: Buffer, at: number): number {
  return buffer[at]! | (buffer[at + 1]! << 8) | (buffer[at + 2]! << 16) | (buffer[at + 3]! << 24);
}

function isJson(buffer: Buffer, start: number, end: number): boolean {
  return start < end && buffer[start] === 0x7b;
}

/** Why the value begins like none of the formats that can be read. */
function explainHeader(kind: EventKind, buffer: Buffer, start: number, end: number): Malformed {
  const length = end - start;
  if (length <= 0) return undecodable("the value is empty");
  const first = buffer[start]!;
  const encoding = foreignEncoding(buffer.subarray(start, Math.min(end, start + 4)));
  if (encoding !== undefined)
    return undecodable(`the value is ${encoding}: expected Avro, or JSON in plain UTF-8`);
  if (first === 0x00) {
    if (length < CONFLUENT_HEADER_LENGTH)
      return undecodable("Confluent frame that ends within its schema id");
    const schemaId = buffer.readUInt32BE(start + 1);
    return undecodable(`Confluent frame with schema id ${schemaId}, and no schema registry is configured`);
  }
  if (first === 0xc3 && length > 1 && buffer[start + 1] === 0x01) {
    if (length < HEADER_LENGTH)
      return undecodable("Avro single-object value that ends within its fingerprint");
    const found = hex(buffer.readBigUInt64LE(start + 2));
    const expected = hex(eventTypes[kind].fingerprint);
    return undecodable(`Avro schema fingerprint ${found} is unknown; the ${kind} schema's is ${expected}`);
  }
  return undecodable(
    `the value begins with byte 0x${first.toString(16).padStart(2, "0")}: neither Avro nor JSON`,
  );
}

/** Text that an editor or another platform has put into its own form. */
function foreignEncoding(head: Buffer): string | undefined {
  if (head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf)
    return "text that begins with a byte order mark";
  const isLittleEndian = head[0] === 0xff && head[1] === 0xfe;
  const isBigEndian = head[0] === 0xfe && head[1] === 0xff;
  const isBigEndianObject = head[0] === 0 && head[1] === 0x7b && head[2] === 0;
  return isLittleEndian || isBigEndian || isBigEndianObject ? "text in UTF-16" : undefined;
}

function hex(fingerprint: bigint): string {
  return fingerprint.toString(16).padStart(16, "0");
}
