/**
 * Dead letters: what becomes of a record, or of a document, that cannot end anywhere else. The one home of their
 * reasons, of their shape, and of the fields of their documents (dead_letter_document.ts adds the `_id`). In files of
 * Avro a field has a column where schemas/dead_letter.avsc names it; the others are in the column `more`.
 */
import type { EventKind, EventOfKind, Order, Payment } from "../schemas/events.js";

const RECORD_REASONS = [
  "UNDECODABLE",
  "INVALID",
  "NULL_VALUE",
  "FUTURE_TIMESTAMP",
  "LATE",
  "CONFLICT",
] as const;

/** In the order in which they are told; dead_letter_coder.ts writes a reason as its place in it. */
export const DEAD_LETTER_REASONS = [...RECORD_REASONS, "SINK_REJECTED"] as const;

export type RecordReason = (typeof RECORD_REASONS)[number];
export type DeadLetterReason = (typeof DEAD_LETTER_REASONS)[number];

/** What was cut away from: a text counts in the bytes of its UTF-8. */
export interface Cut {
  /** Bytes of the whole. */
  readonly length: number;
  /** Of the whole, in hexadecimal. */
  readonly sha256: string;
}

/** By the names of the parts, such as "value" and "first.customer_id". */
export type Cuts = Readonly<Record<string, Cut>>;

/** In place of a log's identity: the record is of a file, whose place is told as below. */
export const FILE_LOG = "file";

/**
 * A record that could not be joined: of Kafka, or of a file. There `log` is FILE_LOG, `topic` the file's path,
 * `partition` the offset of the record's block and `offset` its number in the block; or, for a line or the file as a
 * whole, 0 and the offset in the file. No block begins at 0.
 */
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
  /** As received, or the beginning of that. */
  readonly key: Buffer | null;
  /** As received, or the beginning of that. */
  readonly value: Buffer | null;
  /** For CONFLICT: both versions. */
  readonly conflict?: Conflict;
  readonly cuts?: Cuts;
}

interface ConflictOf<K extends EventKind> {
  readonly kind: K;
  /** The one that stands. */
  readonly first: EventOfKind[K];
  /** The one that was refused. */
  readonly event: EventOfKind[K];
}

/** Two events of one kind and one id that differ. */
export type Conflict = ConflictOf<"order"> | ConflictOf<"payment">;

/** A document that its collection will never take. */
export interface SinkDeadLetter {
  readonly reason: "SINK_REJECTED";
  readonly message: string;
  /** The collection that refused it. */
  readonly collection: string;
  /** The server's error code; undefined when the document could not be encoded. */
  readonly code: number | undefined;
  /** Which document, in no more than some hundred characters. */
  readonly documentId: string;
  /** The refused document; where it is in doubt itself, as text in MongoDB Extended JSON. */
  readonly document: StoredDocument | string;
  readonly cuts?: Cuts;
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

/** Why a record is refused. */
export type Refused = Pick<RecordDeadLetter, "reason" | "message" | "field" | "conflict">;

/** Which log, or file, a record was read from. */
export type RecordOrigin = Pick<RecordDeadLetter, "topic" | "partition" | "log">;

/** A record as it was received. */
export type ReceivedRecord = Pick<RecordDeadLetter, "offset" | "timestamp" | "key" | "value">;

/** A record of Kafka as it lies in its batch: where a key or a value starts at -1, there is none. */
export interface RecordInBatch {
  readonly offset: number;
  /** -1 when it has none. */
  readonly timestampMs: number;
  readonly buffer: Buffer;
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly valueStart: number;
  readonly valueEnd: number;
}

/** The dead letter of a record. Bytes are not copied. */
export function recordDeadLetter(
  { reason, message, field, conflict }: Refused,
  { topic, partition, log }: RecordOrigin,
  { offset, timestamp, key, value }: ReceivedRecord,
): RecordDeadLetter {
  return {
    reason,
    message,
    ...(field !== undefined && { field }),
    topic,
    partition,
    offset,
    log,
    timestamp,
    key,
    value,
    ...(conflict !== undefined && { conflict }),
  };
}

/** The dead letter of a record of Kafka. Bytes are not copied. */
export function kafkaDeadLetter(
  refused: Refused,
  origin: RecordOrigin,
  { offset, timestampMs: timestamp, buffer, keyStart, keyEnd, valueStart, valueEnd }: RecordInBatch,
): RecordDeadLetter {
  return recordDeadLetter(refused, origin, {
    offset,
    timestamp,
    key: keyStart < 0 ? null : buffer.subarray(keyStart, keyEnd),
    value: valueStart < 0 ? null : buffer.subarray(valueStart, valueEnd),
  });
}

type Fields = Record<string, unknown>;

/** The fields of its document, but for the _id. Bytes are not copied. */
export function deadLetterFields(deadLetter: DeadLetter): Fields {
  return deadLetter.reason === "SINK_REJECTED" ? sinkFields(deadLetter) : recordFields(deadLetter);
}

function recordFields(deadLetter: RecordDeadLetter): Fields {
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
  return fields;
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

function sinkFields(deadLetter: SinkDeadLetter): Fields {
  const { message, collection, code, document, cuts } = deadLetter;
  const fields: Fields = { reason: "SINK_REJECTED" };
  put(fields, "message", message, cuts);
  fields.collection = collection;
  fields.code = code ?? null;
  if (typeof document === "string") put(fields, "document", document, cuts);
  else fields.document = documentFields(document, cuts);
  return fields;
}

function documentFields(document: StoredDocument, cuts: Cuts | undefined): Fields {
  const fields: Fields = {};
  for (const [name, value] of Object.entries(document)) put(fields, name, value, cuts, `document.${name}`);
  return fields;
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
