/**
 * What the examples share: the end of their graphs, and the runner that the flags name:
 *
 *     --runner=direct            in this process (the default)
 *     --runner=prism | flink     started for this run, and ended with it
 *     --runner=portable --job_endpoint=HOST:PORT
 */
import { parseArgs } from "node:util";
import * as beam from "@order-payment-stream/beam";
import { startFlink, startPrism } from "../services/index.js";

class PrintLine extends beam.DoFn<string, Record<string, never>> {
  static readonly urn = "example:print_line:v1";
  override readonly outputs = {};
  process(line: string): void {
    console.log(line);
  }
}
beam.registerDoFn(PrintLine);

export function print(name: string, lines: beam.Collection<string>): void {
  beam.parDo(name, lines, new PrintLine(null));
}

/** Resolves with what the pipeline has measured, when it has ended. */
export async function run(pipeline: beam.Pipeline): Promise<beam.MetricSource> {
  const { runner, job_endpoint: jobEndpoint } = parseArgs({
    options: { runner: { type: "string", default: "direct" }, job_endpoint: { type: "string" } },
  }).values;
  if (runner === "direct") return finish(await beam.runPipeline(pipeline));
  if (runner === "portable" && jobEndpoint !== undefined) {
    return finish(await beam.runPipeline(pipeline, { runner: "portable", jobEndpoint }));
  }
  if (runner !== "prism" && runner !== "flink") {
    throw new Error("--runner=direct, prism, flink, or portable with --job_endpoint=HOST:PORT");
  }
  const started = await (runner === "prism" ? startPrism : startFlink)({ log: console.error });
  try {
    const { endpoint, ended } = started;
    return await finish(
      await beam.runPipeline(pipeline, { runner: "portable", jobEndpoint: endpoint, runnerEnded: ended }),
    );
  } finally {
    await started.stop();
  }
}

async function finish(job: beam.PipelineRun): Promise<beam.MetricSource> {
  await job.finished;
  return job.metrics;
}
