/**
 * The oracle's own decoder of Kafka values, written from the contract and the Avro specification and from no code
 * of the product. It is slow and plain on purpose.
 */
import type { Order, Payment } from "../../schemas/events.js";

export type Fault = "UNDECODABLE" | "INVALID" | "NULL_VALUE";
export type Decoded<T> = { readonly event: T } | { readonly fault: Fault };

/** Field names and types in the order of the contract. `id` is a string that may not be empty. */
type FieldType = "id" | "text" | "timestamp" | "int32";
type Contract = readonly (readonly [name: string, type: FieldType])[];

const ORDER: Contract = [
  ["order_id", "id"],
  ["order_date", "timestamp"],
  ["created_at", "timestamp"],
  ["customer_id", "text"],
  ["amount", "int32"],
];

const PAYMENT: Contract = [
  ["payment_id", "id"],
  ["order_id", "id"],
  ["payment_date", "timestamp"],
  ["created_at", "timestamp"],
  ["amount", "int32"],
];

const decodeOrder = decoder("Order", ORDER);
const decodePayment = decoder("Payment", PAYMENT);

export function decodeOrderRecord(value: Buffer | null): Decoded<Order> {
  return decodeOrder(value) as Decoded<Order>;
}

export function decodePaymentRecord(value: Buffer | null): Decoded<Payment> {
  return decodePayment(value) as Decoded<Payment>;
}

/** The fingerprint in the header of an Avro single-object value, for a test to hold against schemas/. */
export function contractFingerprint(kind: "order" | "payment"): bigint {
  return kind === "order" ? fingerprint("Order", ORDER) : fingerprint("Payment", PAYMENT);
}

const TIMESTAMP_MAX_MS = 8.64e15;
const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;

type RawFields = Record<string, unknown>;

function decoder(name: string, contract: Contract): (value: Buffer | null) => Decoded<RawFields> {
  const header = Buffer.alloc(10);
  header.writeUInt16BE(0xc301, 0);
  header.writeBigUInt64LE(fingerprint(name, contract), 2);
  return (value) => {
    if (value === null) return { fault: "NULL_VALUE" };
    if (value[0] === 0x7b) return fromJson(value, contract);
    if (value.length >= 10 && value.subarray(0, 10).equals(header)) {
      return fromAvro(value.subarray(10), contract);
    }
    return { fault: "UNDECODABLE" }; // a Confluent frame too, while no registry is configured
  };
}

function fromAvro(body: Buffer, contract: Contract): Decoded<RawFields> {
  const event: RawFields = {};
  let at = 0;
  let invalid = false;
  for (const [field, type] of contract) {
    const read = avroLong(body, at);
    if (read === undefined) return { fault: "UNDECODABLE" };
    at = read.end;
    if (type === "id" || type === "text") {
      const end = at + Number(read.value);
      if (end < at || end > body.length) return { fault: "UNDECODABLE" };
      const text = utf8(body.subarray(at, end));
      if (text === undefined) return { fault: "UNDECODABLE" };
      at = end;
      if (type === "id" && text === "") invalid = true;
      event[field] = text;
    } else {
      const number = Number(read.value);
      if (type === "int32" && !isInt32(number)) return { fault: "UNDECODABLE" };
      if (type === "timestamp" && Math.abs(number) > TIMESTAMP_MAX_MS) invalid = true;
      event[field] = number;
    }
  }
  if (at !== body.length) return { fault: "UNDECODABLE" };
  return invalid ? { fault: "INVALID" } : { event };
}

/** Zig-zag varint: seven bits a byte, lowest first, 64 bits at most. */
function avroLong(bytes: Buffer, start: number): { value: bigint; end: number } | undefined {
  let bits = 0n;
  for (let i = 0; i < 10; i++) {
    const byte = bytes[start + i];
    if (byte === undefined) return undefined;
    bits |= BigInt(byte & 0x7f) << BigInt(7 * i);
    if (byte < 0x80) {
      if (bits >= 1n << 64n) return undefined;
      return { value: bits & 1n ? -(bits >> 1n) - 1n : bits >> 1n, end: start + i + 1 };
    }
  }
  return undefined;
}

