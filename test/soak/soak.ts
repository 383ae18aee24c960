/**
 * The product on a long stream, to see that its memory stays flat: run it with Node's
 * `--conditions=order-payment-stream-source --import tsx`, and --events=5000000
 *
 * Everything is its own: Kafka, a MongoDB-protocol server in memory, and the load. T is short, so that state turns over
 * many times. What is behind is taken away while the run goes on: records from Kafka, documents from MongoDB. Ends with
 * code 1 when memory grows, when a count is not what was sent, or when state is left.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Kafka, logLevel } from "kafkajs";
import { MongoClient } from "mongodb";
import { type DirectRun, runDirect } from "../../beam/runners/direct/direct_runner.js";
import { registerKafkaConnection } from "../../connectors/kafka/kafka_connections.js";
import { registerMongoConnection } from "../../connectors/mongodb/mongo_connections.js";
import { buildPipeline, KAFKA_CONNECTION, MONGODB_CONNECTION } from "../../pipeline/graph.js";
import { figuresOf } from "../../pipeline/report/figures.js";
import { imbalances, summaryText } from "../../pipeline/report/summary.js";
import { startKafka, startMongodb } from "../../services/index.js";
import { FROM_SOURCE } from "../fixtures/from_source.js";
import {
  compared,
  flatness,
  flatnessText,
  type MemorySample,
  tableHead,
  tableRow,
} from "./memory_samples.js";
import type { SoakLoadInput, SoakLoadResult } from "./soak_load.js";

const GROUP = "soak";
const DATABASE = "soak";
const COLLECTIONS = ["joined", "unmatched", "dead_letters"] as const;
const TOPICS = { orders: "soak_orders", payments: "soak_payments" };
const PARTITIONS = 3;
/** Small, so that Kafka can let go of what has been read. */
const SEGMENT_BYTES = 16 * 1024 * 1024;
const SAMPLE_INTERVAL_MS = 1_000;
const CLEANING_INTERVAL_MS = 5_000;
/** Rows above this are for the eye: one in so many is printed. */
const ROWS_MAX = 60;
setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;
const LOAD = fileURLToPath(new URL("soak_load.ts", import.meta.url));

const { values } = parseArgs({
  options: {
    events: { type: "string", default: "5000000" },
    /** Records per second. */
    rate: { type: "string", default: "20000" },
    timeout_ms: { type: "string", default: "4000" },
    out_of_orderness_ms: { type: "string", default: "1000" },
  },
});
const events = Number(values.events);
const ratePerSecond = Number(values.rate);
const timeoutMs = Number(values.timeout_ms);
const maxOutOfOrdernessMs = Number(values.out_of_orderness_ms);
if (![events, ratePerSecond, timeoutMs, maxOutOfOrdernessMs].every((number) => number > 0)) {
  throw new Error("all options are numbers above 0");
}
/** Until state has turned over twice, the heap has found its size. */
const warmUpSeconds = Math.max(
  (2 * (timeoutMs + maxOutOfOrdernessMs)) / 1000,
  (0.2 * events) / ratePerSecond,
);

