/**
 * Objects (coders.object) read from JSON, with each field checked. Fields that the schema does not name are left out; one
 * that may be null may also be missing. Messages name fields and types, and no values: these may be personal.
 */
import { INT53_URN, MILLIS_INSTANT_URN } from "../model/coders/logical_types.js";
import type { Row } from "../model/coders/row_coder.js";
import type { Field, FieldType, Schema } from "../model/coders/schema.js";
import type { TimestampMs } from "../model/timestamps.js";

type Read = (json: unknown, path: string) => unknown;

const TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/;
const HAS_OFFSET = /(Z|[+-]\d\d:?\d\d)$/;
const WHOLE_NUMBER = /^-?\d{1,19}$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/**
 * Reads objects of a schema. Times are ISO 8601, UTC where they name no offset, or milliseconds since the epoch; bytes
 * are base64; a bigint may be text. What it returns throws a TypeError that names the field at fault.
 *
 * @throws TypeError for a schema with a type that JSON cannot carry
 */
export function objectFromJson(schema: Schema): (json: unknown) => Row {
  const read = objectOf(schema, "");
  return (json) => read(json, "") as Row;
}

function objectOf({ fields }: Schema, within: string): Read {
  const readers = fields.map((field) => ({
    ...field,
    path: `${within}${field.name}`,
    read: fieldOf(field, within),
  }));
  return (json, path) => {
    if (typeof json !== "object" || json === null || Array.isArray(json))
      throw unfit(path, json, "an object");
    const row: Row = {};
    for (const { name, path: fieldPath, read } of readers) {
      row[name] = read(Object.hasOwn(json, name) ? (json as Row)[name] : undefined, fieldPath);
    }
    return row;
  };
}

function fieldOf({ name, type }: Field, within: string): Read {
  const read = readerOf(type, `${within}${name}`);
  if (!type.nullable) return read;
  return (json, path) => (json === undefined || json === null ? null : read(json, path));
}

function readerOf(type: FieldType, path: string): Read {
  switch (type.kind) {
    case "string":
      return checked("a text", (json) => typeof json === "string");
    case "boolean":
      return checked("true or false", (json) => typeof json === "boolean");
    case "double":
    case "float":
      return checked("a number", (json) => typeof json === "number");
    case "byte":
    case "int16":
    case "int32":
      return checked("a whole number", Number.isSafeInteger);
    case "int64":
      return bigintFrom;
    case "bytes":
      return bytesFrom;
    case "row":
      return objectOf(type.schema, `${path}.`);
    case "array": {
      const element = fieldOf({ name: "[]", type: type.element }, path);
      return (json, at) => {
        if (!Array.isArray(json)) throw unfit(at, json, "an array");
        return json.map((each) => element(each, `${at}[]`));
      };
    }
    case "logical":
      if (type.urn === INT53_URN) return checked("a whole number within 53 bits", Number.isSafeInteger);
      if (type.urn === MILLIS_INSTANT_URN) return timeFrom;
  }
  throw new TypeError(`the field "${path}" has a type that cannot be read from JSON`);
}

function checked(expected: string, fits: (json: unknown) => boolean): Read {
  return (json, path) => {
    if (!fits(json)) throw unfit(path, json, expected);
    return json;
  };
}

function timeFrom(json: unknown, path: string): TimestampMs {
  const time = typeof json === "string" && TIME.test(json) ? timeOf(json) : json;
  if (!Number.isSafeInteger(time)) throw unfit(path, json, "a time in ISO 8601, or whole milliseconds");
  return time as TimestampMs;
}

/** NaN for a day that there is not: Date.parse takes the 30th of February for one in March. */
function timeOf(text: string): TimestampMs {
  const day = Date.parse(text.slice(0, "YYYY-MM-DD".length));
  if (new Date(day).getUTCDate() !== Number(text.slice("YYYY-MM-".length, "YYYY-MM-DD".length)))
    return Number.NaN;
  return Date.parse(text.includes("T") && !HAS_OFFSET.test(text) ? `${text}Z` : text);
}

function bigintFrom(json: unknown, path: string): bigint {
  const isWhole = Number.isSafeInteger(json) || (typeof json === "string" && WHOLE_NUMBER.test(json));
  const value = isWhole ? BigInt(json as number | string) : undefined;
  if (value === undefined || BigInt.asIntN(64, value) !== value) {
    throw unfit(path, json, "a whole number of 64 bits, as text where it is beyond 53");
  }
  return value;
}

function bytesFrom(json: unknown, path: string): Uint8Array {
  if (typeof json !== "string" || !BASE64.test(json)) throw unfit(path, json, "base64");
  return Buffer.from(json, "base64");
}

function unfit(path: string, json: unknown, expected: string): TypeError {
  if (json === undefined) return new TypeError(`it has no "${path}", which must be ${expected}`);
  const got =
    json === null ? "null" : Array.isArray(json) ? "an array" : `${article(typeof json)} ${typeof json}`;
  return new TypeError(`${path === "" ? "it" : `"${path}"`} is ${got}, not ${expected}`);
}

function article(type: string): string {
  return type === "object" ? "an" : "a";
}
