/** One order_id explained: what is known is gathered, and what cannot be asked is said. */

import type { Store } from "@order-payment-stream/beam/direct";
import { systemClock } from "@order-payment-stream/beam/io";
import type { KafkaClient } from "@order-payment-stream/kafka";
import { describeError } from "@order-payment-stream/mongodb";
import type { Db } from "mongodb";
import type { KafkaSettings, MongodbSettings } from "../settings/options.js";
import { arrivalsOf, type Documents, documentsOf, waitingIn } from "./evidence.js";
import type { Evidence, Explanation, WatermarkView } from "./explanation.js";
import type { Positions } from "./search_topics.js";
import { verdictOf } from "./verdict.js";

export interface Sources {
  readonly settings: MongodbSettings &
    KafkaSettings & { readonly state_timeout_minutes: number; readonly max_out_of_orderness: number };
  readonly database: () => Promise<Db>;
  /** Undefined: Kafka is not asked. Closed by `explain`. */
  readonly kafka: (() => Promise<KafkaClient>) | undefined;
  readonly state: { readonly store: Pick<Store, "table" | "sizes">; readonly from: string } | undefined;
  readonly watermark: WatermarkView;
  readonly positions: Positions;
  /** How far back to look in Kafka where nothing says when it came. */
  readonly searchMs: number;
}

const UNKNOWN: Documents = { joined: [], unmatched: [], deadLetters: [] };
/** Records come later than their events were created. */
const DELAY_MS = 60 * 60_000;

export async function explain(orderId: string, sources: Sources): Promise<Explanation> {
  const { settings, state, watermark } = sources;
  const { state_timeout_minutes: timeoutMs, max_out_of_orderness: disorderMs } = settings;
  const notes: string[] = [];
  const waiting = state === undefined ? [] : waitingIn(state.store, orderId, timeoutMs);
  if (state === undefined) notes.push("no state was read: set STATE_DIR, or ask the page of the run");
  let documents = UNKNOWN;
  try {
    documents = await documentsOf(await sources.database(), settings, orderId);
  } catch (error) {
    notes.push(`MongoDB could not be asked: ${describeError(error)}`);
  }
  const atMs = systemClock.now();
  const times = [...waiting, ...documents.unmatched, ...documents.joined].map(
    ({ createdAtMs }) => createdAtMs,
  );
  const between =
    times.length === 0
      ? { fromMs: atMs - sources.searchMs, toMs: Number.POSITIVE_INFINITY }
      : {
          fromMs: Math.min(...times) - timeoutMs - disorderMs,
          toMs: Math.max(...times) + timeoutMs + DELAY_MS,
        };
  const found = await lookIntoKafka(orderId, sources, between, notes);
  const evidence: Evidence = {
    orderId,
    atMs,
    timeoutMs,
    stateFrom: state?.from ?? null,
    waiting,
    watermark,
    ...documents,
    arrivals: found,
    notes,
  };
  return { ...evidence, verdict: verdictOf(evidence) };
}

async function lookIntoKafka(
  orderId: string,
  { kafka, settings, positions }: Sources,
  between: { readonly fromMs: number; readonly toMs: number },
  notes: string[],
): Promise<Evidence["arrivals"]> {
  if (kafka === undefined) return null;
  try {
    const client = await kafka();
    try {
      const { arrivals, note } = await arrivalsOf(client, settings, orderId, between, positions);
      if (note !== undefined) notes.push(note);
      return arrivals;
    } finally {
      await client.close();
    }
  } catch (error) {
    notes.push(`Kafka could not be asked: ${describeError(error)}`);
    return null;
  }
}
