/**
 * `make bench`: events per second, peak memory and latency of the pipeline, beside two ceilings of the same run. It
 * starts a Kafka and a MongoDB of its own with empty folders, and ends them. It shows figures and fails on none.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { MongoClient } from "mongodb";
import { DEFAULT_OUT_OF_ORDERNESS_MS, DEFAULT_TIMEOUT_MS } from "../producers/scenario.js";
import { PARTITIONS } from "../producers/topics.js";
import { servicesHome } from "../services/home.js";
import { type LocalServer, startKafka, startMongodb } from "../services/index.js";
import { build } from "./build.js";
import type { LoadInput, LoadResult } from "./load_input.js";
import { type BenchOptions, benchOptions } from "./options.js";
import { conditionsOf, oneLine, report } from "./report.js";
import { runScript } from "./run_script.js";
import type { SubjectInput, SubjectResult } from "./subject.js";
import type { Subject } from "./subjects.js";

const TOPICS = { orders: "bench_orders", payments: "bench_payments" };
/** The same events in Confluent's frame. */
const FRAMED_TOPICS = { orders: "bench_framed_orders", payments: "bench_framed_payments" };
const SEED = 1;
const DATABASE = "bench";
/** The in-memory server holds every document of a run on its heap. */
const MONGODB_HEAP_MAX_MB = 3072;

const options = benchOptions(process.argv.slice(2));
const cancel = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => cancel.abort());

try {
  await bench(options);
} catch (error) {
  if (!cancel.signal.aborted) throw error;
  process.exitCode = 130;
}

async function bench(options: BenchOptions): Promise<void> {
  const { signal } = cancel;
  const scripts = build();
  const folder = mkdtempSync(join(tmpdir(), "order-payment-stream-bench-"));
  const servers: LocalServer[] = [];
  try {
    const kafka = await startKafka({ dataDir: join(folder, "kafka"), log: say, signal });
    servers.push(kafka);
    const mongodb = await startMongodb({
      dataDir: join(folder, "mongodb"),
      backend: "memory",
      heapMaxMb: MONGODB_HEAP_MAX_MB,
      log: say,
      signal,
    });
    servers.push(mongodb);
    const load: LoadInput = {
      brokers: [kafka.address],
      topics: TOPICS,
      events: options.events,
      seed: SEED,
      eventRatePerSecond: options.eventRatePerSecond,
      timeoutMs: DEFAULT_TIMEOUT_MS,
      outOfOrdernessMs: DEFAULT_OUT_OF_ORDERNESS_MS,
    };
    const loaded = await runScript<LoadResult>({ script: join(scripts, "load.js"), input: load, signal });
    say(`The topics are filled (${loaded.seconds.toFixed(0)} s).`);
    if (options.subjects.some(({ readsFrames }) => readsFrames)) {
      const framed = { ...load, topics: FRAMED_TOPICS, isFramed: true };
      await runScript<LoadResult>({ script: join(scripts, "load.js"), input: framed, signal });
      say("So are those with values in Confluent's frame.");
    }

    const input = subjectInput(load, loaded, mongodb.address, join(folder, "changes"), options);
    if (options.subjects.some(({ unit }) => unit === "changes")) {
      await runScript({ script: join(scripts, "record_changes.js"), input, signal });
      say("What the pipeline does to its store is recorded.");
    }

    const results = new Map<string, SubjectResult[]>(options.subjects.map(({ name }) => [name, []]));
    // One after the other within each run, so that a machine that slows down slows all of them down.
    for (let run = 1; run <= options.runs; run++) {
      for (const subject of options.subjects) {
        if (subject.usesMongodb) await dropDatabase(mongodb.address);
        const result = await measure(subject, scripts, input, options, signal);
        results.get(subject.name)!.push(result);
        say(`run ${run}  ${subject.name.padEnd(18)}  ${oneLine(subject, result)}`);
      }
    }
    const conditions = conditionsOf(options, load, loaded);
    console.log(`\n${conditions}\n\n${report(results)}`);
    const file = join(servicesHome(), "bench", "latest.json");
    write(file, { conditions, options, load, loaded, results: Object.fromEntries(results) });
    say(`\nEvery figure of every run: ${file}`);
  } finally {
    for (const server of servers.reverse()) await server.kill();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

function subjectInput(
  { brokers, topics, timeoutMs, outOfOrdernessMs }: LoadInput,
  { orders, payments }: LoadResult,
  mongodbUri: string,
  changes: string,
  { latencySeconds }: BenchOptions,
): SubjectInput {
  return {
    brokers,
    topics,
    partitions: PARTITIONS,
    expected: { orders, payments },
    timeoutMs,
    outOfOrdernessMs,
    mongodbUri,
    database: DATABASE,
    latencySeconds,
    changes,
  };
}

function measure(
  subject: Subject,
  scripts: string,
  input: SubjectInput,
  options: BenchOptions,
  signal: AbortSignal,
): Promise<SubjectResult> {
  const folder = join(servicesHome(), "bench", "profiles", subject.name);
  const nodeArgs = options.profile ? ["--cpu-prof", `--cpu-prof-dir=${folder}`] : [];
  const script = join(scripts, "subjects", `${subject.script}.js`);
  const topics = subject.readsFrames ? FRAMED_TOPICS : input.topics;
  return runScript({ script, input: { ...input, topics }, nodeArgs, signal });
}

async function dropDatabase(uri: string): Promise<void> {
  const client = await MongoClient.connect(uri);
  await client.db(DATABASE).dropDatabase();
  await client.close();
}

function write(file: string, value: unknown): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(value, undefined, 2)}\n`);
}

/** Progress, so that stdout holds the tables alone. */
function say(line: string): void {
  console.error(line);
}
