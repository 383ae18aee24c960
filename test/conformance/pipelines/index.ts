/** All conformance pipelines, in the order of the table of docs/runners.md. */
import type { ConformancePipeline } from "../conformance_pipeline.js";
import * as coders from "./coders.js";
import * as combine from "./combine.js";
import * as elements from "./elements.js";
import * as eventTimers from "./event_timers.js";
import * as finalization from "./finalization.js";
import * as groups from "./groups.js";
import * as metrics from "./metrics.js";
import * as processingTimers from "./processing_timers.js";
import * as sideInputs from "./side_inputs.js";
import * as splittable from "./splittable.js";
import * as state from "./state.js";

/** By the heading in the table. */
export const CONFORMANCE: ReadonlyMap<string, readonly ConformancePipeline[]> = new Map([
  ["Elements", pipelinesOf(elements)],
  ["State", pipelinesOf(state)],
  ["Event-time timers", pipelinesOf(eventTimers)],
  ["Processing-time timers", pipelinesOf(processingTimers)],
  ["Groups, triggers and panes", pipelinesOf(groups)],
  ["Combine", pipelinesOf(combine)],
  ["Side inputs", pipelinesOf(sideInputs)],
  ["Splittable DoFns", pipelinesOf(splittable)],
  ["Bundle finalization", pipelinesOf(finalization)],
  ["Metrics", pipelinesOf(metrics)],
  ["Coders", pipelinesOf(coders)],
]);

export const FEATURES: readonly string[] = [...CONFORMANCE.values()].flat().map(({ feature }) => feature);

/** What a module exports that is a pipeline, by the names of their features. */
function pipelinesOf(module: object): ConformancePipeline[] {
  return Object.values(module)
    .filter(
      (exported): exported is ConformancePipeline =>
        typeof exported === "object" && exported !== null && "feature" in exported,
    )
    .sort((a, b) => (a.feature < b.feature ? -1 : 1));
}
