/**
 * `make bench-portable SHAPE=product`: the product's own graph on Flink or Prism, where each order is a key of its own,
 * beside the same join in Beam's Python SDK on the same runner, at each parallelism that is asked for. It starts a Kafka,
 * a MongoDB and the runner with empty folders, and ends them. Shows figures and fails on none.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Kafka, logLevel } from "kafkajs";
import type { PipelineOptions } from "../../beam/runners/portable/pipeline_options.js";
import { keyShardsOf } from "../../pipeline/settings/runner_options.js";
import { createMissingTopics } from "../../producers/topics.js";
import { servicesHome } from "../../services/home.js";
import {
  type LocalRunner,
  type LocalServer,
  startFlink,
  startKafka,
  startMongodb,
  startPrism,
} from "../../services/index.js";
import { build } from "../build.js";
import { fillTopics, inputOf } from "../fill_topics.js";
import type { SubjectInput } from "../subject.js";
import { cpuSecondsOf, peakBytesOf } from "./cpu_seconds.js";
import type { ProductInput } from "./product.js";
import { oneLine, ProductReport, type ProductRun } from "./product_report.js";
import { type ProductSubject, pythonSubject, typescriptSubject } from "./product_subjects.js";

const { values } = parseArgs({
  options: {
    runner: { type: "string", default: "flink" },
    events: { type: "string", default: "100000" },
    /** Further payments, all of one order_id. */
    hot_payments: { type: "string", default: "0" },
    runs: { type: "string", default: "3" },
    /** counting or mongodb; Python's is always one that counts. */
    sink: { type: "string", default: "counting" },
    /** typescript, typescript-by-key (the runner has the state of each key), python. */
    subjects: { type: "string", default: "typescript,python" },
    /** Default: the product's own. */
    key_shards: { type: "string" },
    /** One or more: 1,2. Each worker is a process. */
    parallelism: { type: "string", default: "1" },
    /** ms; 0 = no checkpoints. */
    checkpointing_interval: { type: "string", default: "0" },
    bundle_size: { type: "string", default: "100000" },
    bundle_ms: { type: "string", default: "500" },
    /** Further pipeline options, as JSON. */
    options: { type: "string", default: "{}" },
    /** Of Flink's JVM, in place of what it is started with otherwise; separated by spaces. */
    jvm: { type: "string" },
    /** Jobs of ours on the same runner before those that are measured, so that its JVM is warm. */
    warm: { type: "string", default: "0" },
    /** Writes V8 CPU profiles of our workers to .local/bench/profiles. */
    profile: { type: "boolean", default: false },
  },
});

const EMPTY_TOPICS = { orders: "bench_no_orders", payments: "bench_no_payments" };
const { signal } = new AbortController();
const say = (line: string): void => console.error(line);
const scripts = build();
const profiles = join(servicesHome(), "bench", "profiles", "product");
const nodeArgs = values.profile ? ["--cpu-prof", `--cpu-prof-dir=${profiles}`] : [];
const sink = values.sink as ProductInput["sink"];
const keyShards = keyShardsOf({
  runner: values.runner === "prism" ? "prism" : "flink",
  key_shards: values.key_shards === undefined ? undefined : Number(values.key_shards),
});
const ours = typescriptSubject(scripts, nodeArgs, { sink, keyShards }, signal);
const subjects: ProductSubject[] = [];
for (const name of values.subjects.split(",")) {
  if (name === "typescript") subjects.push(ours);
  else if (name === "typescript-by-key")
    subjects.push(typescriptSubject(scripts, nodeArgs, { sink, keyShards: 0 }, signal));
  else if (name === "python") subjects.push(await pythonSubject());
  else throw new Error(`there is no subject "${name}", only typescript, typescript-by-key and python`);
}
const parallelisms = values.parallelism.split(",").map(Number);

