/** Gathers what is known of one order_id: from state, from the collections, and from Kafka. */
import { ByteReader, ByteWriter, readChangelog } from "@order-payment-stream/beam";
import { type Store, StoredCellReader } from "@order-payment-stream/beam/direct";
import type { KafkaClient } from "@order-payment-stream/kafka";
import { Binary, type Db, type Document } from "mongodb";
import { decodeOrder, decodePayment } from "../../schemas/decode.js";
import type { EventKind, Order, Payment } from "../../schemas/events.js";
import { Malformed } from "../../schemas/malformed.js";
import { expiryOf } from "../../transforms/match.js";
import { waitingLog } from "../../transforms/waiting.js";
import type { WaitingEvent } from "../../transforms/waiting_events.js";
import type { KafkaSettings, MongodbSettings } from "../settings/options.js";
import type { ArrivalView, JoinedView, LetterView, UnmatchedView, WaitingView } from "./explanation.js";
import { type FoundRecord, type Positions, searchTopic } from "./search_topics.js";

const DOCUMENTS_MAX = 100;
const QUERY_MAX_MS = 10_000;

/** What waits in the state of the join. */
export function waitingIn(
  store: Pick<Store, "table" | "sizes">,
  orderId: string,
  timeoutMs: number,
): WaitingView[] {
  const cell = StoredCellReader.find(store, "waiting");
  if (cell === undefined) return [];
  const key = new ByteWriter(64);
  // The global window encodes to nothing, so the key stands alone.
  key.writeString(orderId);
  const value = new ByteReader();
  if (!cell.get(key, value) || value.remaining === 0) return [];
  const { orders, payments } = readChangelog(waitingLog, value).value;
  const view = ({ kind, event, isPaired }: WaitingEvent<Order> | WaitingEvent<Payment>): WaitingView => ({
    kind,
    id: kind === "order" ? event.order_id : (event as Payment).payment_id,
    createdAtMs: event.created_at,
    expiresAtMs: expiryOf(event, timeoutMs),
    isPaired,
    amount: event.amount,
  });
  return [...[...orders].map(view), ...[...payments].map(view)];
}

export interface Documents {
  readonly joined: readonly JoinedView[];
  readonly unmatched: readonly UnmatchedView[];
  readonly deadLetters: readonly LetterView[];
}

/** The dead letters have no index by order_id: looking for them reads the whole collection, for ten seconds at most. */
export async function documentsOf(db: Db, settings: MongodbSettings, orderId: string): Promise<Documents> {
  const limits = { limit: DOCUMENTS_MAX, maxTimeMS: QUERY_MAX_MS };
  const joined = db.collection(settings.mongodb_collection).find({ order_id: orderId }, limits);
  const unmatched = db.collection(settings.mongodb_unmatched_collection).find({ order_id: orderId }, limits);
  const letters = db.collection(settings.mongodb_dead_letter_collection).find(
    {
      $or: [
        { key: new Binary(Buffer.from(orderId)) },
        { "event.order_id": orderId },
        { "document.order_id": orderId },
      ],
    },
    limits,
  );
  const [ofJoined, ofUnmatched, ofLetters] = await Promise.all([
    joined.toArray(),
    unmatched.toArray(),
    letters.toArray(),
  ]);
  return {
    joined: ofJoined.map(joinedView),
    unmatched: ofUnmatched.map(unmatchedView),
    deadLetters: ofLetters.map(letterView),
  };
}

function joinedView({ _id, ...document }: Document): JoinedView {
  return {
    paymentId: String(document.payment_id),
    createdAtMs: msOf(document.created_at),
    paymentDateMs: msOf(document.payment_date),
    document,
  };
}

function unmatchedView(document: Document): UnmatchedView {
  const { kind, reason, created_at, expires_at, payment_id, order_id } = document;
  return {
    kind,
    reason: String(reason),
    id: String(kind === "order" ? order_id : payment_id),
    createdAtMs: msOf(created_at),
    expiresAtMs: msOf(expires_at),
  };
}

function letterView({ _id, reason, message, topic, partition, offset, kind }: Document): LetterView {
  return {
    id: String(_id),
    reason: String(reason),
    message: String(message),
    topic: topic ?? null,
    partition: partition ?? null,
    offset: offset == null ? null : String(offset),
    kind: kind ?? null,
  };
}

function msOf(value: unknown): number {
  return value instanceof Date ? value.getTime() : Number.NaN;
}

export interface Arrivals {
  readonly arrivals: readonly ArrivalView[];
  readonly note: string | undefined;
}

/**
 * Records with this order_id as their key, or in their value.
 * @param positions of the partitions that are read now, where that is known
 */
export async function arrivalsOf(
  client: KafkaClient,
  settings: KafkaSettings,
  orderId: string,
  between: { readonly fromMs: number; readonly toMs: number },
  positions: Positions,
): Promise<Arrivals> {
  const key = Buffer.from(orderId);
  const isWanted = ({ key: found, value }: FoundRecord): boolean =>
    found?.equals(key) === true || (found === null && value !== null && value.includes(key));
  const topics: readonly [EventKind, string][] = [
    ["order", settings.kafka_order_topic],
    ["payment", settings.kafka_payment_topic],
  ];
  const results = await Promise.all(
    topics.map(async ([kind, topic]) => ({
      kind,
      ...(await searchTopic(client, { topic, ...between, isWanted })),
    })),
  );
  const arrivals = results.flatMap(({ kind, found }) =>
    found.map((record) => arrivalView(kind, record, positions)),
  );
  arrivals.sort((a, b) => (a.timestampMs ?? 0) - (b.timestampMs ?? 0));
  const cut = results.filter(({ isCut }) => isCut);
  const records = results.reduce((sum, { recordsRead }) => sum + recordsRead, 0);
  return {
    arrivals,
    note:
      cut.length === 0
        ? undefined
        : `the search in Kafka ended after ${records.toLocaleString("en-US")} records, with more left: give a shorter time with --search`,
  };
}

function arrivalView(kind: EventKind, record: FoundRecord, positions: Positions): ArrivalView {
  const { topic, partition, offset, timestampMs, value } = record;
  const decode = kind === "order" ? decodeOrder : decodePayment;
  const event = value === null ? undefined : decode(value, 0, value.length);
  const isEvent = event !== undefined && !(event instanceof Malformed);
  const at = positions.find((one) => one.topic === topic && one.partition === partition);
  return {
    kind,
    topic,
    partition,
    offset,
    timestampMs: timestampMs < 0 ? null : timestampMs,
    createdAtMs: isEvent ? event.created_at : null,
    id: isEvent ? (kind === "order" ? event.order_id : (event as Payment).payment_id) : null,
    problem: value === null ? "it has no value" : event instanceof Malformed ? event.message : null,
    ...(at !== undefined && { isRead: offset < at.position }),
  };
}
