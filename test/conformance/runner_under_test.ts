/** What the conformance suite needs of a runner. Each runner has its adapter in `runners/`. */
import type { Pipeline } from "../../beam/sdk/collection.js";
import type { MetricSource } from "../../beam/sdk/pipeline_run.js";

export interface RunnerUnderTest {
  /** As in the table of docs/runners.md. */
  readonly name: string;
  /** Whether it plays test streams; otherwise scripted streams are played by a splittable DoFn, by the clock. */
  readonly hasTestStream: boolean;
  /** Whether it runs streams; if not, pipelines with unbounded collections are not run on it. */
  readonly takesStreams: boolean;
  /** How long a scripted stream rests after each step, where there is no test stream. */
  readonly stepPauseMs: number;
  /** What the longest pipeline of the suite may take, its start included. */
  readonly deadlineMs: number;
  /** What it says of a failed job instead of the reason, when it loses the reason on the way. */
  readonly lostReason?: RegExp | undefined;
  /** Throws when the runner refuses the pipeline. */
  start(pipeline: Pipeline, options: RunOptions): Promise<JobUnderTest>;
  /** After a run that did not end in time: whatever hangs is ended, and the next run finds a fresh runner. */
  recover(): Promise<void>;
  close(): Promise<void>;
}

export interface RunOptions {
  /** Part of the name of the job. */
  readonly name: string;
  readonly needsCommits: boolean;
  /** How long its sources go on. */
  readonly durationMs: number;
}

export interface JobUnderTest {
  /** Settles when the job has ended, however that came about; rejects with the runner's message when it failed. */
  readonly finished: Promise<void>;
  cancel(): Promise<void>;
  drain(): Promise<void>;
  /** Of a job that has ended. */
  readonly metrics: MetricSource;
}
