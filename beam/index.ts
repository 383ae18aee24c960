/**
 * The library: all that a pipeline's author needs, and nothing else. A graph is built with `createPipeline`, `create`
 * or a source, `parDo`, `windowInto`, `groupByKey`, `combinePerKey`, …, and given to `runPipeline`. See `examples/`.
 */

// ── Collections, and what is known of their elements

export type { KV } from "./model/kv.js";
export { type PaneInfo, Timing } from "./model/pane.js";
export {
  formatTimestamp,
  GLOBAL_WINDOW_MAX,
  MAX_TIMESTAMP,
  MIN_TIMESTAMP,
  type TimestampMs,
} from "./model/timestamps.js";
export { type BoundedWindow, GlobalWindow, IntervalWindow } from "./model/windows.js";

// ── Coders: how elements become bytes. Every output of a DoFn names its own

export { type ByteReader, type ByteWriter, CorruptBytesError } from "./model/bytes.js";
export type { Coder, CoderIds, Context } from "./model/coders/coder.js";
export { registerCoder } from "./model/coders/registry.js";
export type { Row } from "./model/coders/row_coder.js";
export type { Schema } from "./model/coders/schema.js";
export * as coders from "./sdk/coders.js";

// ── Building graphs

export type { OutputTime, Trigger } from "./model/triggers.js";
export { fixedWindows, globalWindows, slidingWindows, type WindowFn } from "./model/window_fns.js";
export { type CoGrouped, coGroupByKey } from "./sdk/co_group_by_key.js";
export { combineGlobally, combinePerKey } from "./sdk/combine.js";
export { create } from "./sdk/create.js";
export {
  type Collection,
  composite,
  createPipeline,
  flattenAll,
  groupByKey,
  impulse,
  type OutputCollections,
  type Pipeline,
  parDo,
  type Root,
  type Windowing,
  windowInto,
} from "./sdk/graph.js";

// ── DoFns: what runs for each element. A class with a URN, registered, so that a worker finds it

export { CombineFn } from "./sdk/combine_fn.js";
export {
  type BundleContext,
  DoFn,
  type ElementContext,
  type Emitters,
  type Json,
  type OutputSpecs,
  type SideInputContext,
  SideInputDoFn,
  type StatefulContext,
  StatefulDoFn,
  type TimerContext,
} from "./sdk/do_fn.js";
export { counter, distribution, gauge } from "./sdk/metrics.js";
export { registerCombineFn, registerDoFn } from "./sdk/registry.js";
export { listView, mapView } from "./sdk/side_input.js";

// ── State and timers, of a StatefulDoFn

export {
  type BagState,
  bagState,
  type Changelog,
  type ChangelogState,
  type CombiningState,
  changelogState,
  combiningState,
  type MapState,
  type MultimapState,
  mapState,
  multimapState,
  type OrderedListState,
  orderedListState,
  type Sorted,
  type ValueState,
  valueState,
} from "./sdk/state.js";
export { eventTimeTimer, processingTimeTimer, type Timer } from "./sdk/timer.js";

// ── Sources: splittable DoFns

export { type OffsetRange, OffsetRangeTracker } from "./sdk/offset_range.js";
export { offsetRangeCoder } from "./sdk/offset_range_coder.js";
export {
  type ManualWatermark,
  type ProcessContinuation,
  type RestrictionTracker,
  resume,
  type Split,
  type SplittableContext,
  SplittableDoFn,
  stop,
} from "./sdk/splittable.js";

// ── Tests: a source that is played step by step, and a clock that stands still

export { type Clock, VirtualClock } from "./model/clock.js";
export { TestStream } from "./sdk/test_stream.js";

// ── Running

export { type RunnerOptions, runPipeline } from "./runners/run_pipeline.js";
export type { MetricSource, PipelineRun } from "./sdk/pipeline_run.js";
