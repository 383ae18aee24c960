/**
 * Sends mutated records through the whole way of a record: batches of bytes, decoding, coders, the join, documents, and
 * sinks that check what they get. No record may end the run, get lost, or be in two places, and memory must not grow.
 */
import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { BSON } from "mongodb";
import { runDirect } from "../../beam/runners/direct/direct_runner.js";
import { DoFn } from "../../beam/sdk/do_fn.js";
import { flattenAll, parDo } from "../../beam/sdk/graph.js";
import { counter } from "../../beam/sdk/metrics.js";
import { registerDoFn } from "../../beam/sdk/registry.js";
import { registerKafkaClient } from "../../connectors/kafka/kafka_connections.js";
import { buildPipeline, KAFKA_CONNECTION } from "../../pipeline/graph.js";
import { figuresOf, isBalanced } from "../../pipeline/report/figures.js";
import type { DeadLetter, StoredDocument } from "../../transforms/dead_letter.js";
import { deadLetterDocument } from "../../transforms/dead_letter_document.js";
import { ORDER_DECODER, PAYMENT_DECODER } from "../../transforms/decode.js";
import { joinedDocument, unmatchedDocument } from "../../transforms/documents.js";
import type { Pair, Unmatched } from "../../transforms/outcomes.js";
import { FuzzedKafka } from "./fuzzed_kafka.js";
import { mulberry32 } from "./mutated_records.js";

const DOCUMENT_BYTES_MAX = 16 * 1024 * 1024;
const ROUND_RECORDS = 20_000;
const PARTITIONS = 2;
const CALM_SHARE = 0.85;
const TIMEOUT_MS = 10_000;
const START_MS = Date.UTC(2026, 0, 1);
/** Of a round: 0.1 ms a record is twenty times what it takes. */
const ROUND_MAX_MS = 120_000;
/** After the first rounds, in which code is compiled and buffers find their size. */
const WARM_ROUNDS = 5;
const GROWTH_MAX_BYTES = 96 * 1024 * 1024;

/** `_id`s of this round's documents, by collection. */
const seen = { joined: new Set<string>(), unmatched: new Set<string>(), deadLetters: new Set<string>() };

abstract class CheckingSink<T> extends DoFn<T, Record<never, never>> {
  readonly outputs = {};
  override readonly metrics = { counted: counter() };
  abstract documentOf(element: T): StoredDocument;
  abstract readonly ids: Set<string>;

  process(element: T): void {
    const document = this.documentOf(element);
    const bytes = BSON.serialize(document, { ignoreUndefined: false });
    assert.ok(bytes.length <= DOCUMENT_BYTES_MAX, `a document of ${bytes.length} bytes`);
    const back = BSON.deserialize(bytes);
    assert.equal(back._id, document._id);
    assert.ok(!this.ids.has(document._id), `two documents ${document._id}`);
    this.ids.add(document._id);
    this.metrics.counted.inc();
  }
}

class JoinedSink extends CheckingSink<Pair> {
  static readonly urn = "order-payment-stream:fuzz:joined:v1";
  readonly ids = seen.joined;
  documentOf({ order, payment }: Pair): StoredDocument {
    return joinedDocument(order, payment) as unknown as StoredDocument;
  }
}

class UnmatchedSink extends CheckingSink<Unmatched> {
  static readonly urn = "order-payment-stream:fuzz:unmatched:v1";
  readonly ids = seen.unmatched;
  documentOf(unmatched: Unmatched): StoredDocument {
    const document =
      unmatched.kind === "order"
        ? unmatchedDocument("order", unmatched.event, "UNPAID", unmatched.expiresAt)
        : unmatchedDocument("payment", unmatched.event, "NO_ORDER", unmatched.expiresAt);
    return document as unknown as StoredDocument;
  }
}

class DeadLetterSink extends CheckingSink<DeadLetter> {
  static readonly urn = "order-payment-stream:fuzz:dead_letters:v1";
  readonly ids = seen.deadLetters;
  documentOf(deadLetter: DeadLetter): StoredDocument {
    assert.ok(!deadLetter.message.includes("failed unexpectedly"), deadLetter.message);
    reasons.set(deadLetter.reason, (reasons.get(deadLetter.reason) ?? 0) + 1);
    return deadLetterDocument(deadLetter);
  }
}
registerDoFn(JoinedSink);
registerDoFn(UnmatchedSink);
registerDoFn(DeadLetterSink);

let reasons = new Map<string, number>();

export interface FuzzOptions {
  readonly seed: number;
  /** Ends after so many records, or this time, whichever is first. */
  readonly records: number;
  readonly durationMs: number;
}

