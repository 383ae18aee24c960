/**
 * Runs a pipeline by a runner's job service: prepares it, stages what there is, runs it, and follows it until it ends.
 * No wait is without a bound but that for the job itself, and while the job runs its runner is asked every few
 * seconds, so a runner that went away without a word is noticed.
 */
import { runnerApi } from "../../model/apache_beam.js";
import { sleep, systemClock } from "../../platform/clock.js";
import type { Pipeline } from "../../sdk/collection.js";
import { protoOf } from "../../sdk/collection.js";
import type { PipelineRun, StageWatermark, StopMode } from "../../sdk/pipeline_run.js";
import { type WorkerEnvironment, withEnvironment } from "./environments.js";
import { withoutGroupsOfOne } from "./groups_of_one.js";
import { jobApi } from "./job_api.js";
import { JobMessages, type RunnerLog } from "./job_messages.js";
import { JobMetrics } from "./job_metrics.js";
import { JobService } from "./job_service.js";
import { withKeyShards } from "./key_shards.js";
import { optionsToStruct, type PipelineOptions } from "./pipeline_options.js";
import { RunnerCallError } from "./rpc.js";
import { stageArtifacts } from "./stage_artifacts.js";

export interface PortableRunnerOptions {
  /** host:port of the job service. */
  readonly jobEndpoint: string;
  readonly jobName: string;
  readonly environment: WorkerEnvironment;
  readonly pipelineOptions?: PipelineOptions;
  /**
   * Into how many shards the keys of each stateful step are put, from 1 to 32768. A shard's state is in its worker's
   * memory, and at the runner as a log: many times fewer requests, where a worker has room for the state of its keys. Do not
   * change it over kept state. Default 0: the runner has the state of each key. See `withKeyShards` for which steps.
   */
  readonly keyShards?: number;
  readonly log: RunnerLog;
  /** Of a runner that was started for this run: resolves with what is to be said when it ends. */
  readonly runnerEnded?: Promise<string>;
  /** Of such a runner: resolves with what is to be said when a worker process has ended. The job may have, too. */
  readonly workerLost?: Promise<string>;
}

/** The runner ended the job without success. */
export class JobFailedError extends Error {
  override readonly name = "JobFailedError";
}

/** The runner does not answer any more; what has become of the job is not known. */
export class RunnerGoneError extends Error {
  override readonly name = "RunnerGoneError";
}

/** The runner cannot end a job in the requested way; the job goes on. */
export class StopUnsupportedError extends Error {
  override readonly name = "StopUnsupportedError";
}

const POLL_INTERVAL_MS = 2_000;
/** Calls in a row, each with a deadline of its own, that a runner may leave unanswered. */
const UNANSWERED_MAX = 3;
const RECONNECT_MS = 500;
const RECONNECT_MAX_MS = 10_000;
/** After a job's end, for the message that says why. */
const LAST_MESSAGES_MS = 2_000;
const CANCEL_MAX_MS = 60_000;
/** Between the end of a worker and that of its job, whichever was the reason for the other. */
const WORKERLESS_MAX_MS = 10_000;

const { DONE, FAILED, CANCELLED, UPDATED, DRAINED } = jobApi.JobState_Enum;
const TERMINAL: ReadonlySet<jobApi.JobState_Enum> = new Set([DONE, FAILED, CANCELLED, UPDATED, DRAINED]);

/** Submits a pipeline. Rejects, in bounded time, if the runner cannot be reached or refuses it. */
export function runPortable(pipeline: Pipeline, options: PortableRunnerOptions): Promise<PortableRun> {
  return runProto(protoOf(pipeline), options);
}

/**
 * As `runPortable`, for a pipeline as bytes, whichever SDK made it. The environment of the options replaces its
 * own.
 */
export function runSerialized(pipeline: Uint8Array, options: PortableRunnerOptions): Promise<PortableRun> {
  return runProto(runnerApi.Pipeline.fromBinary(pipeline), options);
}

