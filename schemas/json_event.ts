/**
 * Events written as JSON objects, the format of older producers. Fields beyond the schema are ignored;
 * timestamps are ISO-8601 strings, and a number is refused because nothing tells its unit.
 */
import { isUtf8 } from "node:buffer";
import type { Order, Payment } from "./events.js";
import { parseIsoTimestamp } from "./iso_timestamp.js";
import { JsonScanner } from "./json_scanner.js";
import { invalid, Malformed, undecodable } from "./malformed.js";

declare global {
  interface Buffer {
    /** Node's own, missing from its types. */
    utf8Slice(start: number, end: number): string;
  }
}

const LONE_SURROGATE = /\p{Surrogate}/u;
const QUOTED_LENGTH_MAX = 60;

const ORDER_FIELDS = ["order_id", "order_date", "created_at", "customer_id", "amount"] as const;
const PAYMENT_FIELDS = ["payment_id", "order_id", "payment_date", "created_at", "amount"] as const;

/** The wanted fields of one JSON object, each read when it is asked for. */
class JsonFields<Name extends string> {
  readonly #scanner: JsonScanner;
  #buffer: Buffer = Buffer.alloc(0);

  constructor(private readonly names: readonly Name[]) {
    this.#scanner = new JsonScanner(names);
  }

  /** Starts over at `buffer[start, end)`, which begins with `{`. */
  reset(buffer: Buffer, start: number, end: number): Malformed | undefined {
    this.#buffer = buffer;
    const isUtf16 = end - start > 3 && buffer[start + 1] === 0 && buffer[start + 3] === 0;
    if (isUtf16) return undecodable("JSON in UTF-16: expected UTF-8");
    if (!isUtf8(buffer.subarray(start, end))) return undecodable("the JSON text is not valid UTF-8");
    const fault = this.#scanner.scan(buffer, start, end);
    if (fault !== undefined) return fault;
    const { repeated } = this.#scanner;
    return repeated < 0 ? undefined : invalid(this.names[repeated]!, "is there twice");
  }

  id(field: Name): string | Malformed {
    const value = this.text(field);
    return value === "" ? invalid(field, "is empty") : value;
  }

  text(field: Name): string | Malformed {
    const value = this.#string(field);
    if (value === undefined) return this.#mismatch(field, "a string");
    if (this.#scanner.isEscaped[this.names.indexOf(field)] !== 0 && LONE_SURROGATE.test(value)) {
      return invalid(field, "holds half of a surrogate pair");
    }
    return value;
  }

  timestamp(field: Name): number | Malformed {
    const value = this.#string(field);
    if (value === undefined) return this.#mismatch(field, "an ISO-8601 string");
    return parseIsoTimestamp(value) ?? this.#mismatch(field, "an ISO-8601 timestamp");
  }

  int32(field: Name): number | Malformed {
    const text = this.#raw(field);
    const first = text.charCodeAt(0);
    const isNumber = first === 0x2d || (first >= 0x30 && first <= 0x39);
    const value = isNumber ? Number(text) : Number.NaN;
    return value === (value | 0) ? value | 0 : this.#mismatch(field, "a 32-bit integer");
  }

  /** Undefined for what is no string. */
  #string(field: Name): string | undefined {
    const index = this.names.indexOf(field);
    const start = this.#scanner.starts[index]!;
    if (start < 0 || this.#buffer[start] !== 0x22) return undefined;
    const end = this.#scanner.ends[index]!;
    if (this.#scanner.isEscaped[index] === 0) return this.#buffer.utf8Slice(start + 1, end - 1);
    return JSON.parse(this.#buffer.utf8Slice(start, end));
  }

  /** As it was sent; "" when it is missing. */
  #raw(field: Name): string {
    const index = this.names.indexOf(field);
    const start = this.#scanner.starts[index]!;
    return start < 0 ? "" : this.#buffer.utf8Slice(start, this.#scanner.ends[index]!);
  }

  #mismatch(field: Name, expected: string): Malformed {
    const raw = this.#raw(field);
    if (raw === "") return invalid(field, "is missing");
    if (raw === "null") return invalid(field, "is null");
    if (raw[0] === "[" || raw[0] === "{") {
      return invalid(field, `is ${raw[0] === "[" ? "an array" : "an object"}, not ${expected}`);
    }
    const string = this.#string(field);
    const text = string === undefined ? raw : JSON.stringify(string.slice(0, QUOTED_LENGTH_MAX));
    return invalid(
      field,
      `is ${string === undefined ? text.slice(0, QUOTED_LENGTH_MAX) : text}, not ${expected}`,
    );
  }
}

const orderFields = new JsonFields(ORDER_FIELDS);
const paymentFields = new JsonFields(PAYMENT_FIELDS);

export function orderFromJson(buffer: Buffer, start: number, end: number): Order | Malformed {
  const json = orderFields;
  const fault = json.reset(buffer, start, end);
  if (fault !== undefined) return fault;
  const order_id = json.id("order_id");
  if (order_id instanceof Malformed) return order_id;
  const order_date = json.timestamp("order_date");
  if (order_date instanceof Malformed) return order_date;
  const created_at = json.timestamp("created_at");
  if (created_at instanceof Malformed) return created_at;
  const customer_id = json.text("customer_id");
  if (customer_id instanceof Malformed) return customer_id;
  const amount = json.int32("amount");
  if (amount instanceof Malformed) return amount;
  return { order_id, order_date, created_at, customer_id, amount };
}

export function paymentFromJson(buffer: Buffer, start: number, end: number): Payment | Malformed {
  const json = paymentFields;
  const fault = json.reset(buffer, start, end);
  if (fault !== undefined) return fault;
  const payment_id = json.id("payment_id");
  if (payment_id instanceof Malformed) return payment_id;
  const order_id = json.id("order_id");
  if (order_id instanceof Malformed) return order_id;
  const payment_date = json.timestamp("payment_date");
  if (payment_date instanceof Malformed) return payment_date;
  const created_at = json.timestamp("created_at");
  if (created_at instanceof Malformed) return created_at;
  const amount = json.int32("amount");
  if (amount instanceof Malformed) return amount;
  return { payment_id, order_id, payment_date, created_at, amount };
}