export interface FuzzFigures {
  records: number;
  pairs: number;
  unmatched: number;
  duplicates: number;
  readonly deadLetters: Map<string, number>;
  refusedBatches: number;
  seconds: number;
  /** Of the heap, since the first rounds, in bytes. */
  growthBytes: number;
}

/** Throws what it finds; the seed and the round are in the message. */
export async function fuzz({ seed, records, durationMs }: FuzzOptions): Promise<FuzzFigures> {
  const startedMs = performance.now();
  reasons = new Map();
  const figures: FuzzFigures = {
    records: 0,
    pairs: 0,
    unmatched: 0,
    duplicates: 0,
    deadLetters: reasons,
    refusedBatches: 0,
    seconds: 0,
    growthBytes: 0,
  };
  let warmBytes = 0;
  for (let round = 0; figures.records < records && performance.now() - startedMs < durationMs; round++) {
    try {
      await oneRound(mulberry32(seed + round), figures);
    } catch (error) {
      throw new Error(`with SEED=${seed + round} RECORDS=1: ${(error as Error).message}`, { cause: error });
    }
    if (round === WARM_ROUNDS) warmBytes = usedBytes();
    if (round > WARM_ROUNDS) figures.growthBytes = usedBytes() - warmBytes;
    assert.ok(figures.growthBytes < GROWTH_MAX_BYTES, `memory grew by ${figures.growthBytes} bytes`);
  }
  figures.seconds = (performance.now() - startedMs) / 1000;
  return figures;
}

async function oneRound(chance: () => number, figures: FuzzFigures): Promise<void> {
  for (const ids of Object.values(seen)) ids.clear();
  const topics = [
    { name: "orders", kind: "order", decoder: ORDER_DECODER },
    { name: "payments", kind: "payment", decoder: PAYMENT_DECODER },
  ] as const;
  const recordsPerPartition = ROUND_RECORDS / topics.length / PARTITIONS;
  const common = {
    chance,
    isCalm: chance() < CALM_SHARE,
    topics,
    partitions: PARTITIONS,
    recordsPerPartition,
  };
  const kafka = await FuzzedKafka.fill({ ...common, startMs: START_MS, timeoutMs: TIMEOUT_MS });
  registerKafkaClient(KAFKA_CONNECTION, async () => kafka.connect());
  const pipeline = buildPipeline(
    {
      orderTopic: "orders",
      paymentTopic: "payments",
      isBounded: true,
      start: "earliest",
      groupId: undefined,
      timeoutMs: TIMEOUT_MS,
      maxOutOfOrdernessMs: 1_000,
      maxAheadOfClockMs: 300_000,
      database: "d",
      joinedCollection: "j",
      unmatchedCollection: "u",
      deadLetterCollection: "x",
    },
    ({ joined, unmatched, deadLetters }) => {
      parDo("Joined", joined, new JoinedSink(null));
      parDo("Unmatched", unmatched, new UnmatchedSink(null));
      parDo("DeadLetters", flattenAll("AllDeadLetters", deadLetters), new DeadLetterSink(null));
    },
  );
  const run = runDirect(pipeline);
  const late = setTimeout(() => void run.stop("keep"), ROUND_MAX_MS);
  const startedMs = performance.now();
  await run.finished;
  clearTimeout(late);
  assert.ok(performance.now() - startedMs < ROUND_MAX_MS, "a round hangs");
  check(kafka, run, figures);
}

function check(
  kafka: FuzzedKafka,
  { metrics }: { metrics: Parameters<typeof figuresOf>[0] },
  figures: FuzzFigures,
): void {
  const { orders, payments } = figuresOf(metrics);
  assert.equal(orders.read, kafka.records("orders"));
  assert.equal(payments.read, kafka.records("payments"));
  for (const book of [orders, payments]) {
    assert.ok(isBalanced(book), JSON.stringify(book));
    assert.equal(book.pending, 0);
  }
  // What the books say is what the sinks have got.
  assert.equal(seen.deadLetters.size, orders.dead_letters + payments.dead_letters);
  assert.equal(seen.unmatched.size, orders.unmatched + payments.unmatched);
  assert.ok(seen.joined.size >= Math.max(orders.joined, payments.joined));
  figures.records += orders.read + payments.read;
  figures.pairs += seen.joined.size;
  figures.unmatched += seen.unmatched.size;
  figures.duplicates += orders.duplicates + payments.duplicates;
  figures.refusedBatches += kafka.refusedBatches;
}

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

function usedBytes(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
