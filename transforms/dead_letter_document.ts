/**
 * The documents of dead letters, and their `_id`s.
 *
 * A dead letter can always be stored: its large parts are cut (dead_letter_cuts.ts). A part NAME that was cut has
 * NAME_truncated, NAME_length and NAME_sha256 beside it, which one that was not cut does not have.
 */
import { createHash } from "node:crypto";
import { inspect } from "node:util";
import type { Order, Payment } from "../schemas/events.js";
import {
  type Cuts,
  type DeadLetter,
  FILE_LOG,
  type RecordDeadLetter,
  type SinkDeadLetter,
  type StoredDocument,
} from "./dead_letter.js";
import { cutDeadLetter, shortDocument } from "./dead_letter_cuts.js";

const DIGEST_CHARACTERS = 16;

type Fields = Record<string, unknown>;

/**
 * An `_id` up to this is kept readable, in UTF-16 units. No more than what an index of every server takes: some take
 * 1,024 bytes.
 */
const READABLE_ID_MAX = 256;

// Of the refusals, those by a rule of that one collection (a validator, a unique index): another collection can
// hold the document as it is. After any other the document itself is in doubt, and its text is stored.
const COLLECTION_RULE_CODES: ReadonlySet<number> = new Set([121, 11000]);

/** What becomes of a document that its collection refused, with the server's code and message. */
export function sinkDeadLetter(
  collection: string,
  document: StoredDocument,
  code: number | undefined,
  message: string,
): SinkDeadLetter {
  const isWellFormed = code !== undefined && COLLECTION_RULE_CODES.has(code);
  return cutDeadLetter({
    reason: "SINK_REJECTED",
    message,
    collection,
    code,
    documentId: documentIdOf(document),
    document: isWellFormed ? document : textOf(shortDocument(document)),
  });
}

/** Stands for the document that should have been made of an element, in a dead letter. */
export function unmadeDocument(element: unknown): StoredDocument {
  const digest = createHash("sha256").update(textOf(element)).digest("hex");
  return { _id: `unmade:${digest}`, element };
}

/** As Extended JSON, or in some other way: a dead letter must not fail for what it holds. */
function textOf(value: unknown): string {
  try {
    return JSON.stringify(extendedJson(value));
  } catch {
    return inspect(value, { depth: 5 });
  }
}

/** An `_id` that is too long for an index is replaced by its SHA-256. */
function documentIdOf({ _id }: StoredDocument): string {
  return _id.length <= READABLE_ID_MAX ? _id : `sha256:${createHash("sha256").update(_id).digest("hex")}`;
}

/** The document of a dead letter for the dead-letter collection. Bytes are not copied. */
export function deadLetterDocument(deadLetter: DeadLetter): StoredDocument {
  const cut = cutDeadLetter(deadLetter);
  return cut.reason === "SINK_REJECTED" ? sinkDocument(cut) : recordDocument(cut);
}

/** The fields of its document by which a dead letter is the same: what is said of a record may change with the clock. */
export const IDENTITY_FIELDS = [
  "topic",
  "partition",
  "file",
  "offset",
  "record",
  "key",
  "value",
  "collection",
] as const;

/** Tells documents apart that want one `_id`. */
export function digestOf(document: Readonly<Record<string, unknown>>): string {
  const hash = createHash("sha256");
  for (const name of IDENTITY_FIELDS) {
    const value = document[name];
    // What only files have counts only there, so that ids made before there were any stay what they are.
    if ((name === "file" || name === "record") && value === undefined) continue;
    hash.update(`${name}:`).update(value instanceof Uint8Array ? value : String(value));
  }
  return hash.digest("hex");
}

/** The `_id` of its document. */
export function deadLetterId(deadLetter: DeadLetter): string {
  const cut = cutDeadLetter(deadLetter);
  return cut.reason === "SINK_REJECTED" ? sinkId(cut) : recordId(cut);
}

/** collection:document's:length of collection:sink; the ending keeps it apart from every record's. */
function sinkId({ collection, documentId }: SinkDeadLetter): string {
  return `${collection}:${documentId}:${collection.length}:sink`;
}

