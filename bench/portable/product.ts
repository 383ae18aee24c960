/**
 * Submits the product's own graph to a runner's job service, for workers of a pool: from Kafka to a sink that counts, or
 * to MongoDB. A process of its own, so that what it takes is nobody's.
 */
import type { PipelineOptions } from "../../beam/runners/portable/pipeline_options.js";
import { runPortable } from "../../beam/runners/portable/portable_run.js";
import { buildPipeline } from "../../pipeline/graph.js";
import type { SubjectInput } from "../subject.js";
import { countResults } from "../subjects/counting_sink.js";
import { duplicatesOf, graphOptions } from "../subjects/pipeline.js";

export interface ProductInput extends SubjectInput {
  readonly jobEndpoint: string;
  /** Of the worker pool. */
  readonly workerEndpoint: string;
  readonly sink: "counting" | "mongodb";
  readonly pipelineOptions: PipelineOptions;
  readonly keyShards: number;
}

export interface ProductResult {
  readonly events: number;
  readonly seconds: number;
  readonly duplicates: number;
  /** Undefined where MongoDB counts. */
  readonly pairs: number | undefined;
  readonly unmatched: number | undefined;
}

const quiet = { debug() {}, info() {}, warn: console.error, error: console.error };

const input = JSON.parse(process.argv[2]!) as ProductInput;
const pipeline = buildPipeline(
  graphOptions(input, true),
  input.sink === "counting" ? countResults : undefined,
);
const startedMs = performance.now();
const job = await runPortable(pipeline, {
  jobEndpoint: input.jobEndpoint,
  jobName: "product",
  environment: { kind: "external", endpoint: input.workerEndpoint },
  pipelineOptions: input.pipelineOptions,
  keyShards: input.keyShards,
  log: quiet,
});
await job.finished;
const seconds = (performance.now() - startedMs) / 1000;
const counted = (sink: string): number | undefined =>
  input.sink === "counting" ? job.metrics.counter("counted", sink) : undefined;
const result: ProductResult = {
  events: job.metrics.counter("records"),
  seconds,
  duplicates: duplicatesOf(job),
  pairs: counted("CountJoined"),
  unmatched: counted("CountUnmatched"),
};
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
