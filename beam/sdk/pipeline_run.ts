/** A pipeline under way, on whatever runner: what the one who started it may see of it and do about it. */

import type { TimestampMs } from "../model/timestamps.js";
import type { HealthProblem } from "../platform/health.js";
import type { DistributionValue } from "./metrics.js";

/** A running pipeline. */
export interface PipelineRun {
  /** Settles when the run has ended; rejects with what it failed with. */
  readonly finished: Promise<void>;
  readonly metrics: MetricSource;
  /** The watermarks of its stages; empty if the runner does not report them. */
  status(): readonly StageWatermark[];
  /** Current problems, as far as this process knows; empty if there are none. */
  health(): readonly HealthProblem[];
  /**
   * Ends the run: "keep" leaves what waits in state as it is, "expire" ends the sources and lets every timer fire
   * first. Resolves when it has ended; rejects if it cannot be ended that way, and the run then goes on.
   */
  stop(mode?: StopMode): Promise<void>;
}

/** What to do with state that is left when a run is stopped: see PipelineRun.stop. */
export type StopMode = "keep" | "expire";

/** The watermarks before and after a stage, ms. */
export interface StageWatermark {
  readonly name: string;
  readonly inputWatermark: TimestampMs;
}

/** Where counters are read. */
export interface CounterSource {
  /** A counter summed over all transforms; with `transform`, over those whose name begins so. */
  counter(name: string, transform?: string): number;
}

/** Keys are the name of the transform, a slash, and the name of the metric. */
export interface MetricSource extends CounterSource {
  counters(): ReadonlyMap<string, number>;
  distributions(): ReadonlyMap<string, DistributionValue>;
  gauges(): ReadonlyMap<string, number>;
  /**
   * The part of the counters that earlier runs on the same state have counted. A run that was stopped or killed
   * continues with the next start; only one that reached its end counts as an earlier run.
   */
  readonly earlier?: CounterSource;
}
