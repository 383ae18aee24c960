/**
 * Dead letters: what becomes of a record, or of a document, that cannot end anywhere else. The one home of their
 * reasons and their shape; dead_letter_document.ts makes their documents.
 */
import type { EventKind, Order, Payment } from "../schemas/events.js";

export type RecordReason =
  | "UNDECODABLE"
  | "INVALID"
  | "NULL_VALUE"
  | "FUTURE_TIMESTAMP"
  | "LATE"
  | "CONFLICT";

export type DeadLetterReason = RecordReason | "SINK_REJECTED";

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
