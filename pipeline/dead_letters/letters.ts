/** Dead letters in their collection: found by what they are, and shown with their bytes decoded. */
import { Binary, type Collection, type Document, type Filter } from "mongodb";
import { decodeOrder, decodePayment } from "../../schemas/decode.js";
import type { Order, Payment } from "../../schemas/events.js";
import { Malformed } from "../../schemas/malformed.js";

export interface LetterFilter {
  readonly reason?: string | undefined;
  /** Of the record, ms. */
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
  readonly topic?: string | undefined;
  readonly ids?: readonly string[] | undefined;
  /** The Kafka key of the record. */
  readonly key?: string | undefined;
}

/** Documents of the collection have string ids, so that the driver's own type for ids does not fit. */
export interface LetterDocument extends Document {
  readonly _id: string;
}

export function mongoFilter(filter: LetterFilter): Filter<LetterDocument> {
  const { reason, sinceMs, untilMs, topic, ids, key } = filter;
  const time = {
    ...(sinceMs !== undefined && { $gte: new Date(sinceMs) }),
    ...(untilMs !== undefined && { $lt: new Date(untilMs) }),
  };
  return {
    ...(reason !== undefined && { reason }),
    ...(topic !== undefined && { topic }),
    ...(Object.keys(time).length > 0 && { timestamp: time }),
    ...(ids !== undefined && { _id: { $in: [...ids] } }),
    ...(key !== undefined && { key: new Binary(Buffer.from(key)) }),
  } as Filter<LetterDocument>;
}

/** Newest first, by the time that the record has in Kafka; those without one last. */
export function findLetters(
  collection: Collection<LetterDocument>,
  filter: LetterFilter,
  limit: number,
): AsyncIterable<LetterDocument> {
  return collection.find(mongoFilter(filter), { promoteBuffers: true }).sort({ timestamp: -1 }).limit(limit);
}

/** What a replay leaves in the document of a letter. */
export interface ReplayMark {
  /** "sending": begun, and nobody knows whether it got through. */
  readonly state: "sending" | "done";
  /** Times that it was replayed, this one included. */
  readonly count: number;
  readonly at: Date;
  readonly topic: string;
  /** Of the record that was sent; absent while it is under way. */
  readonly partition?: number;
  readonly offset?: string;
}

export function replayMarkOf(letter: Document): ReplayMark | undefined {
  return letter.replay as ReplayMark | undefined;
}

/** Bytes for people: as text where they are some, and in hexadecimal. */
export interface BytesView {
  readonly length: number;
  readonly text: string | null;
  /** The first of them. */
  readonly hex: string;
  readonly isCut: boolean;
}

const HEX_BYTES_MAX = 4_096;

export function bytesView(bytes: Uint8Array | null, isCut = false): BytesView | null {
  if (bytes === null) return null;
  return {
    length: bytes.length,
    text: textOf(bytes) ?? null,
    hex: Buffer.from(bytes.subarray(0, HEX_BYTES_MAX)).toString("hex"),
    isCut,
  };
}

/** Undefined for what is no UTF-8, or has control characters that would upset a terminal. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return /[^\P{C}\s]/u.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

/** The bytes of a field of a letter; null where it has none. */
export function bytesOf(value: unknown): Buffer | null {
  if (value === null || value === undefined) return null;
  if (value instanceof Binary) return Buffer.from(value.buffer.subarray(0, value.position));
  return Buffer.from(value as Uint8Array);
}

/** What a value is now, as an event of its topic. */
export function decodeAs(
  kind: "order" | "payment",
  value: Buffer | null,
): Order | Payment | Malformed | null {
  if (value === null) return null;
  return (kind === "order" ? decodeOrder : decodePayment)(value, 0, value.length);
}

export interface LetterView {
  readonly id: string;
  readonly reason: string;
  readonly message: string;
  readonly field: string | null;
  readonly topic: string | null;
  readonly partition: number | null;
  readonly offset: string | null;
  readonly timestamp: string | null;
  readonly key: BytesView | null;
  readonly value: BytesView | null;
  /** What the value is as an event, with times as people read them; or why it is none. */
  readonly decoded: Readonly<Record<string, unknown>> | string | null;
  /** The event that stands, for CONFLICT; the document, for SINK_REJECTED. */
  readonly beside: unknown;
  readonly replay: ReplayMark | null;
}

export function letterView(letter: LetterDocument, topics: Topics): LetterView {
  const value = bytesOf(letter.value);
  const kind = kindOf(letter.topic, topics);
  const decoded = kind === undefined ? null : decodeAs(kind, value);
  return {
    id: letter._id,
    reason: letter.reason,
    message: letter.message,
    field: letter.field ?? null,
    topic: letter.topic ?? null,
    partition: letter.partition ?? null,
    offset: letter.offset == null ? null : String(letter.offset),
    timestamp: letter.timestamp instanceof Date ? letter.timestamp.toISOString() : null,
    key: bytesView(bytesOf(letter.key), letter.key_truncated === true),
    value: bytesView(value, letter.value_truncated === true),
    decoded: decoded === null ? null : decoded instanceof Malformed ? decoded.message : readable(decoded),
    beside: letter.first ?? letter.document ?? null,
    replay: replayMarkOf(letter) ?? null,
  };
}

export interface Topics {
  readonly orders: string;
  readonly payments: string;
}

export function kindOf(topic: unknown, { orders, payments }: Topics): "order" | "payment" | undefined {
  if (topic === orders) return "order";
  return topic === payments ? "payment" : undefined;
}

function readable(event: Order | Payment): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(event).map(([name, value]) => {
      const isTime = name === "created_at" || name.endsWith("_date");
      const date = new Date(value);
      return [name, isTime && !Number.isNaN(date.getTime()) ? date.toISOString() : value];
    }),
  );
}
