/**
 * Sends dead letters to a topic again, as they were received or as somebody has edited them.
 *
 * - A letter is marked before it is sent and when it has been: one that was under way when a replay ended is looked for
 *   in the topic before it is sent again, so that a replay may be repeated whenever it broke off.
 * - What would become a dead letter again is left out, unless the request says otherwise: a value that still is no
 *   event, one whose time is over, one that contradicts an event that stands.
 * - Records have two headers more: which letter they are, and how often it has been replayed.
 */

import { formatTimestamp } from "@order-payment-stream/beam";
import { sleep, systemClock } from "@order-payment-stream/beam/io";
import type { KafkaClient } from "@order-payment-stream/kafka";
import { Kafka, type KafkaConfig, logLevel, type Producer } from "kafkajs";
import type { Collection } from "mongodb";
import { createKeyPartitioner } from "../../producers/partitioner.js";
import { Malformed } from "../../schemas/malformed.js";
import { expiryOf } from "../../transforms/match.js";
import { searchTopic } from "../explain/search_topics.js";
import {
  bytesOf,
  decodeAs,
  findLetters,
  kindOf,
  type LetterDocument,
  type LetterFilter,
  replayMarkOf,
  type Topics,
} from "./letters.js";

export const HEADER_ID = "dead-letter-id";
export const HEADER_REPLAYS = "dead-letter-replays";

/** Bytes that somebody has edited, by the id of their letter. */
export type Edits = ReadonlyMap<string, { readonly key: Buffer | null; readonly value: Buffer | null }>;

export interface ReplayRequest {
  readonly filter: LetterFilter;
  readonly edits?: Edits;
  /** In place of the topic that each came from. */
  readonly toTopic?: string | undefined;
  /** Letters that are looked at, at most. */
  readonly limit: number;
  readonly ratePerSecond: number;
  /** Nothing is sent and nothing is marked. */
  readonly isDryRun: boolean;
  /** Also what would become a dead letter again. */
  readonly isAnyway: boolean;
  /** Also what was replayed before. */
  readonly isAgain: boolean;
}

export interface ReplayContext {
  readonly collection: Collection<LetterDocument>;
  readonly kafka: KafkaConfig;
  /** For looking into topics. */
  readonly client: () => Promise<KafkaClient>;
  readonly topics: Topics;
  readonly timeoutMs: number;
  /** Before this, in event time, everything is over. */
  readonly eventTimeMs: number;
  readonly maxAheadOfClockMs: number | null;
  /** Values in Confluent's frame are read by the run with a registry, and not here. */
  readonly needsRegistry: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (sent: number) => void;
}

export interface ReplayResult {
  /** Letters looked at. */
  readonly found: number;
  /** Sent, or in a dry run: that would be. */
  readonly sent: number;
  /** Sent by a replay that broke off before it could say so. */
  readonly alreadySent: number;
  /** Why how many were left out. */
  readonly leftOut: Readonly<Record<string, number>>;
  readonly isDryRun: boolean;
  /** The first of each kind, for people. */
  readonly examples: readonly string[];
}

interface Chosen {
  readonly letter: LetterDocument;
  readonly topic: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly count: number;
}

const BATCH_MAX = 100;
const EXAMPLES_MAX = 20;
/** The clock of a record that was sent may be another's. */
const CLOCK_TOLERANCE_MS = 60_000;

