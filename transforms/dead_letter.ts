/**
 * Dead letters: what becomes of a record, or of a document, that cannot end anywhere else. The one home of their
 * reasons, their shape and their document.
 *
 * A dead letter can always be stored: one that would not fit into a BSON document is cut, and says so in
 * `*_truncated` and `*_length` fields, which a dead letter that was not cut does not have.
 */
import { createHash } from "node:crypto";
import type { EventKind, Order, Payment } from "../schemas/events.js";

export type RecordReason =
  | "UNDECODABLE"
  | "INVALID"
  | "NULL_VALUE"
  | "FUTURE_TIMESTAMP"
  | "LATE"
  | "CONFLICT";

export type DeadLetterReason = RecordReason | "SINK_REJECTED";

/** A Kafka record that could not be joined. */
export interface RecordDeadLetter {
  readonly reason: RecordReason;
  /** What is wrong, for a person. */
  readonly message: string;
  /** The field at fault, for INVALID. */
  readonly field?: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Which log the offset is of: the id of the topic, or of its cluster. Empty: not known. */
  readonly log: string;
  /** The Kafka record's timestamp, ms; -1 when it has none. */
  readonly timestamp: number;
  /** As received. */
  readonly key: Buffer | null;
  /** As received. */
  readonly value: Buffer | null;
  /** For CONFLICT: both versions. */
  readonly conflict?: Conflict;
}

/** Two events of one kind and one id that differ. */
export interface Conflict {
  readonly kind: EventKind;
  /** The one that stands. */
  readonly first: Order | Payment;
  /** The one that was refused. */
  readonly event: Order | Payment;
}

/** A document that its collection will never take. */
export interface SinkDeadLetter {
  readonly reason: "SINK_REJECTED";
  readonly message: string;
  /** The collection that refused it. */
  readonly collection: string;
  /** The server's error code; undefined when the document could not be encoded. */
  readonly code: number | undefined;
  /** The refused document. */
  readonly document: StoredDocument;
}

export type DeadLetter = RecordDeadLetter | SinkDeadLetter;

/**
 * What goes into a collection: text, numbers, bigint (int64), Date, bytes (Binary), null, and objects of these.
 * Plain JavaScript, so that nothing here depends on the driver.
 */
export interface StoredDocument {
  readonly _id: string;
  readonly [field: string]: unknown;
}

const DIGEST_CHARACTERS = 16;

type Fields = Record<string, unknown>;

/** What is kept of bytes, and of a document's text, that do not fit. */
const BYTES_KEPT_MAX = 1024 * 1024;
/** What is kept of a text that does not fit, in UTF-16 units. */
const TEXT_KEPT_MAX = 256 * 1024;
/** Below MongoDB's 16 MiB by more than the names, numbers and dates of a dead letter take. */
const CONTENT_BYTES_MAX = 15 * 1024 * 1024;
/** An `_id` up to this is kept readable, in UTF-16 units. */
const READABLE_ID_MAX = 1024 * 1024;

// Of the refusals, those by a rule of that one collection (a validator, a unique index): another collection can
// hold the document as it is. After any other the document itself is in doubt, and its text is stored.
const COLLECTION_RULE_CODES: ReadonlySet<number> = new Set([121, 11000]);

/** The document of a dead letter for the dead-letter collection. Bytes are not copied. */
export function deadLetterDocument(deadLetter: DeadLetter): StoredDocument {
  return deadLetter.reason === "SINK_REJECTED" ? sinkDocument(deadLetter) : recordDocument(deadLetter);
}

/**
 * `topic:partition:offset:log:digest`, injective since only the topic could hold a ":". A topic that was made again has
 * another id, and a log that was restored other content at the same place, which the digest tells: 64 bits of the
 * SHA-256 of the record's time, key and value, which no leader and no compaction changes.
 */
function recordId({ topic, partition, offset, log, timestamp, key, value }: RecordDeadLetter): string {
  const hash = createHash("sha256").update(`${timestamp}:${key?.length ?? -1}:${value?.length ?? -1}:`);
  if (key !== null) hash.update(key);
  if (value !== null) hash.update(value);
  const digest = hash.digest("hex").slice(0, DIGEST_CHARACTERS);
  return `${topic}:${partition}:${offset}:${log}:${digest}`;
}

/**
 * `collection:_id:length of collection:sink`; the ending keeps it apart from every record's. Only an `_id` too
 * long for a document of its own is replaced by its SHA-256.
 */
function sinkId({ collection, document }: SinkDeadLetter): string {
  const { _id } = document;
  if (_id.length <= READABLE_ID_MAX) return `${collection}:${_id}:${collection.length}:sink`;
  const digest = createHash("sha256").update(_id).digest("hex");
  return `${collection}:${digest}:${collection.length}:sha256:sink`;
}

