/**
 * Results as records of files: Avro by the schemas in schemas/, or JSON with times in ISO 8601 and bytes in base64. They
 * are made of the very documents that go to MongoDB, so that a collection and a folder hold the same.
 */
import { type FileEncoder, type FileEncoderName, registerFileEncoder } from "@order-payment-stream/files";

import { type ResultKind, resultTypes } from "../schemas/result_types.js";
import type { DeadLetter } from "./dead_letter.js";
import { deadLetterDocument } from "./dead_letter_document.js";
import { joinedDocument, unmatchedDocument } from "./documents.js";
import type { Pair, Unmatched } from "./outcomes.js";

type Fields = Readonly<Record<string, unknown>>;

/** Of a document of the collection, also one that was read back from it. */
export function documentAsAvro(kind: ResultKind, document: Fields): Buffer {
  const { type } = resultTypes[kind];
  return type.toBuffer(kind === "dead_letter" ? deadLetterRecord(document) : plainFields(document));
}

export function documentAsJson(document: Fields): string {
  return JSON.stringify(document, jsonValue);
}

function plainFields(document: Fields): Fields {
  const plain: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(document)) plain[name] = plainValue(value);
  return plain;
}

function plainValue(value: unknown): unknown {
  if (value === null || typeof value !== "object") return typeof value === "bigint" ? Number(value) : value;
  if (value instanceof Date) return value.getTime();
  if (value instanceof Uint8Array) return Buffer.isBuffer(value) ? value : Buffer.from(value);
  // Of the driver's types: Binary and Long.
  const { buffer, toBigInt } = value as { buffer?: unknown; toBigInt?: () => bigint };
  if (typeof toBigInt === "function") return Number(toBigInt.call(value));
  if (buffer instanceof Uint8Array) return plainValue(buffer);
  return value;
}

/** What a document that was reduced may lack. */
const LEAST = { message: "", reason: "SINK_REJECTED" };

function deadLetterRecord(document: Fields): Fields {
  const record: Record<string, unknown> = { ...LEAST };
  const more: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(document)) {
    if (!resultTypes.dead_letter.columns.has(name)) more[name] = value;
    else if (value !== null && value !== undefined) record[name] = plainValue(value);
  }
  if (Object.keys(more).length > 0) record.more = documentAsJson(more);
  return record;
}

/** JSON has neither; a Date has become text before this is called. */
function jsonValue(_name: string, value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  const { type, data } = (value ?? {}) as { type?: unknown; data?: unknown };
  if (type === "Buffer" && Array.isArray(data)) return Buffer.from(data as number[]).toString("base64");
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  return value;
}

function encoderOf<T>(
  name: string,
  kind: ResultKind,
  toDocument: (element: T) => Fields,
): FileEncoderName<T> {
  const encoder: FileEncoder<T> = {
    schema: resultTypes[kind].schema,
    avro: (element) => documentAsAvro(kind, toDocument(element)),
    json: (element) => documentAsJson(toDocument(element)),
  };
  return registerFileEncoder(name, () => encoder);
}

const fieldsOf = (document: object): Fields => document as Fields;

/** The document of an unmatched event. */
export function unmatchedDocumentOf(unmatched: Unmatched): Fields {
  return fieldsOf(
    unmatched.kind === "order"
      ? unmatchedDocument("order", unmatched.event, "UNPAID", unmatched.expiresAt)
      : unmatchedDocument("payment", unmatched.event, "NO_ORDER", unmatched.expiresAt),
  );
}

export const joinedDocumentOf = ({ order, payment }: Pair): Fields =>
  fieldsOf(joinedDocument(order, payment));

export const JOINED_ENCODER = encoderOf("order-payment-stream:joined_records", "joined", joinedDocumentOf);
export const UNMATCHED_ENCODER = encoderOf(
  "order-payment-stream:unmatched_records",
  "unmatched",
  unmatchedDocumentOf,
);
export const DEAD_LETTER_ENCODER = encoderOf<DeadLetter>(
  "order-payment-stream:dead_letter_records",
  "dead_letter",
  (deadLetter) => fieldsOf(deadLetterDocument(deadLetter)),
);