export async function replay(request: ReplayRequest, context: ReplayContext): Promise<ReplayResult> {
  const { filter, limit, isDryRun, ratePerSecond } = request;
  const leftOut = new Map<string, number>();
  const examples: string[] = [];
  const chosen: Chosen[] = [];
  const unsure: Chosen[] = [];
  let found = 0;
  for await (const letter of findLetters(context.collection, filter, limit)) {
    found++;
    const choice = choose(letter, request, context);
    if (typeof choice === "string") {
      const kind = choice.replace(/:.*$/s, "");
      if (!leftOut.has(kind) && examples.length < EXAMPLES_MAX) examples.push(`${letter._id}: ${choice}`);
      leftOut.set(kind, (leftOut.get(kind) ?? 0) + 1);
    } else if (replayMarkOf(letter)?.state === "sending") unsure.push(choice);
    else chosen.push(choice);
  }
  const tally = { found, leftOut: Object.fromEntries(leftOut), isDryRun, examples };
  if (isDryRun) return { ...tally, sent: chosen.length + unsure.length, alreadySent: 0 };
  const lost = await lookForUnsure(unsure, context);
  const alreadySent = unsure.length - lost.length;
  const toSend = [...lost, ...chosen].reverse();
  const sent = toSend.length === 0 ? 0 : await sendAll(toSend, ratePerSecond, context);
  return { ...tally, sent, alreadySent };
}

/** What is to be sent, or why nothing is; of that the part before the colon is the same for all of its kind. */
function choose(letter: LetterDocument, request: ReplayRequest, context: ReplayContext): Chosen | string {
  const { toTopic, edits, isAnyway, isAgain } = request;
  const edited = edits?.get(letter._id);
  const topic = toTopic ?? letter.topic;
  if (letter.reason === "SINK_REJECTED") return "it is a document that a collection rejected, not a record";
  if (typeof topic !== "string") return "it came from a file, and no topic is named to send it to";
  if (edited === undefined && (letter.key_truncated || letter.value_truncated)) {
    return "only the beginning of it is kept: it was too large";
  }
  const key = edited === undefined ? bytesOf(letter.key) : edited.key;
  const value = edited === undefined ? bytesOf(letter.value) : edited.value;
  if (edited === undefined && isBatch(key, value))
    return "it is a whole batch of records that could not be decompressed";
  const mark = replayMarkOf(letter);
  if (mark?.state === "done" && !isAgain) {
    return `it was replayed already: at ${mark.at.toISOString()}, to ${mark.topic}[${mark.partition}], offset ${mark.offset}`;
  }
  const refusal = isAnyway ? undefined : refusalOf(letter, topic, value, edited !== undefined, context);
  if (refusal !== undefined) return refusal;
  const count = mark?.state === "sending" ? mark.count : (mark?.count ?? 0) + 1;
  return { letter, topic, key, value, count };
}

/** Why it would be a dead letter again; undefined: it would not, as far as can be told. */
function refusalOf(
  letter: LetterDocument,
  topic: string,
  value: Buffer | null,
  isEdited: boolean,
  { topics, timeoutMs, eventTimeMs, maxAheadOfClockMs, needsRegistry }: ReplayContext,
): string | undefined {
  const kind = kindOf(topic, topics);
  // Another topic: whoever reads it may want it as it is.
  if (kind === undefined) return undefined;
  // Its schema is elsewhere: the run decides.
  if (needsRegistry && value !== null && value[0] === 0) return undefined;
  const event = decodeAs(kind, value);
  if (event === null) return "it would be NULL_VALUE again: it has no value";
  if (event instanceof Malformed) return `it would be ${event.reason} again: ${event.message}`;
  if (expiryOf(event, timeoutMs) < eventTimeMs) {
    return `it would be LATE: its time to find a partner ended ${formatTimestamp(expiryOf(event, timeoutMs))}`;
  }
  if (maxAheadOfClockMs !== null && event.created_at > systemClock.now() + maxAheadOfClockMs) {
    return `it would be FUTURE_TIMESTAMP again: created_at is ${formatTimestamp(event.created_at)}`;
  }
  const stands = letter.first?.created_at;
  if (letter.reason === "CONFLICT" && !isEdited && stands instanceof Date) {
    if (stands.getTime() + timeoutMs >= eventTimeMs)
      return "it would be CONFLICT again: the event that came first stands";
  }
  return undefined;
}