const folder = mkdtempSync(join(tmpdir(), "order-payment-stream-soak-"));
const kafka = await startKafka({ dataDir: join(folder, "kafka"), log: console.error });
const mongodb = await startMongodb({
  dataDir: join(folder, "mongodb"),
  backend: "memory",
  log: console.error,
});
try {
  process.exitCode = (await soak(kafka.address, mongodb.address)) ? 0 : 1;
} finally {
  await Promise.all([kafka.stop(), mongodb.stop()]);
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

/** True when all is well. */
async function soak(bootstrap: string, mongodbUri: string): Promise<boolean> {
  const admin = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  await admin.createTopics({
    waitForLeaders: true,
    topics: Object.values(TOPICS).map((topic) => ({
      topic,
      numPartitions: PARTITIONS,
      configEntries: [
        { name: "segment.bytes", value: String(SEGMENT_BYTES) },
        { name: "file.delete.delay.ms", value: "1000" },
      ],
    })),
  });
  const client = await new MongoClient(mongodbUri).connect();
  const run = startRun(bootstrap, mongodbUri);
  const samples: MemorySample[] = [];
  const startMs = performance.now();
  const rowEvery = Math.max(1, Math.round(events / ratePerSecond / ROWS_MAX));
  console.log(tableHead);
  let warmHeapBytes: number | undefined;
  const sampling = setInterval(() => {
    samples.push(sampleOf(run, (performance.now() - startMs) / 1000));
    const { length } = samples;
    if (warmHeapBytes === undefined && samples[length - 1]!.atSeconds >= warmUpSeconds) {
      warmHeapBytes = liveHeapBytes();
    }
    if (length % rowEvery === 0) console.log(tableRow(samples[length - 1]!, samples[length - 1 - rowEvery]));
  }, SAMPLE_INTERVAL_MS);
  const written = new Map<string, number>(COLLECTIONS.map((name) => [name, 0]));
  const clean = async (): Promise<void> => {
    await deleteReadRecords(admin);
    for (const name of COLLECTIONS) {
      const { deletedCount } = await client.db(DATABASE).collection(name).deleteMany({});
      written.set(name, written.get(name)! + deletedCount);
    }
  };
  const cleaning = new AbortController();
  const cleaned = repeat(clean, cleaning.signal);
  try {
    const sent = await Promise.race([
      runLoad({ bootstrap, topics: TOPICS, events, ratePerSecond, timeoutMs }),
      failed(run),
    ]);
    const lastSentMs = Date.now();
    clearInterval(sampling);
    const lastHeapBytes = liveHeapBytes();
    const isEmpty = () => [...run.store.sizes().values()].every((size) => size === 0);
    const isAllRead = () => run.metrics.counter("records") >= sent.orders + sent.payments;
    const deadlineMs = lastSentMs + 60_000 + timeoutMs + maxOutOfOrdernessMs;
    while (!(isAllRead() && isEmpty()) && Date.now() < deadlineMs) await sleep(50);
    const drainedMs = Date.now() - lastSentMs;
    await run.stop();
    cleaning.abort();
    await cleaned;
    await clean();

    console.log(`\n${summaryText(figuresOf(run.metrics), performance.now() - startMs)}\n`);
    console.log(`state was ${isEmpty() ? "empty" : "NOT empty"} ${drainedMs} ms after the last record`);
    const problems = [...imbalances(figuresOf(run.metrics)), ...differences(run, sent, written)];
    for (const problem of problems) console.log(problem);
    const judgement = flatness(samples, warmUpSeconds);
    if (warmHeapBytes !== undefined) judgement.push(compared("live heap", warmHeapBytes, lastHeapBytes));
    for (const line of judgement) console.log(flatnessText(line));
    if (judgement.length === 0) console.log("too short to judge memory");
    return (
      isEmpty() && problems.length === 0 && judgement.length > 0 && judgement.every(({ isFlat }) => isFlat)
    );
  } finally {
    clearInterval(sampling);
    cleaning.abort();
    await run.stop().catch(() => undefined);
    await cleaned.catch(() => undefined);
    await Promise.all([admin.disconnect(), client.close()]);
  }
}

function startRun(bootstrap: string, mongodbUri: string): DirectRun {
  const silent = (): void => {};
  const logger = { debug: silent, info: silent, warn: console.error, error: console.error };
  registerKafkaConnection(KAFKA_CONNECTION, { brokers: [bootstrap], clientId: "soak", logger });
  registerMongoConnection(MONGODB_CONNECTION, mongodbUri);
  const [joinedCollection, unmatchedCollection, deadLetterCollection] = COLLECTIONS;
  return runDirect(
    buildPipeline({
      orderTopic: TOPICS.orders,
      paymentTopic: TOPICS.payments,
      isBounded: false,
      start: "earliest",
      groupId: GROUP,
      timeoutMs,
      maxOutOfOrdernessMs,
      maxAheadOfClockMs: 300_000,
      database: DATABASE,
      joinedCollection,
      unmatchedCollection,
      deadLetterCollection,
    }),
  );
}

/** What a full collection leaves. Taken twice only, since forced collections would make the other figures look better. */
function liveHeapBytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

function sampleOf(run: DirectRun, atSeconds: number): MemorySample {
  const { rss, heapUsed, external } = process.memoryUsage();
  let storeRecords = 0;
  for (const size of run.store.sizes().values()) storeRecords += size;
  return {
    atSeconds,
    events: run.metrics.counter("records"),
    rssBytes: rss,
    heapUsedBytes: heapUsed,
    externalBytes: external,
    storeBytes: run.store.reservedBytes,
    storeRecords,
  };
}

function runLoad(input: SoakLoadInput): Promise<SoakLoadResult> {
  const child = spawn(process.execPath, [...FROM_SOURCE, LOAD, JSON.stringify(input)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  process.once("exit", () => child.kill("SIGKILL"));
  let stdout = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve(JSON.parse(stdout) as SoakLoadResult);
      else reject(new Error(`the load ended with exit code ${code}`));
    });
  });
}

/** Rejects when the run ends before it is told to. */
async function failed(run: DirectRun): Promise<never> {
  await run.finished;
  throw new Error("the run has ended by itself");
}

async function repeat(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await sleep(CLEANING_INTERVAL_MS, undefined, { signal }).catch(() => undefined);
    if (!signal.aborted) await work();
  }
}

/** As far as the group's offsets tell that they were read. */
async function deleteReadRecords(admin: ReturnType<Kafka["admin"]>): Promise<void> {
  for (const topic of Object.values(TOPICS)) {
    const [read] = await admin.fetchOffsets({ groupId: GROUP, topics: [topic] });
    const partitions = (read?.partitions ?? []).filter(({ offset }) => Number(offset) > 0);
    if (partitions.length > 0) await admin.deleteTopicRecords({ topic, partitions });
  }
}

/** What was counted or written, against what was sent, in words. */
function differences(run: DirectRun, sent: SoakLoadResult, written: ReadonlyMap<string, number>): string[] {
  const { orders, payments, joined } = figuresOf(run.metrics);
  const unmatched = sent.unmatchedOrders + sent.unmatchedPayments;
  const pairs: readonly [string, number, number][] = [
    ["orders read", orders.read, sent.orders],
    ["payments read", payments.read, sent.payments],
    ["pairs", joined, sent.pairs],
    ["pairs in MongoDB", written.get("joined")!, sent.pairs],
    ["orders unmatched", orders.unmatched, sent.unmatchedOrders],
    ["payments unmatched", payments.unmatched, sent.unmatchedPayments],
    ["unmatched in MongoDB", written.get("unmatched")!, unmatched],
    ["duplicates", orders.duplicates + payments.duplicates, sent.duplicates],
    ["dead letters in MongoDB", written.get("dead_letters")!, 0],
  ];
  return pairs
    .filter(([, got, wanted]) => got !== wanted)
    .map(([name, got, wanted]) => `WRONG: ${name}: ${got} instead of ${wanted}`);
}