function fromJson(value: Buffer, contract: Contract): Decoded<RawFields> {
  const text = utf8(value);
  if (text === undefined) return { fault: "UNDECODABLE" };
  let parsed: RawFields;
  try {
    parsed = JSON.parse(text) as RawFields;
  } catch {
    return { fault: "UNDECODABLE" };
  }
  const event: RawFields = {};
  for (const [field, type] of contract) {
    const read = Object.hasOwn(parsed, field) ? jsonField(parsed[field], type) : undefined;
    if (read === undefined) return { fault: "INVALID" };
    event[field] = read;
  }
  return { event };
}

function jsonField(value: unknown, type: FieldType): string | number | undefined {
  if (type === "int32") return typeof value === "number" && isInt32(value) ? value + 0 : undefined;
  if (typeof value !== "string") return undefined;
  if (type === "timestamp") return isoTimestampMs(value);
  if (/\p{Surrogate}/u.test(value)) return undefined;
  return type === "id" && value === "" ? undefined : value;
}

function isInt32(value: number): boolean {
  return Number.isInteger(value) && value >= INT32_MIN && value <= INT32_MAX;
}

/** ISO-8601; without an offset it is UTC; fractions of any length are cut to ms. */
export function isoTimestampMs(text: string): number | undefined {
  const match =
    /^(\d{4}|[+-]\d{6})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?([Zz]|[+-]\d\d(?::?\d\d)?)?)?$/.exec(
      text,
    );
  if (match === null) return undefined;
  const [, year, month, day, hour = "0", minute = "0", second = "0", fraction = "", offset = "Z"] = match;
  const wanted = [year, month, day, hour, minute, second].map(Number);
  // A Date from numbers takes years below 100 for 19xx, and carries what does not exist over to the next unit.
  const date = new Date(0);
  date.setUTCFullYear(wanted[0]!, wanted[1]! - 1, wanted[2]!);
  date.setUTCHours(wanted[3]!, wanted[4]!, wanted[5]!, Number(fraction.slice(0, 3).padEnd(3, "0")));
  const got = [
    date.getUTCFullYear(),
    date.getUTCMonth() + 1,
    date.getUTCDate(),
    date.getUTCHours(),
    date.getUTCMinutes(),
    date.getUTCSeconds(),
  ];
  if (got.some((part, i) => part !== wanted[i])) return undefined;
  if (offset === "Z" || offset === "z") return date.getTime();
  const digits = offset.slice(1).replace(":", "").padEnd(4, "0");
  const hours = Number(digits.slice(0, 2));
  const minutes = Number(digits.slice(2));
  if (hours > 23 || minutes > 59) return undefined;
  const offsetMs = (hours * 60 + minutes) * 60_000;
  // What no Date can hold is NaN.
  const shifted = new Date(date.getTime() + (offset[0] === "+" ? -offsetMs : offsetMs)).getTime();
  return Number.isNaN(shifted) ? undefined : shifted;
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** CRC-64-AVRO over the schema's Parsing Canonical Form, as the Avro specification prints it. */
function fingerprint(name: string, contract: Contract): bigint {
  const fields = contract.map(([field, type]) => {
    const avroType = type === "int32" ? "int" : type === "timestamp" ? "long" : "string";
    return `{"name":"${field}","type":"${avroType}"}`;
  });
  const canonical = `{"name":"${name}","type":"record","fields":[${fields.join(",")}]}`;
  const empty = 0xc15d213aa4d7a795n;
  let crc = empty;
  for (const byte of Buffer.from(canonical)) {
    let table = (crc ^ BigInt(byte)) & 0xffn;
    for (let bit = 0; bit < 8; bit++) table = (table >> 1n) ^ (empty & -(table & 1n));
    crc = (crc >> 8n) ^ table;
  }
  return BigInt.asUintN(64, crc);
}