/** A record batch as it lay in Kafka: KIP-98, magic 2. */
function isBatch(key: Buffer | null, value: Buffer | null): boolean {
  return key === null && value !== null && value.length > 61 && value[16] === 2 && value.readInt32BE(8) > 0;
}

/** Marks those that are found in their topic, and returns the others. */
async function lookForUnsure(unsure: readonly Chosen[], context: ReplayContext): Promise<Chosen[]> {
  if (unsure.length === 0) return [];
  const client = await context.client();
  const lost: Chosen[] = [];
  try {
    for (const choice of unsure) {
      const { letter, topic, key, value } = choice;
      const since = replayMarkOf(letter)!.at.getTime() - CLOCK_TOLERANCE_MS;
      const isSame = (a: Buffer | null, b: Buffer | null): boolean =>
        a === null || b === null ? a === b : a.equals(b);
      const { found } = await searchTopic(client, {
        topic,
        fromMs: since,
        toMs: Number.POSITIVE_INFINITY,
        isWanted: (record) => isSame(record.key, key) && isSame(record.value, value),
      });
      const [record] = found;
      if (record === undefined) lost.push(choice);
      else await mark(context, [choice], "done", () => record);
    }
  } finally {
    await client.close();
  }
  return lost;
}

async function sendAll(
  chosen: readonly Chosen[],
  ratePerSecond: number,
  context: ReplayContext,
): Promise<number> {
  const producer = new Kafka({ logLevel: logLevel.NOTHING, ...context.kafka }).producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    createPartitioner: createKeyPartitioner,
  });
  await producer.connect();
  let sent = 0;
  try {
    const batchSize = Math.max(1, Math.min(BATCH_MAX, Math.ceil(ratePerSecond / 2)));
    for (let at = 0; at < chosen.length; at += batchSize) {
      context.signal?.throwIfAborted();
      const startedMs = systemClock.elapsed();
      const batch = chosen.slice(at, at + batchSize);
      await mark(context, batch, "sending");
      await sendBatch(producer, batch, context);
      sent += batch.length;
      context.onProgress?.(sent);
      const leftMs = (batch.length * 1000) / ratePerSecond - (systemClock.elapsed() - startedMs);
      if (leftMs > 0 && at + batchSize < chosen.length) await sleep(leftMs);
    }
  } finally {
    await producer.disconnect();
  }
  return sent;
}

/** One record a request, so that each answer says where that one lies; all requests of a batch are under way at once. */
async function sendBatch(
  producer: Producer,
  batch: readonly Chosen[],
  context: ReplayContext,
): Promise<void> {
  const places = new Map<Chosen, { partition: number; offset: string }>();
  await Promise.all(
    batch.map(async (choice) => {
      const { letter, topic, key, value, count } = choice;
      const headers = { [HEADER_ID]: letter._id, [HEADER_REPLAYS]: String(count) };
      // Without a key any partition does: the partitioner wants bytes.
      const place = key === null ? { partition: 0 } : {};
      const [answer] = await producer.send({
        topic,
        acks: -1,
        messages: [{ key, value, headers, ...place }],
      });
      places.set(choice, { partition: answer!.partition, offset: String(answer!.baseOffset) });
    }),
  );
  await mark(context, batch, "done", (choice) => places.get(choice)!);
}

async function mark(
  { collection }: ReplayContext,
  batch: readonly Chosen[],
  state: "sending" | "done",
  placeOf?: (choice: Chosen) => { readonly partition: number; readonly offset: number | string },
): Promise<void> {
  const at = new Date(systemClock.now());
  await collection.bulkWrite(
    batch.map((choice) => {
      const { letter, topic, count } = choice;
      const place = placeOf?.(choice);
      const replay = {
        state,
        count,
        at,
        topic,
        ...(place !== undefined && { partition: place.partition, offset: String(place.offset) }),
      };
      return { updateOne: { filter: { _id: letter._id }, update: { $set: { replay } } } };
    }),
    { writeConcern: { w: "majority" } },
  );
}
