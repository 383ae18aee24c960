/**
 * A job on Dataflow, followed from this process: its states, messages and metrics are asked for every few seconds until it
 * ends. Following has no part in the job: when this process ends, the job goes on.
 */

import type { runnerApi } from "../../model/apache_beam.js";
import { sleep, systemClock } from "../../platform/clock.js";
import type { PipelineRun, StageWatermark, StopMode } from "../../sdk/pipeline_run.js";
import type { RunnerLog } from "../portable/job_messages.js";
import { JobFailedError, RunnerGoneError } from "../portable/portable_run.js";
import { DataflowError } from "./dataflow_errors.js";
import { DataflowMessages } from "./dataflow_messages.js";
import { DataflowMetrics } from "./dataflow_metrics.js";
import type { DataflowService, Job } from "./dataflow_service.js";
import { stateOf, TERMINAL } from "./job_state.js";

/** How a job is followed. */
export interface FollowOptions {
  readonly log: RunnerLog;
  /** ms between two questions. Default: 5 s. */
  readonly pollIntervalMs?: number;
  /** How long the reason of a failure may come behind the failure, ms. The service takes up to 50 s. */
  readonly reasonMaxMs?: number;
}

/** In a row, each with attempts of its own. */
const FAILURES_MAX = 10;
const POLL_INTERVAL_MS = 5_000;
const REASON_MAX_MS = 50_000;

/** A job on Dataflow, followed from this process. */
export class DataflowRun implements PipelineRun {
  readonly finished: Promise<void>;
  readonly metrics: DataflowMetrics;
  readonly #messages: DataflowMessages;
  readonly #over = new AbortController();
  #state = "";
  #isCancelled = false;
  #isDetached = false;

  constructor(
    private readonly service: DataflowService,
    readonly jobId: string,
    proto: runnerApi.Pipeline | undefined,
    private readonly options: FollowOptions,
  ) {
    this.metrics = new DataflowMetrics(proto);
    this.#messages = new DataflowMessages(service.place, options.log);
    this.finished = this.#follow();
    this.finished.catch(() => undefined);
  }

  health(): readonly [] {
    return [];
  }

  status(): readonly StageWatermark[] {
    return [];
  }

  /** "keep" cancels the job, "expire" drains it. To leave it alone: `detach`. */
  async stop(mode: StopMode = "keep"): Promise<void> {
    if (!this.#over.signal.aborted) {
      if (mode === "keep") this.#isCancelled = true;
      await this.service.request(
        this.jobId,
        mode === "expire" ? "JOB_STATE_DRAINING" : "JOB_STATE_CANCELLED",
      );
    }
    await this.finished;
  }

  /** Follows the job no more; it goes on. `finished` resolves. */
  detach(): void {
    this.#isDetached = true;
    this.#over.abort();
  }

  async #follow(): Promise<void> {
    try {
      const end = await this.#untilTerminal();
      if (end === undefined) return;
      if (end === "JOB_STATE_FAILED") await this.#awaitReason();
      await this.#refresh().catch(() => undefined);
      this.#check(end);
    } finally {
      this.#over.abort();
      await this.service.close();
    }
  }

  /** Undefined: nobody follows it any more. */
  async #untilTerminal(): Promise<string | undefined> {
    let failures = 0;
    for (;;) {
      if (this.#isDetached) return undefined;
      try {
        const job = await this.service.get(this.jobId);
        await this.#refresh();
        failures = 0;
        this.#tellState(job);
        if (TERMINAL.has(this.#state)) return this.#state;
      } catch (error) {
        const isOutage = error instanceof DataflowError && error.isOutage;
        if (!isOutage || ++failures === FAILURES_MAX) throw this.#gone(error as Error);
        this.options.log.warn("the job's state cannot be read", { reason: (error as Error).message });
      }
      await this.#pause(this.options.pollIntervalMs ?? POLL_INTERVAL_MS);
    }
  }

  #tellState(job: Job): void {
    const state = stateOf(job);
    if (state === this.#state) return;
    this.#state = state;
    this.options.log.info("state of the job", { state: state.replace(/^JOB_STATE_/, "").toLowerCase() });
  }

  async #refresh(): Promise<void> {
    this.#messages.take(await this.service.messages(this.jobId, this.#messages.since));
    this.metrics.take(await this.service.metrics(this.jobId));
  }

  async #awaitReason(): Promise<void> {
    const { reasonMaxMs = REASON_MAX_MS, pollIntervalMs = POLL_INTERVAL_MS } = this.options;
    const deadline = systemClock.elapsed() + reasonMaxMs;
    while (this.#messages.failure === undefined && systemClock.elapsed() < deadline && !this.#isDetached) {
      await this.#pause(Math.min(pollIntervalMs, 2_000));
      await this.#refresh().catch(() => undefined);
    }
  }

  #pause(ms: number): Promise<void> {
    return sleep(ms, { signal: this.#over.signal }).catch(() => undefined);
  }

  #check(end: string): void {
    switch (end) {
      case "JOB_STATE_FAILED":
        throw new JobFailedError(`the job failed: ${this.#messages.failure ?? "Dataflow does not say why"}`);
      case "JOB_STATE_CANCELLED":
        if (this.#isCancelled) return;
        throw new JobFailedError("the job was cancelled, but not from here");
      case "JOB_STATE_UPDATED":
        this.options.log.info("another job has replaced this one, and has its state");
    }
  }

  #gone(cause: Error): Error {
    if (!(cause instanceof DataflowError)) return cause;
    return new RunnerGoneError(`the job ${this.jobId} cannot be followed any more: ${cause.message}`);
  }
}