const folder = mkdtempSync(join(tmpdir(), "order-payment-stream-bench-"));
const servers: LocalServer[] = [];
try {
  const kafka = await startKafka({ dataDir: join(folder, "kafka"), log: say, signal });
  servers.push(kafka);
  const mongodb = await startMongodb({
    dataDir: join(folder, "mongodb"),
    backend: "memory",
    log: say,
    signal,
  });
  servers.push(mongodb);
  const filled = await fillTopics(scripts, kafka.address, Number(values.events), signal, {
    hotPayments: Number(values.hot_payments),
  });
  const client = new Kafka({ clientId: "bench", brokers: [kafka.address], logLevel: logLevel.NOTHING });
  await createMissingTopics(client, Object.values(EMPTY_TOPICS));
  const report = new ProductReport();
  for (let round = 1; round <= Number(values.runs); round++) {
    const input: SubjectInput = {
      ...inputOf(filled),
      mongodbUri: mongodb.address,
      database: `bench_${round}`,
    };
    const wanted = subjects.flatMap((subject) =>
      parallelisms.map((parallelism) => ({ subject, parallelism })),
    );
    // In turn at being first.
    for (const { subject, parallelism } of round % 2 === 1 ? wanted : wanted.reverse()) {
      const run = await measure(subject, input, parallelism);
      report.add(run);
      say(`round ${round}  ${oneLine(run)}`);
    }
  }
  const hotPayments = Number(values.hot_payments).toLocaleString("en-US");
  const hot = hotPayments === "0" ? "" : `, of which ${hotPayments} are of one order_id`;
  const what = `${(filled.loaded.orders + filled.loaded.payments).toLocaleString("en-US")} events${hot}, ${values.sink} sink, ${Number(values.warm) > 0 ? "warm" : "cold"} JVM, min / median / max of ${values.runs} rounds`;
  console.log(`\nThe join on ${values.runner}: ${what}\n\n${report.table()}`);
} finally {
  for (const server of servers.reverse()) await server.kill();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

/** A fresh runner each time: it keeps what past jobs were. */
async function measure(
  subject: ProductSubject,
  input: SubjectInput,
  parallelism: number,
): Promise<ProductRun> {
  const runner = await startRunner();
  try {
    const options = optionsFor(parallelism);
    for (let i = 0; i < Number(values.warm); i++) await ours.job(runner.endpoint, input, options);
    // What its workers take to start and to end.
    const nothing = await subject.job(runner.endpoint, { ...input, topics: EMPTY_TOPICS }, options);
    const before = cpuSecondsOf(runner.pid);
    const job = await subject.job(runner.endpoint, input, options);
    const after = cpuSecondsOf(runner.pid);
    return {
      ...job,
      subject: subject.name,
      parallelism,
      workerCpuSeconds:
        job.workerCpuSeconds === undefined || nothing.workerCpuSeconds === undefined
          ? undefined
          : job.workerCpuSeconds - nothing.workerCpuSeconds,
      runnerCpuSeconds: before === undefined || after === undefined ? undefined : after - before,
      runnerPeakBytes: peakBytesOf(runner.pid),
    };
  } finally {
    await runner.stop();
  }
}

function startRunner(): Promise<LocalRunner> {
  if (values.runner === "prism") return startPrism({ signal });
  return startFlink({ signal, ...(values.jvm !== undefined && { jvmArgs: values.jvm.split(" ") }) });
}

function optionsFor(parallelism: number): PipelineOptions {
  const checkpointingMs = Number(values.checkpointing_interval);
  return {
    streaming: true,
    parallelism,
    sdk_worker_parallelism: parallelism,
    max_bundle_size: Number(values.bundle_size),
    max_bundle_time_mills: Number(values.bundle_ms),
    ...(checkpointingMs > 0 && {
      checkpointing_interval: checkpointingMs,
      finish_bundle_before_checkpointing: true,
      shutdown_sources_after_idle_ms: 0,
    }),
    ...(JSON.parse(values.options) as PipelineOptions),
  };
}
