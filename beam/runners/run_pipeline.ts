/**
 * The front door for programs that use the library: runs a pipeline in this process, or on a portable runner with the
 * workers in this process. What a portable runner takes is loaded only when it is asked for.
 */
import { randomBytes } from "node:crypto";
import type { Pipeline } from "../sdk/collection.js";
import type { PipelineRun } from "../sdk/pipeline_run.js";
import { DurableStore } from "../store/durable_store.js";
import { LocalDirectory } from "../store/local_directory.js";
import { type DirectRunnerOptions, runDirect } from "./direct/direct_runner.js";
import type { WorkerEnvironment } from "./portable/environments.js";
import type { PipelineOptions } from "./portable/pipeline_options.js";

/** Which runner, and where. */
export type RunnerOptions =
  | ({
      /** In this process. */
      readonly runner: "direct";
      /**
       * A directory that keeps the state. It is created if it is missing; if it holds state, the run continues from
       * it. Only one process at a time may use it. Without it (and without `store`) state is in memory.
       */
      readonly stateDir?: string;
    } & DirectRunnerOptions)
  | {
      /** Prism, Flink, or any other Beam runner. */
      readonly runner: "portable";
      /** host:port of its job service. */
      readonly jobEndpoint: string;
      /** Resolves with the end of a runner's log, if the runner ends before the job. */
      readonly runnerEnded?: Promise<string>;
      /** Where the DoFns run. Default: in this process. */
      readonly environment?: WorkerEnvironment;
      /** Default: "pipeline". */
      readonly jobName?: string;
      /** By Beam's names for them: `{ parallelism: 2 }`. */
      readonly pipelineOptions?: PipelineOptions;
      /**
       * Into how many shards the keys of stateful steps are put: see `runPortable`. On Flink 128 makes them several times as
       * fast. Default: 0, the runner has the state of each key.
       */
      readonly keyShards?: number;
      /** Called with the runner's warnings. Default: standard error. */
      readonly warn?: (message: string) => void;
    };

/**
 * Starts a pipeline. The run's `finished` settles when it has ended, and rejects with the error that it failed
 * with. Throws if the runner cannot be reached or refuses the pipeline, and if the state directory is in use,
 * damaged, or of another pipeline.
 */
export async function runPipeline(
  pipeline: Pipeline,
  options: RunnerOptions = { runner: "direct" },
): Promise<PipelineRun> {
  if (options.runner === "direct") return runHere(pipeline, options);
  const { environment } = options;
  if (environment !== undefined) return submit(pipeline, options, environment);
  const { startWorkerPool } = await import("../harness/worker_pool.js");
  const token = randomBytes(32).toString("hex");
  const pool = await startWorkerPool({ admission: { token } });
  try {
    const run = await submit(pipeline, options, { kind: "external", endpoint: pool.endpoint, token });
    const close = () => pool.close();
    run.finished.then(close, close);
    return run;
  } catch (error) {
    await pool.close();
    throw error;
  }
}

async function submit(
  pipeline: Pipeline,
  options: Extract<RunnerOptions, { runner: "portable" }>,
  environment: WorkerEnvironment,
): Promise<PipelineRun> {
  const { jobEndpoint, runnerEnded, jobName = "pipeline", pipelineOptions = {}, keyShards = 0 } = options;
  const { warn = console.error } = options;
  const { runPortable } = await import("./portable/portable_run.js");
  return runPortable(pipeline, {
    jobEndpoint,
    jobName,
    pipelineOptions,
    keyShards,
    environment,
    log: {
      debug: () => undefined,
      info: () => undefined,
      warn: (text, fields) => warn(messageOf(text, fields)),
    },
    ...(runnerEnded !== undefined && { runnerEnded }),
  });
}

async function runHere(
  pipeline: Pipeline,
  { runner: _, stateDir, ...options }: Extract<RunnerOptions, { runner: "direct" }>,
): Promise<PipelineRun> {
  if (stateDir === undefined) return runDirect(pipeline, options);
  if (options.store !== undefined) throw new TypeError("give either stateDir or store, not both");
  const store = await DurableStore.open(
    await LocalDirectory.open(stateDir),
    options.clock === undefined ? {} : { clock: options.clock },
  );
  const close = () => store.close();
  try {
    const run = runDirect(pipeline, { ...options, store });
    run.finished.then(close, close);
    return run;
  } catch (error) {
    await store.close();
    throw error;
  }
}

function messageOf(text: string, fields: Record<string, unknown> | undefined): string {
  return fields === undefined ? text : `${text}: ${JSON.stringify(fields)}`;
}
