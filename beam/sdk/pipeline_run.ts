/** A pipeline under way, on whatever runner: what the one who started it may see of it and do about it. */

import type { TimestampMs } from "../model/timestamps.js";
import type { HealthProblem } from "../platform/health.js";
import type { DistributionValue } from "./metrics.js";

/** A pipeline under way. */
export interface PipelineRun {
  /** Settles when the run has ended; rejects with what it failed with. */
  readonly finished: Promise<void>;
  readonly metrics: MetricSource;
  /** Where its stages stand; empty where the runner does not tell. */
  status(): readonly StageWatermark[];
  /** What is wrong right now, as far as this process knows; empty when all is well. */
  health(): readonly HealthProblem[];
  /**
   * Ends the run: "keep" leaves what waits in state as it is, "expire" ends the sources and lets every timer fire
   * first. Resolves when it has ended; breaks when it cannot be ended so, and then it goes on.
   */
  stop(mode?: StopMode): Promise<void>;
}

/** What becomes of what waits in state when a run is ended: see PipelineRun.stop. */
export type StopMode = "keep" | "expire";

/** How far event time has come before a stage, ms. */
export interface StageWatermark {
  readonly name: string;
  readonly inputWatermark: TimestampMs;
}

/** Where counters are read. */
export interface CounterSource {
  /** A counter summed over all transforms; with `transform`, over those whose name begins so. */
  counter(name: string, transform?: string): number;
}

/** Keys are the name of the transform, a slash and the name of the metric. */
export interface MetricSource extends CounterSource {
  counters(): ReadonlyMap<string, number>;
  distributions(): ReadonlyMap<string, DistributionValue>;
  gauges(): ReadonlyMap<string, number>;
  /**
   * The part of the counters that runs before this one have counted on the same state. A run that was stopped or killed
   * goes on with the next start: only one that came to its end is another.
   */
  readonly earlier?: CounterSource;
}
