/**
 * `make bench-portable SHAPE=product`: the product's own graph on Flink or Prism, where each order is a key of its own.
 * It starts a Kafka, a MongoDB and the runner with empty folders, and ends them. Shows figures and fails on none.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { PARTITIONS } from "../../producers/topics.js";
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
import { fillTopics } from "../fill_topics.js";
import type { LoadInput, LoadResult } from "../load_input.js";
import { runScript } from "../run_script.js";
import { spreadOf } from "../statistics.js";
import { cpuSecondsOf, peakBytesOf } from "./cpu_seconds.js";
import type { ProductInput, ProductResult } from "./product.js";

const { values } = parseArgs({
  options: {
    runner: { type: "string", default: "flink" },
    events: { type: "string", default: "100000" },
    runs: { type: "string", default: "3" },
    sink: { type: "string", default: "counting" },
    parallelism: { type: "string", default: "1" },
    /** ms; 0 = no checkpoints. */
    checkpointing_interval: { type: "string", default: "0" },
    bundle_size: { type: "string", default: "100000" },
    bundle_ms: { type: "string", default: "500" },
    /** Another job on the same runner before the first that is measured, so that its JVM is warm. */
    warm: { type: "boolean", default: false },
    /** Writes V8 CPU profiles to .local/bench/profiles. */
    profile: { type: "boolean", default: false },
  },
});

interface Measured extends ProductResult {
  readonly runnerCpuSeconds: number | undefined;
  readonly runnerPeakBytes: number | undefined;
}

const { signal } = new AbortController();
const say = (line: string): void => console.error(line);
const scripts = build();
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
  const { load, loaded } = await fillTopics(scripts, kafka.address, Number(values.events), signal);
  const results: Measured[] = [];
  for (let run = 1; run <= Number(values.runs); run++) {
    // A fresh runner each time: it keeps what past jobs were.
    const runner = await startRunner();
    try {
      const measure = () => measureOn(runner, load, loaded, mongodb.address, run);
      if (values.warm) await measure();
      const result = await measure();
      results.push(result);
      say(oneLine(run, result));
    } finally {
      await runner.stop();
    }
  }
  console.log(`\n${summary(results)}`);
} finally {
  for (const server of servers.reverse()) await server.kill();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

function startRunner(): Promise<LocalRunner> {
  return values.runner === "prism" ? startPrism({ signal }) : startFlink({ signal });
}

async function measureOn(
  runner: LocalRunner,
  load: LoadInput,
  loaded: LoadResult,
  mongodbAddress: string,
  run: number,
): Promise<Measured> {
  const checkpointingMs = Number(values.checkpointing_interval);
  const input: ProductInput = {
    brokers: load.brokers,
    topics: load.topics,
    partitions: PARTITIONS,
    expected: loaded,
    timeoutMs: load.timeoutMs,
    outOfOrdernessMs: load.outOfOrdernessMs,
    mongodbUri: mongodbAddress,
    database: `bench_${run}`,
    latencySeconds: 0,
    changes: "",
    jobEndpoint: runner.endpoint,
    sink: values.sink as ProductInput["sink"],
    pipelineOptions: {
      streaming: true,
      parallelism: Number(values.parallelism),
      max_bundle_size: Number(values.bundle_size),
      max_bundle_time_mills: Number(values.bundle_ms),
      ...(checkpointingMs > 0 && {
        checkpointing_interval: checkpointingMs,
        finish_bundle_before_checkpointing: true,
        shutdown_sources_after_idle_ms: 0,
      }),
    },
  };
  const profiles = join(servicesHome(), "bench", "profiles", "product");
  const nodeArgs = values.profile ? ["--cpu-prof", `--cpu-prof-dir=${profiles}`] : [];
  const before = cpuSecondsOf(runner.pid);
  const script = join(scripts, "portable", "product.js");
  const result = await runScript<ProductResult>({ script, input, nodeArgs, signal });
  const after = cpuSecondsOf(runner.pid);
  return {
    ...result,
    runnerCpuSeconds: before === undefined || after === undefined ? undefined : after - before,
    runnerPeakBytes: peakBytesOf(runner.pid),
  };
}

function oneLine(run: number, result: Measured): string {
  const micros = (seconds: number | undefined): string =>
    seconds === undefined ? "?" : ((seconds * 1e6) / result.events).toFixed(1);
  const mebibytes = (bytes: number | undefined): string =>
    bytes === undefined ? "?" : (bytes / 2 ** 20).toFixed(0);
  const { pairs = "in MongoDB", unmatched = "in MongoDB" } = result;
  return [
    `run ${run}  ${Math.round(result.events / result.seconds)} events/s (${result.seconds.toFixed(1)} s)`,
    `CPU µs an event: ${micros(result.workerCpuSeconds)} worker, ${micros(result.runnerCpuSeconds)} runner`,
    `${(result.stateRequests / result.events).toFixed(3)} state requests an event`,
    `peak MiB: ${mebibytes(result.workerPeakBytes)} worker, ${mebibytes(result.runnerPeakBytes)} runner`,
    `pairs ${pairs}, unmatched ${unmatched}, duplicates ${result.duplicates}`,
  ].join("; ");
}

function summary(results: readonly Measured[]): string {
  const rates = spreadOf(results.map(({ events, seconds }) => events / seconds));
  const cpu = spreadOf(results.map(({ events, workerCpuSeconds }) => (workerCpuSeconds * 1e6) / events));
  const three = ({ min, median, max }: ReturnType<typeof spreadOf>, digits: number): string =>
    [min, median, max].map((value) => value.toFixed(digits)).join(" / ");
  return [
    `The product's graph on ${values.runner}, ${values.events} events asked for, parallelism ${values.parallelism}, ${values.sink} sink, ${results.length} runs (min / median / max)`,
    `  events/s                        ${three(rates, 0)}`,
    `  CPU µs an event in the worker   ${three(cpu, 1)}`,
  ].join("\n");
}
