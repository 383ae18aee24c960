/**
 * Any runner with a job service, started for the suite; its workers are in this process. A runner that has ended, or
 * that must recover, is started anew for the next run.
 */
import type { WorkerLog } from "../../../beam/harness/worker_log.js";
import { startWorkerPool, type WorkerPool } from "../../../beam/harness/worker_pool.js";
import type { RunnerLog } from "../../../beam/runners/portable/job_messages.js";
import type { PipelineOptions } from "../../../beam/runners/portable/pipeline_options.js";
import { type PortableRun, runPortable } from "../../../beam/runners/portable/portable_run.js";
import { RunnerCallError } from "../../../beam/runners/portable/rpc.js";
import type { Pipeline } from "../../../beam/sdk/collection.js";
import { type LocalRunner, RequirementMissing } from "../../../services/index.js";
import { isStream } from "../run_conformance.js";
import type { JobUnderTest, RunnerUnderTest, RunOptions } from "../runner_under_test.js";
import { UnavailableError } from "../test_runner.js";

export interface PortableRecipe {
  readonly name: string;
  readonly hasTestStream: boolean;
  readonly takesStreams: boolean;
  readonly stepPauseMs: number;
  readonly deadlineMs: number;
  readonly lostReason?: RegExp;
  /** A runner is replaced after so many jobs, where each leaves something behind. */
  readonly jobsMax?: number;
  /** Into how many shards the keys of stateful steps are put. */
  readonly keyShards?: number;
  /** Throws RequirementMissing where the runner cannot be had. */
  launch(): Promise<LocalRunner>;
  pipelineOptions?(options: RunOptions, isStream: boolean): PipelineOptions;
}

const nothing = (): void => undefined;
const silent: RunnerLog & WorkerLog = { debug: nothing, info: nothing, warn: nothing, error: nothing };

export class PortableUnderTest implements RunnerUnderTest {
  readonly name: string;
  readonly hasTestStream: boolean;
  readonly takesStreams: boolean;
  readonly stepPauseMs: number;
  readonly deadlineMs: number;
  readonly lostReason: RegExp | undefined;
  #runner: LocalRunner | undefined;
  #pool: WorkerPool | undefined;
  #jobs = 0;

  private constructor(private readonly recipe: PortableRecipe) {
    ({
      name: this.name,
      hasTestStream: this.hasTestStream,
      takesStreams: this.takesStreams,
      stepPauseMs: this.stepPauseMs,
      deadlineMs: this.deadlineMs,
      lostReason: this.lostReason,
    } = recipe);
  }

  /** Throws an UnavailableError where the runner cannot be had. */
  static async startUp(recipe: PortableRecipe): Promise<PortableUnderTest> {
    const started = new PortableUnderTest(recipe);
    try {
      await started.#running();
    } catch (error) {
      if (error instanceof RequirementMissing) throw new UnavailableError(error.message);
      throw error;
    }
    return started;
  }

  async start(pipeline: Pipeline, options: RunOptions): Promise<JobUnderTest> {
    if (this.#jobs === this.recipe.jobsMax) await this.recover();
    const { endpoint, ended } = await this.#running();
    this.#jobs++;
    this.#pool ??= await startWorkerPool({ log: silent });
    const run: PortableRun = await runPortable(pipeline, {
      jobEndpoint: endpoint,
      jobName: `conformance-${options.name.replaceAll(/[^a-z0-9]+/gi, "-").toLowerCase()}`.slice(0, 60),
      environment: { kind: "external", endpoint: this.#pool.endpoint },
      pipelineOptions: this.recipe.pipelineOptions?.(options, isStream(pipeline)) ?? {},
      keyShards: this.recipe.keyShards ?? 0,
      log: silent,
      runnerEnded: ended,
    }).catch(async (error) => {
      if (error instanceof RunnerCallError) await this.recover();
      throw error;
    });
    return {
      finished: run.finished,
      cancel: () => run.stop("keep"),
      drain: () => run.stop("expire"),
      metrics: run.metrics,
    };
  }

  async recover(): Promise<void> {
    // The runner first: without its other side, a worker ends.
    await this.#runner?.stop();
    this.#runner = undefined;
    this.#jobs = 0;
    await this.#pool?.close();
    this.#pool = undefined;
  }

  close(): Promise<void> {
    return this.recover();
  }

  async #running(): Promise<LocalRunner> {
    if (this.#runner !== undefined) return this.#runner;
    const runner = await this.recipe.launch();
    this.#runner = runner;
    void runner.ended.then(() => {
      if (this.#runner === runner) this.#runner = undefined;
    });
    return runner;
  }
}
