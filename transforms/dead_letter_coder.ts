/**
 * Dead letters between steps. They travel without what would be cut at their end anyhow.
 *
 *     dead letter = reason byte, its index in DEAD_LETTER_REASONS | of a record, or a refused document's
 *     of a record = message string | field string, empty: none | topic string | partition varint | offset varint
 *                   | log string | timestamp double | key bytes? | value bytes? | conflict? | cuts
 *     bytes?      = 0 for null; or 1 | varint length | bytes
 *     conflict?   = 0; or 1 | first order | event order; or 2 | first payment | event payment
 *     cuts        = varint count | count times (part string | length varint | sha256 string)
 *     a document's = length int32 | BSON: a document has any shape
 */
import {
  type ByteReader,
  type ByteWriter,
  type Coder,
  CorruptBytesError,
  coders,
  leafCoder,
} from "@order-payment-stream/beam";
import { BSON } from "mongodb";
import {
  type Conflict,
  type Cut,
  type Cuts,
  DEAD_LETTER_REASONS,
  type DeadLetter,
  type RecordDeadLetter,
  type RecordReason,
  recordDeadLetter,
  type SinkDeadLetter,
} from "./dead_letter.js";
import { cutDeadLetter } from "./dead_letter_cuts.js";
import { readOrder, readPayment, writeOrder, writePayment } from "./event_coders.js";

export const deadLetterCoder = leafCoder<DeadLetter>(
  "order-payment-stream:coder:dead_letter:v2",
  (deadLetter: DeadLetter, out: ByteWriter) => {
    const letter = cutDeadLetter(deadLetter);
    out.writeByte(DEAD_LETTER_REASONS.indexOf(letter.reason));
    if (letter.reason === "SINK_REJECTED") out.writeBytes(BSON.serialize(letter, { ignoreUndefined: true }));
    else writeOfRecord(letter, out);
  },
  (input: ByteReader) => {
    const place = input.readByte();
    const reason = DEAD_LETTER_REASONS[place];
    if (reason === undefined) throw new CorruptBytesError(`reason ${place} of a dead letter`);
    if (reason !== "SINK_REJECTED") return readOfRecord(reason, input);
    const length = input.buffer.readInt32LE(input.position);
    return BSON.deserialize(input.readView(length), { promoteBuffers: true }) as SinkDeadLetter;
  },
);

const nullableBytes = coders.nullable(coders.bytes) as Coder<Buffer | null>;

function writeOfRecord(letter: RecordDeadLetter, out: ByteWriter): void {
  out.writeString(letter.message);
  out.writeString(letter.field ?? "");
  out.writeString(letter.topic);
  out.writeVarint(letter.partition);
  out.writeVarint(letter.offset);
  out.writeString(letter.log);
  out.writeDouble(letter.timestamp);
  nullableBytes.encode(letter.key, out, "nested");
  nullableBytes.encode(letter.value, out, "nested");
  writeConflict(letter.conflict, out);
  writeCuts(letter.cuts, out);
}

function readOfRecord(reason: RecordReason, input: ByteReader): RecordDeadLetter {
  const message = input.readString();
  const field = input.readString();
  const topic = input.readString();
  const partition = input.readVarint();
  const offset = input.readVarint();
  const log = input.readString();
  const timestamp = input.readDouble();
  const key = nullableBytes.decode(input, "nested");
  const value = nullableBytes.decode(input, "nested");
  const conflict = readConflict(input);
  const cuts = readCuts(input);
  const refused = {
    reason,
    message,
    ...(field !== "" && { field }),
    ...(conflict !== undefined && { conflict }),
  };
  const letter = recordDeadLetter(refused, { topic, partition, log }, { offset, timestamp, key, value });
  return cuts === undefined ? letter : { ...letter, cuts };
}

function writeConflict(conflict: Conflict | undefined, out: ByteWriter): void {
  if (conflict === undefined) {
    out.writeByte(0);
  } else if (conflict.kind === "order") {
    out.writeByte(1);
    writeOrder(conflict.first, out);
    writeOrder(conflict.event, out);
  } else {
    out.writeByte(2);
    writePayment(conflict.first, out);
    writePayment(conflict.event, out);
  }
}

function readConflict(input: ByteReader): Conflict | undefined {
  const tag = input.readByte();
  if (tag === 0) return undefined;
  return tag === 1
    ? { kind: "order", first: readOrder(input), event: readOrder(input) }
    : { kind: "payment", first: readPayment(input), event: readPayment(input) };
}

function writeCuts(cuts: Cuts | undefined, out: ByteWriter): void {
  if (cuts === undefined) {
    out.writeByte(0);
    return;
  }
  const entries = Object.entries(cuts);
  out.writeVarint(entries.length);
  for (const [part, { length, sha256 }] of entries) {
    out.writeString(part);
    out.writeVarint(length);
    out.writeString(sha256);
  }
}

function readCuts(input: ByteReader): Cuts | undefined {
  const count = input.readVarint();
  if (count === 0) return undefined;
  const cuts: Record<string, Cut> = {};
  for (let i = 0; i < count; i++) {
    cuts[input.readString()] = { length: input.readVarint(), sha256: input.readString() };
  }
  return cuts;
}