/**
 * `topic:partition:offset:log:digest`, or `path:block:record:file:digest`, injective since only the topic or path could
 * hold a ":", and no topic holds a "/". A topic that was made again has
 * another id, and a log that was restored other content at the same place, which the digest tells: 64 bits of the
 * SHA-256 of the record's time, key and value, which no leader and no compaction changes.
 */
function recordId({ topic, partition, offset, log, timestamp, key, value, cuts }: RecordDeadLetter): string {
  const hash = createHash("sha256").update(`${timestamp}:${key?.length ?? -1}:${value?.length ?? -1}:`);
  if (key !== null) hash.update(key);
  if (value !== null) hash.update(value);
  hash.update(`${cuts?.key?.sha256 ?? ""}${cuts?.value?.sha256 ?? ""}`);
  const digest = hash.digest("hex").slice(0, DIGEST_CHARACTERS);
  const place =
    topic.length <= READABLE_ID_MAX ? topic : `/sha256/${createHash("sha256").update(topic).digest("hex")}`;
  return `${place}:${partition}:${offset}:${log}:${digest}`;
}

function recordDocument(deadLetter: RecordDeadLetter): StoredDocument {
  const { field, conflict, cuts } = deadLetter;
  const fields: Fields = { reason: deadLetter.reason };
  put(fields, "message", deadLetter.message, cuts);
  if (field !== undefined) fields.field = field;
  putPlace(fields, deadLetter);
  fields.timestamp = recordTimestamp(deadLetter.timestamp);
  put(fields, "key", deadLetter.key, cuts);
  put(fields, "value", deadLetter.value, cuts);
  if (conflict !== undefined) {
    fields.kind = conflict.kind;
    fields.first = eventFields("first", conflict.first, cuts);
    fields.event = eventFields("event", conflict.event, cuts);
  }
  return { _id: recordId(deadLetter), ...fields };
}

/** Offsets are always int64: as a plain number their BSON type would change with their size. */
function putPlace(fields: Fields, { topic, partition, offset, log }: RecordDeadLetter): void {
  if (log !== FILE_LOG) {
    fields.topic = topic;
    fields.partition = partition;
    fields.offset = BigInt(offset);
    return;
  }
  fields.file = topic;
  fields.offset = BigInt(partition === 0 ? offset : partition);
  if (partition !== 0) fields.record = offset;
}

function sinkDocument(deadLetter: SinkDeadLetter): StoredDocument {
  const { message, collection, code, document, cuts } = deadLetter;
  const fields: Fields = { reason: "SINK_REJECTED" };
  put(fields, "message", message, cuts);
  fields.collection = collection;
  fields.code = code ?? null;
  if (typeof document === "string") put(fields, "document", document, cuts);
  else fields.document = documentFields(document, cuts);
  return { _id: sinkId(deadLetter), ...fields };
}

function documentFields(document: StoredDocument, cuts: Cuts | undefined): Fields {
  const fields: Fields = {};
  for (const [name, value] of Object.entries(document)) put(fields, name, value, cuts, `document.${name}`);
  return fields;
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

/** An event as it stands in the other collections: dates as Dates. */
function eventFields(version: "first" | "event", event: Order | Payment, cuts: Cuts | undefined): Fields {
  const fields: Fields = {};
  for (const [name, value] of Object.entries(event)) {
    const stored = typeof value === "string" || name === "amount" ? value : new Date(value);
    put(fields, name, stored, cuts, `${version}.${name}`);
  }
  return fields;
}

/** Null for a record without a timestamp; one beyond what a Date holds stays the number that it is. */
function recordTimestamp(timestampMs: number): Date | bigint | null {
  if (timestampMs === -1) return null;
  const date = new Date(timestampMs);
  return Number.isNaN(date.getTime()) ? BigInt(timestampMs) : date;
}

/** @param part what the value is called in `cuts` */
function put(fields: Fields, name: string, value: unknown, cuts: Cuts | undefined, part = name): void {
  fields[name] = value;
  const cut = cuts?.[part];
  if (cut === undefined) return;
  fields[`${name}_truncated`] = true;
  fields[`${name}_length`] = cut.length;
  fields[`${name}_sha256`] = cut.sha256;
}