async function runProto(pipeline: runnerApi.Pipeline, options: PortableRunnerOptions): Promise<PortableRun> {
  const { jobEndpoint, jobName, environment, pipelineOptions = {}, keyShards = 0 } = options;
  const service = new JobService(jobEndpoint);
  try {
    await service.reach();
    const proto = withKeyShards(withoutGroupsOfOne(withEnvironment(pipeline, environment)), keyShards);
    const prepared = await service.prepare(
      proto,
      optionsToStruct({ job_name: jobName, ...pipelineOptions }),
      jobName,
    );
    const staging = prepared.artifactStagingEndpoint?.url;
    if (staging) await stageArtifacts(staging, prepared.stagingSessionToken);
    const jobId = await service.run(prepared.preparationId, prepared.stagingSessionToken);
    options.log.info("the job runs", { runner: jobEndpoint, job: jobId });
    return new PortableRun(service, jobId, new JobMetrics(proto), options);
  } catch (error) {
    service.close();
    throw error;
  }
}

/** A job on a portable runner, followed from this process. */
export class PortableRun implements PipelineRun {
  readonly finished: Promise<void>;
  readonly #messages: JobMessages;
  /** Aborts when the run is over, with whatever end. */
  readonly #over = new AbortController();
  #giveUp!: (reason: Error) => void;
  #isCancelled = false;
  /** Asked for metrics so far, and the number of the latest question that was answered. */
  #questions = 0;
  #answered = 0;

  constructor(
    private readonly service: JobService,
    readonly jobId: string,
    readonly metrics: JobMetrics,
    private readonly options: PortableRunnerOptions,
  ) {
    this.#messages = new JobMessages(service.messages(jobId), options.log);
    const givenUp = new Promise<never>((_, reject) => {
      this.#giveUp = reject;
    });
    this.finished = this.#follow(givenUp);
    // A caller that only stops the run later must not be taken for one that ignores its failure.
    this.finished.catch(() => undefined);
    void this.#poll();
    void options.runnerEnded?.then((why) => this.#giveUp(new RunnerGoneError(why)));
    void options.workerLost?.then(async (why) => {
      await sleep(WORKERLESS_MAX_MS, { isBackground: true });
      this.#giveUp(new JobFailedError(`the job has lost its worker: ${why}`));
    });
  }

  /** Of its workers' connections only they know. */
  health(): readonly [] {
    return [];
  }

  /** No portable runner tells where its stages stand. */
  status(): readonly StageWatermark[] {
    return [];
  }

  /** "keep" cancels the job; "expire" drains it, or rejects with a StopUnsupportedError where the runner cannot. */
  async stop(mode: StopMode = "keep"): Promise<void> {
    if (!this.#over.signal.aborted) {
      if (mode === "expire") await this.#drain();
      else await this.#cancel();
    }
    await this.finished;
  }

  async #drain(): Promise<void> {
    try {
      await this.service.drain(this.jobId);
    } catch (error) {
      if (!(error instanceof RunnerCallError) || !error.isUnimplemented) throw error;
      throw new StopUnsupportedError(
        `the runner at ${this.service.endpoint} cannot drain a job, so what waits cannot be expired first`,
      );
    }
  }