function recordDocument(deadLetter: RecordDeadLetter): StoredDocument {
  const { field, conflict } = deadLetter;
  const fits = contentBytesMax(deadLetter) <= CONTENT_BYTES_MAX;
  const fields: Fields = { reason: deadLetter.reason };
  putText(fields, "message", deadLetter.message, fits);
  if (field !== undefined) fields.field = field;
  fields.topic = deadLetter.topic;
  fields.partition = deadLetter.partition;
  // Always an int64: as a plain number its BSON type would change with its size.
  fields.offset = BigInt(deadLetter.offset);
  fields.timestamp = recordTimestamp(deadLetter.timestamp);
  putBytes(fields, "key", deadLetter.key, fits);
  putBytes(fields, "value", deadLetter.value, fits);
  if (conflict !== undefined) {
    fields.kind = conflict.kind;
    fields.first = eventFields(conflict.first, fits);
    fields.event = eventFields(conflict.event, fits);
  }
  return { _id: recordId(deadLetter), ...fields };
}

function sinkDocument(deadLetter: SinkDeadLetter): StoredDocument {
  const { code, message, document } = deadLetter;
  const fields: Fields = { reason: deadLetter.reason };
  putText(fields, "message", message, message.length <= TEXT_KEPT_MAX);
  fields.collection = deadLetter.collection;
  fields.code = code ?? null;
  const text = JSON.stringify(extendedJson(document));
  // Half of the room, because the document's `_id` may be long and stands in the dead letter's `_id` once more.
  const fits = text.length * 3 <= CONTENT_BYTES_MAX / 2;
  const storable = code !== undefined && COLLECTION_RULE_CODES.has(code);
  if (storable && fits) fields.document = document;
  else putText(fields, "document", text, fits);
  return { _id: sinkId(deadLetter), ...fields };
}

/** A value as MongoDB Extended JSON, version 2, so that a reader gets its types back. */
function extendedJson(value: unknown): unknown {
  if (value instanceof Date) return { $date: { $numberLong: String(value.getTime()) } };
  if (value instanceof Uint8Array) {
    return { $binary: { base64: Buffer.from(value).toString("base64"), subType: "00" } };
  }
  if (typeof value === "bigint") return { $numberLong: String(value) };
  if (typeof value === "number" && !Number.isFinite(value)) return { $numberDouble: String(value) };
  if (Array.isArray(value)) return value.map(extendedJson);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, extendedJson(inner)]));
}

/** The sizes of all parts without a bound of their own, in bytes, from above. */
function contentBytesMax({ message, key, value, conflict }: RecordDeadLetter): number {
  let bytes = message.length * 3 + (key?.length ?? 0) + (value?.length ?? 0);
  if (conflict !== undefined) bytes += textBytesMax(conflict.first) + textBytesMax(conflict.event);
  return bytes;
}

function textBytesMax(event: Order | Payment): number {
  let bytes = 0;
  for (const value of Object.values(event)) if (typeof value === "string") bytes += value.length * 3;
  return bytes;
}

/** An event as it stands in the other collections: dates as Dates. */
function eventFields(event: Order | Payment, fits: boolean): Fields {
  const fields: Fields = {};
  for (const [name, value] of Object.entries(event)) {
    if (typeof value === "string") putText(fields, name, value, fits);
    else fields[name] = name === "amount" ? value : new Date(value);
  }
  return fields;
}

/** Null for a record without a timestamp; one beyond what a Date holds stays the number that it is. */
function recordTimestamp(timestampMs: number): Date | bigint | null {
  if (timestampMs === -1) return null;
  const date = new Date(timestampMs);
  return Number.isNaN(date.getTime()) ? BigInt(timestampMs) : date;
}

function putBytes(fields: Fields, name: string, bytes: Buffer | null, fits: boolean): void {
  if (bytes === null || fits || bytes.length <= BYTES_KEPT_MAX) {
    fields[name] = bytes;
    return;
  }
  fields[name] = bytes.subarray(0, BYTES_KEPT_MAX);
  fields[`${name}_length`] = bytes.length;
  fields[`${name}_truncated`] = true;
}

function putText(fields: Fields, name: string, text: string, fits: boolean): void {
  if (fits || text.length <= TEXT_KEPT_MAX) {
    fields[name] = text;
    return;
  }
  // Not between the halves of a surrogate pair, which UTF-8 could not write.
  const last = text.charCodeAt(TEXT_KEPT_MAX - 1);
  const splitsPair = last >= 0xd800 && last <= 0xdbff;
  fields[name] = text.slice(0, splitsPair ? TEXT_KEPT_MAX - 1 : TEXT_KEPT_MAX);
  fields[`${name}_length`] = text.length;
  fields[`${name}_truncated`] = true;
}
