/**
 * What a conformance pipeline is: one feature of the Beam model as a graph, with what must come out of it. A pipeline
 * knows no runner, and says the same on all of them.
 */

import type { Coder } from "../../beam/model/coders/coder.js";
import type { Root } from "../../beam/sdk/collection.js";
import type { Collection } from "../../beam/sdk/graph.js";
import type { MetricSource } from "../../beam/sdk/pipeline_run.js";
import type { RecordedElement } from "./recorded_elements.js";
import type { ScriptedStream } from "./scripted_stream.js";

export interface ConformancePipeline {
  /** Its row in the table of docs/runners.md; no two have the same. */
  readonly feature: string;
  /**
   * How a run of it ends. "by itself" is the default. "cancelled": it would go on for ever, and is cancelled once all
   * that it must give is there. "drained": as soon as anything came out. "failing": with an error that matches
   * `failsWith`.
   */
  readonly ends?: "by itself" | "cancelled" | "drained" | "failing";
  readonly failsWith?: RegExp;
  /** Whether the runner must commit while the pipeline runs, as only a stream with checkpoints does on some. */
  readonly needsCommits?: boolean;
  build(graph: GraphUnderTest): void;
  /** What must be known of its metrics when it has ended. Throws for anything else. */
  checkMetrics?(metrics: MetricSource): void;
}

/** One element that must come out; only what is given is compared. */
export interface ExpectedElement {
  readonly value: unknown;
  readonly timestamp?: number;
  /** "global", or "[start, end)". */
  readonly window?: string;
  /** As `describePane` puts it: "EARLY 0 first". */
  readonly pane?: string;
}

/** The graph being built. Expectations are about whole collections, and never about the order of their elements. */
export interface GraphUnderTest {
  readonly root: Root;
  /** How long a source should rest between its steps, so that what is behind it can act. */
  readonly pauseMs: number;
  /** Says that a source of it, resting between its steps, goes on for so long. */
  lasts(ms: number): void;
  /** Elements, watermarks and the passing of time, step by step. */
  stream<T>(name: string, coder: Coder<T>): ScriptedStream<T>;
  expectValues(collection: Collection<any>, values: readonly unknown[]): void;
  expectElements(collection: Collection<any>, elements: readonly ExpectedElement[]): void;
  /** `check` throws for anything but what must come out. */
  expectThat(collection: Collection<any>, check: (elements: readonly RecordedElement[]) => void): void;
  /** For what leaves a pipeline by another way: `check` gets the lines of a new file, whose path is returned. */
  expectLines(check: (lines: readonly string[]) => void): string;
}