  async #cancel(): Promise<void> {
    // A cancelled job is forgotten by some runners, with what it counted.
    await this.#refreshMetrics().catch(() => undefined);
    this.#isCancelled = true;
    try {
      await this.service.cancel(this.jobId);
    } catch (error) {
      // Of a job that has just ended by itself, or with its runner, `finished` tells.
      if (!this.#over.signal.aborted) this.#giveUp(error as Error);
    }
    void sleep(CANCEL_MAX_MS, { isBackground: true }).then(() =>
      this.#giveUp(
        new RunnerGoneError(
          `the runner at ${this.service.endpoint} did not end the job within ${CANCEL_MAX_MS / 1000} s of its cancellation`,
        ),
      ),
    );
  }

  async #follow(givenUp: Promise<never>): Promise<void> {
    try {
      const state = await Promise.race([this.#untilTerminal(), givenUp]);
      await Promise.race([this.#messages.ended, sleep(LAST_MESSAGES_MS)]);
      await this.#refreshMetrics().catch((error: Error) => {
        this.options.log.debug("no metrics at the end", { reason: error.message });
      });
      this.#check(state);
    } finally {
      this.#over.abort();
      this.#messages.close();
      this.service.close();
    }
  }

  /** Throws for an end that nobody wanted. */
  #check(state: jobApi.JobState_Enum): void {
    if (state === FAILED) {
      throw new JobFailedError(`the job failed: ${this.#messages.failure ?? "its runner does not say why"}`);
    }
    if (state === CANCELLED && !this.#isCancelled) {
      throw new JobFailedError("the job was cancelled, but not from here");
    }
  }

  async #untilTerminal(): Promise<jobApi.JobState_Enum> {
    for (;;) {
      const streamed = await this.#readStates();
      if (streamed !== undefined) return streamed;
      // The stream broke. The job may have ended meanwhile.
      const asked = await this.#askState();
      if (TERMINAL.has(asked)) return asked;
      await sleep(RECONNECT_MS);
    }
  }

  /** Resolves with the terminal state, or undefined when the stream ends without one. */
  #readStates(): Promise<jobApi.JobState_Enum | undefined> {
    return new Promise((resolve) => {
      const stream = this.service.states(this.jobId);
      const onOver = (): void => stream.cancel();
      const end = (state: jobApi.JobState_Enum | undefined): void => {
        this.#over.signal.removeEventListener("abort", onOver);
        resolve(state);
      };
      this.#over.signal.addEventListener("abort", onOver, { once: true });
      stream.on("data", ({ state }: jobApi.JobStateEvent) => {
        this.options.log.debug("state of the job", { state: stateName(state) });
        if (!TERMINAL.has(state)) return;
        end(state);
        stream.cancel();
      });
      stream.on("error", () => end(undefined));
      stream.on("end", () => end(undefined));
    });
  }

  async #askState(): Promise<jobApi.JobState_Enum> {
    const deadline = systemClock.elapsed() + RECONNECT_MAX_MS;
    for (;;) {
      try {
        return await this.service.state(this.jobId);
      } catch (error) {
        const isUnanswered = error instanceof RunnerCallError && error.isUnanswered;
        if (!isUnanswered || this.#over.signal.aborted || systemClock.elapsed() > deadline)
          throw this.#gone(error as Error);
        await sleep(RECONNECT_MS);
      }
    }
  }

  /** Keeps the metrics fresh, and finds out when nobody is there to tell them. */
  async #poll(): Promise<void> {
    const { signal } = this.#over;
    let unanswered = 0;
    while (!signal.aborted) {
      try {
        await this.#refreshMetrics();
        unanswered = 0;
      } catch (error) {
        const isUnanswered = error instanceof RunnerCallError && error.isUnanswered;
        unanswered = isUnanswered ? unanswered + 1 : 0;
        if (unanswered >= UNANSWERED_MAX) this.#giveUp(this.#gone(error as Error));
      }
      await sleep(POLL_INTERVAL_MS, { signal }).catch(() => undefined);
    }
  }

  /** An answer that comes after one to a later question is out of date. */
  async #refreshMetrics(): Promise<void> {
    const question = ++this.#questions;
    const told = await this.service.metrics(this.jobId);
    if (question < this.#answered) return;
    this.#answered = question;
    this.metrics.take(told);
  }

  #gone(cause: Error): RunnerGoneError {
    return new RunnerGoneError(`the runner went away while the job ran: ${cause.message}`, { cause });
  }
}

function stateName(state: jobApi.JobState_Enum): string {
  return jobApi.JobState_Enum[state] ?? String(state);
}
