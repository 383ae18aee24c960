/**
 * The library: all that a pipeline's author needs, and nothing else. A graph is built with `createPipeline`, `create`
 * or a source, `parDo`, `windowInto`, `groupByKey`, `combinePerKey`, …, and given to `runPipeline`. See `examples/`.
 */
import "./only_copy.js";

// ── Collections, and what is known of their elements

export type { KV } from "./model/kv.js";
export { type PaneInfo, Timing } from "./model/pane.js";
export {
  formatDuration,
  formatTimestamp,
  GLOBAL_WINDOW_MAX,
  MAX_TIMESTAMP,
  MIN_TIMESTAMP,
  type TimestampMs,
} from "./model/timestamps.js";
export { type BoundedWindow, GlobalWindow, IntervalWindow } from "./model/windows.js";

// ── Coders: how elements become bytes. Every output of a DoFn names its own

export { asciiText } from "./model/ascii_text.js";
export { ByteReader, ByteWriter, CorruptBytesError } from "./model/bytes.js";
export type { Coder, CoderIds, Context } from "./model/coders/coder.js";
export { readInstant, writeInstant } from "./model/coders/instant.js";
export { KVCoder } from "./model/coders/kv_coder.js";
export { leafCoder } from "./model/coders/leaf_coder.js";
export { registerCoder } from "./model/coders/registry.js";
export type { Row } from "./model/coders/row_coder.js";
export type { AtomicKind, Field, FieldType, LogicalFieldType, Schema } from "./model/coders/schema.js";
export { StringUtf8Coder } from "./model/coders/string_utf8_coder.js";
export { VarintCoder } from "./model/coders/varint_coder.js";
export * as coders from "./sdk/coders.js";
export type { Described, FieldDescription, ObjectCoder, ObjectDescription } from "./sdk/object_coder.js";

// ── Building graphs

export type { OutputTime, Trigger } from "./model/triggers.js";
export { fixedWindows, globalWindows, slidingWindows, type WindowFn } from "./model/window_fns.js";
export { type CoGrouped, coGroupByKey, coGroupTagged, type Tagged } from "./sdk/co_group_by_key.js";
export { combineGlobally, combinePerKey } from "./sdk/combine.js";
export { create } from "./sdk/create.js";
export {
  type ElementFn,
  filter,
  filterFn,
  flatMap,
  flatMapFn,
  keyFn,
  map,
  mapFn,
  withKeys,
} from "./sdk/element_wise.js";
export {
  type Accepts,
  applyParDo,
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
  type SideCollections,
  type Windowing,
  windowInto,
} from "./sdk/graph.js";

// ── DoFns: what runs for each element. A class with a URN, registered, so that a worker finds it

export { type AnyCombineFn, CombineFn, type CombineFnClass } from "./sdk/combine_fn.js";
export {
  type ConfigObject,
  type Definition,
  type DoFnDefinition,
  type DoFnMaker,
  defineDoFn,
  defineStatefulDoFn,
  type Instance,
  type StatefulDoFnDefinition,
  type Widened,
} from "./sdk/define.js";
export {
  type AnyDoFn,
  BaseDoFn,
  type BundleContext,
  DoFn,
  type DoFnClass,
  type ElementContext,
  type Emitters,
  type OutputSpecs,
  type SideInputContext,
  SideInputDoFn,
  type StatefulContext,
  StatefulDoFn,
  type TimerContext,
  type ValueOf,
} from "./sdk/do_fn.js";
export type { Json } from "./sdk/json.js";
export {
  Counter,
  counter,
  Distribution,
  type DistributionValue,
  distribution,
  Gauge,
  gauge,
  type MetricCell,
  type MetricCells,
} from "./sdk/metrics.js";
export { registerCombineFn, registerDoFn } from "./sdk/registry.js";
export {
  type ListView,
  listView,
  type MapView,
  mapView,
  type SideInputs,
  type View,
  type Views,
} from "./sdk/side_input.js";

// ── State and timers, of a StatefulDoFn

export {
  type BagState,
  type BagStateSpec,
  bagState,
  type Changelog,
  type ChangelogState,
  type ChangelogStateSpec,
  type CombiningState,
  type CombiningStateSpec,
  changelogState,
  combiningState,
  type MapState,
  type MapStateSpec,
  type MultimapState,
  type MultimapStateSpec,
  mapState,
  multimapState,
  type OrderedListState,
  type OrderedListStateSpec,
  orderedListState,
  readChangelog,
  type Sorted,
  type StateCells,
  type StateSpec,
  type StateSpecs,
  type ValueState,
  type ValueStateSpec,
  valueState,
} from "./sdk/state.js";
export {
  eventTimeTimer,
  processingTimeTimer,
  type Timer,
  type TimerSpec,
  type TimerSpecs,
  type Timers,
} from "./sdk/timer.js";

// ── Sources: splittable DoFns

export { type OffsetRange, OffsetRangeTracker, openRange } from "./sdk/offset_range.js";
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

// ── Running

export type { WorkerEnvironment } from "./runners/portable/environments.js";
export type { PipelineOption, PipelineOptions } from "./runners/portable/pipeline_options.js";
export { type RunnerOptions, runPipeline } from "./runners/run_pipeline.js";
export { type ProgramOptions, runProgram } from "./runners/run_program.js";
export type { CounterSource, MetricSource, PipelineRun } from "./sdk/pipeline_run.js";
