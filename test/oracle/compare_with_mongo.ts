/**
 * Holds the three collections against the oracle's answer, and says in readable lines what differs. Reads whole
 * collections: nothing that is there may go unseen, and a document too many is as wrong as one too few.
 */
import { createHash } from "node:crypto";
import { Binary, type Collection, type Db, type Document } from "mongodb";
import { canonical, type Evidence, type Expected, eventFields } from "./oracle.js";

export interface CompareOptions {
  readonly joined: string;
  readonly unmatched: string;
  readonly deadLetters: string;
  /** What the two topics are called in Kafka, and so in the dead letters. */
  readonly topics: { readonly orders: string; readonly payments: string };
}

const DEFAULTS: CompareOptions = {
  joined: "spark_streaming_stateful_writes",
  unmatched: "unmatched",
  deadLetters: "dead_letters",
  topics: { orders: "stream_order_producer", payments: "stream_payment_producer" },
};

const LINES_MAX = 20;
/** What the contract keeps of a key or a value in a dead letter. */
const KEPT_BYTES_MAX = 1024 * 1024;

/** No lines when the collections are exactly as expected; at most 20, the last then counting the rest. */
export async function compareWithMongo(
  db: Db,
  expected: Expected,
  options: Partial<CompareOptions> = {},
): Promise<string[]> {
  const { joined, unmatched, deadLetters, topics } = { ...DEFAULTS, ...options };
  const lines = [
    ...(await compareDocuments(db.collection(joined), expected.joined)),
    ...(await compareDocuments(db.collection(unmatched), expected.unmatched)),
    ...(await compareDeadLetters(db.collection(deadLetters), expected, topics)),
  ];
  if (lines.length <= LINES_MAX) return lines;
  return [...lines.slice(0, LINES_MAX - 1), `… and ${lines.length - LINES_MAX + 1} more differences`];
}

async function compareDocuments(
  collection: Collection,
  expected: ReadonlyMap<string, number>,
): Promise<string[]> {
  const name = collection.collectionName;
  const found = new Map<string, number>();
  for await (const { _id, ...fields } of collection.find()) {
    const text = canonical(fields);
    found.set(text, (found.get(text) ?? 0) + 1);
  }
  const doubled: string[] = [];
  const missing: string[] = [];
  const extra = new Set<string>();
  for (const text of new Set([...expected.keys(), ...found.keys()])) {
    const wanted = expected.get(text) ?? 0;
    const got = found.get(text) ?? 0;
    if (wanted === got) continue;
    if (wanted === 0) extra.add(text);
    else if (got === 0) missing.push(text);
    else doubled.push(`${name}: ${got} documents instead of ${wanted}: ${text}`);
  }
  // A missing and an extra document of the same ids are one document with the wrong content.
  const extraByIds = new Map(Array.from(extra, (text) => [idsOf(text), text]));
  const wrong: string[] = [];
  for (const text of missing) {
    const ids = idsOf(text);
    const instead = extraByIds.get(ids);
    if (instead === undefined) {
      wrong.push(`${name}: missing: ${text}`);
    } else {
      wrong.push(`${name}: wrong content: ${instead} instead of ${text}`);
      extraByIds.delete(ids);
      extra.delete(instead);
    }
  }
  return [...doubled, ...wrong, ...Array.from(extra, (text) => `${name}: not expected: ${text}`)];
}

function idsOf(text: string): string {
  const fields = JSON.parse(text) as [string, unknown][];
  return JSON.stringify(fields.filter(([name]) => name === "order_id" || name === "payment_id"));
}

async function compareDeadLetters(
  collection: Collection,
  expected: Expected,
  topics: CompareOptions["topics"],
): Promise<string[]> {
  const name = collection.collectionName;
  const lines: string[] = [];
  const seen = new Set<string>();
  for await (const document of collection.find()) {
    const key = keyOf(document, topics);
    const wanted = expected.deadLetters.get(key);
    if (seen.has(key)) lines.push(`${name}: doubled: ${key}`);
    seen.add(key);
    if (wanted === undefined) {
      lines.push(`${name}: not expected: ${key} ${document.reason}: ${document.message}`);
    } else if (document.reason !== wanted) {
      lines.push(`${name}: ${key} is ${document.reason} instead of ${wanted}: ${document.message}`);
    } else {
      for (const fault of faultsOf(document, expected.evidence.get(key)!))
        lines.push(`${name}: ${key}: ${fault}`);
    }
  }
  for (const [key, reason] of expected.deadLetters) {
    if (!seen.has(key)) lines.push(`${name}: missing: ${key} ${reason}`);
  }
  return lines;
}

function keyOf(document: Document, topics: CompareOptions["topics"]): string {
  const { topic, partition, offset } = document;
  if (topic === topics.orders) return `orders/${partition}/${offset}`;
  if (topic === topics.payments) return `payments/${partition}/${offset}`;
  return `${topic}/${partition}/${offset}`;
}

/** What is wrong with a dead letter of the right record and reason. */
function* faultsOf(document: Document, { record, conflict }: Evidence): Generator<string> {
  if (typeof document.message !== "string" || document.message === "") yield "has no message";
  if (document.reason === "INVALID" && typeof document.field !== "string") yield "does not name the field";
  if (!isKept(document, "key", record.key)) yield "key is not as received";
  if (!isKept(document, "value", record.value)) yield "value is not as received";
  const { timestamp } = document;
  if (!(timestamp instanceof Date) || timestamp.getTime() !== record.timestampMs) {
    yield `timestamp is ${String(timestamp)} instead of ${record.timestampMs}`;
  }
  if (conflict === undefined) return;
  for (const version of ["first", "event"] as const) {
    const wanted = canonical(eventFields(conflict[version]));
    const got = canonical((document[version] ?? {}) as Record<string, unknown>);
    if (got !== wanted) yield `${version} is ${got} instead of ${wanted}`;
  }
}

/** Whether a dead letter has bytes as they were received, or if they are large, their beginning and their digest. */
function isKept(document: Document, name: "key" | "value", received: Buffer | null): boolean {
  const stored: unknown = document[name];
  const cut = [document[`${name}_truncated`], document[`${name}_length`], document[`${name}_sha256`]];
  if (received === null || received.length <= KEPT_BYTES_MAX) {
    if (cut.some((field) => field !== undefined)) return false;
    return received === null ? stored === null : stored instanceof Binary && received.equals(stored.value());
  }
  const digest = createHash("sha256").update(received).digest("hex");
  if (cut[0] !== true || cut[1] !== received.length || cut[2] !== digest) return false;
  return stored instanceof Binary && received.subarray(0, KEPT_BYTES_MAX).equals(stored.value());
}
