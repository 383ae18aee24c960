/**
 * The documents of dead letters, and their `_id`s. Their other fields are in dead_letter.ts.
 *
 * A dead letter can always be stored: its large parts are cut (dead_letter_cuts.ts). A part NAME that was cut has
 * NAME_truncated, NAME_length and NAME_sha256 beside it, which one that was not cut does not have.
 */
import { createHash } from "node:crypto";
import { inspect } from "node:util";
import {
  type DeadLetter,
  deadLetterFields,
  type RecordDeadLetter,
  type SinkDeadLetter,
  type StoredDocument,
} from "./dead_letter.js";
import { cutDeadLetter, shortDocument } from "./dead_letter_cuts.js";

const DIGEST_CHARACTERS = 16;

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
  return { _id: idOf(cut), ...deadLetterFields(cut) };
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
  return idOf(cutDeadLetter(deadLetter));
}

function idOf(cut: DeadLetter): string {
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
