/**
 * The product's own graph on a runner's job service, with its workers in this process: from Kafka to a sink that
 * counts, or to MongoDB. A process of its own, as each subject of the bench.
 */
import { startWorkerPool } from "../../beam/harness/worker_pool.js";
import type { PipelineOptions } from "../../beam/runners/portable/pipeline_options.js";
import { runPortable } from "../../beam/runners/portable/portable_run.js";
import { registerMongoConnection } from "../../connectors/mongodb/mongo_connections.js";
import { buildPipeline, MONGODB_CONNECTION } from "../../pipeline/graph.js";
import type { SubjectInput } from "../subject.js";
import { peakRssBytes } from "../subject.js";
import { countResults } from "../subjects/counting_sink.js";
import { duplicatesOf, graphOptions, registerKafka } from "../subjects/pipeline.js";

export interface ProductInput extends SubjectInput {
  readonly jobEndpoint: string;
  readonly sink: "counting" | "mongodb";
  readonly pipelineOptions: PipelineOptions;
}

export interface ProductResult {
  readonly events: number;
  readonly seconds: number;
  readonly workerCpuSeconds: number;
  readonly workerPeakBytes: number;
  readonly stateRequests: number;
  readonly duplicates: number;
  /** Undefined where MongoDB counts. */
  readonly pairs: number | undefined;
  readonly unmatched: number | undefined;
}

const quiet = { debug() {}, info() {}, warn: console.error, error: console.error };

const input = JSON.parse(process.argv[2]!) as ProductInput;
registerKafka(input);
registerMongoConnection(MONGODB_CONNECTION, input.mongodbUri);
const pipeline = buildPipeline(
  graphOptions(input, true),
  input.sink === "counting" ? countResults : undefined,
);
const traffic = { stateRequests: 0 };
const pool = await startWorkerPool({ traffic, log: quiet });
const cpuBefore = process.cpuUsage();
const startedMs = performance.now();
const job = await runPortable(pipeline, {
  jobEndpoint: input.jobEndpoint,
  jobName: "product",
  environment: { kind: "external", endpoint: pool.endpoint },
  pipelineOptions: input.pipelineOptions,
  log: quiet,
});
await job.finished;
const seconds = (performance.now() - startedMs) / 1000;
const { user, system } = process.cpuUsage(cpuBefore);
const counted = (sink: string): number | undefined =>
  input.sink === "counting" ? job.metrics.counter("counted", sink) : undefined;
const result: ProductResult = {
  events: job.metrics.counter("records"),
  seconds,
  workerCpuSeconds: (user + system) / 1e6,
  workerPeakBytes: peakRssBytes(),
  stateRequests: traffic.stateRequests,
  duplicates: duplicatesOf(job),
  pairs: counted("CountJoined"),
  unmatched: counted("CountUnmatched"),
};
await pool.close();
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
