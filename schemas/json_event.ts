/**
 * Events written as JSON objects, the format of older producers. Fields beyond the schema are ignored;
 * timestamps are ISO-8601 strings, and a number is refused because nothing tells its unit.
 */
import { isUtf8 } from "node:buffer";
import type { Order, Payment } from "./events.js";
import { parseIsoTimestamp } from "./iso_timestamp.js";
import { invalid, Malformed, undecodable } from "./malformed.js";

const LONE_SURROGATE = /\p{Surrogate}/u;
const QUOTED_LENGTH_MAX = 60;

type JsonObject = { readonly [field: string]: unknown };

export function orderFromJson(bytes: Buffer): Order | Malformed {
  const json = parseObject(bytes);
  if (json instanceof Malformed) return json;
  const order_id = id(json, "order_id");
  if (order_id instanceof Malformed) return order_id;
  const order_date = timestamp(json, "order_date");
  if (order_date instanceof Malformed) return order_date;
  const created_at = timestamp(json, "created_at");
  if (created_at instanceof Malformed) return created_at;
  const customer_id = text(json, "customer_id");
  if (customer_id instanceof Malformed) return customer_id;
  const amount = int32(json, "amount");
  if (amount instanceof Malformed) return amount;
  return { order_id, order_date, created_at, customer_id, amount };
}

export function paymentFromJson(bytes: Buffer): Payment | Malformed {
  const json = parseObject(bytes);
  if (json instanceof Malformed) return json;
  const payment_id = id(json, "payment_id");
  if (payment_id instanceof Malformed) return payment_id;
  const order_id = id(json, "order_id");
  if (order_id instanceof Malformed) return order_id;
  const payment_date = timestamp(json, "payment_date");
  if (payment_date instanceof Malformed) return payment_date;
  const created_at = timestamp(json, "created_at");
  if (created_at instanceof Malformed) return created_at;
  const amount = int32(json, "amount");
  if (amount instanceof Malformed) return amount;
  return { payment_id, order_id, payment_date, created_at, amount };
}

function parseObject(bytes: Buffer): JsonObject | Malformed {
  if (!isUtf8(bytes)) return undecodable("the JSON text is not valid UTF-8");
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    // The engine's message quotes the text around the fault, without its own bound.
    return undecodable(`not valid JSON: ${(error as Error).message.slice(0, 200)}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return undecodable("the JSON value is not an object");
  }
  return value as JsonObject;
}

function id(json: JsonObject, field: string): string | Malformed {
  const value = text(json, field);
  return value === "" ? invalid(field, "is empty") : value;
}

function text(json: JsonObject, field: string): string | Malformed {
  const value = json[field];
  if (typeof value !== "string") return invalid(field, mismatch(value, "a string"));
  if (LONE_SURROGATE.test(value)) return invalid(field, "holds half of a surrogate pair");
  return value;
}

function timestamp(json: JsonObject, field: string): number | Malformed {
  const value = json[field];
  if (typeof value !== "string") return invalid(field, mismatch(value, "an ISO-8601 string"));
  return parseIsoTimestamp(value) ?? invalid(field, mismatch(value, "an ISO-8601 timestamp"));
}

function int32(json: JsonObject, field: string): number | Malformed {
  const value = json[field];
  if (typeof value !== "number" || value !== (value | 0)) {
    return invalid(field, mismatch(value, "a 32-bit integer"));
  }
  return value | 0;
}

function mismatch(value: unknown, expected: string): string {
  if (value === undefined) return "is missing";
  if (value === null) return "is null";
  if (typeof value === "object")
    return `is ${Array.isArray(value) ? "an array" : "an object"}, not ${expected}`;
  const shown = typeof value === "string" ? value.slice(0, QUOTED_LENGTH_MAX) : value;
  return `is ${JSON.stringify(shown)}, not ${expected}`;
}
