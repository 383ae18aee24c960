/** GroupByKey and CoGroupByKey: which values come together, when, at which timestamp and in which pane. */

import type { KV } from "../../../beam/model/kv.js";
import { GLOBAL_WINDOW_MAX } from "../../../beam/model/timestamps.js";
import type { Trigger } from "../../../beam/model/triggers.js";
import { fixedWindows, slidingWindows } from "../../../beam/model/window_fns.js";
import { coGroupByKey, coGroupTagged } from "../../../beam/sdk/co_group_by_key.js";
import { type Collection, groupByKey, parDo, type Windowing, windowInto } from "../../../beam/sdk/graph.js";
import { valueState } from "../../../beam/sdk/state.js";
import { doFn, doFnWith, keyedInts, stateful, strings } from "../../unit/beam/runners/small_graphs.js";
import type { ConformancePipeline } from "../conformance_pipeline.js";
import { type Keyed, keyedNumbers, keyedStream, S } from "./keyed_numbers.js";

const tellGroup = doFn(
  "conformance:dofn:tell_group:v1",
  ({ key, value }: KV<string, Iterable<number>>, { emit }) => {
    emit.main(`${key}: ${[...value].sort((a, b) => a - b).join()}`);
  },
);

/** Groups, in this windowing, as texts: "a: 1,2". */
function grouped(numbers: Collection<Keyed>, windowing: Windowing): Collection<string> {
  const windowed = windowInto("Window", numbers, windowing);
  return parDo("TellGroup", groupByKey("Group", windowed), tellGroup).main;
}

const everyElement: Trigger = { kind: "repeated-count", count: 1 };
const everyTwo: Trigger = { kind: "repeated-count", count: 2 };

export const groupsInTheGlobalWindow: ConformancePipeline = {
  feature: "GroupByKey, global window, default trigger: one pane when the input ends",
  build(graph) {
    const numbers = keyedNumbers(graph, [
      ["a", 1, 5],
      ["b", 2, 6],
      ["a", 3, 7],
    ]);
    graph.expectElements(grouped(numbers, {}), [
      { value: "a: 1,3", timestamp: GLOBAL_WINDOW_MAX, window: "global" },
      { value: "b: 2", timestamp: GLOBAL_WINDOW_MAX, window: "global" },
    ]);
  },
};

export const groupsInFixedWindows: ConformancePipeline = {
  feature: "GroupByKey, fixed windows, default trigger: one pane at the end of each window",
  build(graph) {
    const numbers = keyedNumbers(graph, [
      ["a", 1, 0],
      ["a", 2, 9],
      ["a", 3, 10],
      ["b", 4, 11],
    ]);
    graph.expectElements(grouped(numbers, { windowFn: fixedWindows(10) }), [
      { value: "a: 1,2", timestamp: 9, window: "[0, 10)" },
      { value: "a: 3", timestamp: 19, window: "[10, 20)" },
      { value: "b: 4", timestamp: 19, window: "[10, 20)" },
    ]);
  },
};

export const tellsTheOnlyPane: ConformancePipeline = {
  feature: "the only pane of a window is on time, the first and the last",
  build(graph) {
    graph.expectElements(grouped(keyedNumbers(graph, [["a", 1, 5]]), { windowFn: fixedWindows(10) }), [
      { value: "a: 1", pane: "ON_TIME 0 first last" },
    ]);
  },
};

export const groupsInSlidingWindows: ConformancePipeline = {
  feature: "GroupByKey, sliding windows",
  build(graph) {
    const numbers = keyedNumbers(graph, [
      ["a", 1, 2],
      ["a", 2, 7],
    ]);
    graph.expectElements(grouped(numbers, { windowFn: slidingWindows(10, 5) }), [
      { value: "a: 1", timestamp: 4, window: "[-5, 5)" },
      { value: "a: 1,2", timestamp: 9, window: "[0, 10)" },
      { value: "a: 2", timestamp: 14, window: "[5, 15)" },
    ]);
  },
};

export const firesWindowsAsTheyEnd: ConformancePipeline = {
  feature: "GroupByKey fires each window when the watermark has passed it, while the stream goes on",
  build(graph) {
    const stream = keyedStream(graph)
      .add([{ key: "a", value: 1 }, 1 * S])
      .advanceWatermarkTo(10 * S)
      // Were the first window still open at the end, this one would be in its pane.
      .add([{ key: "a", value: 2 }, 11 * S])
      .advanceWatermarkTo(30 * S);
    graph.expectElements(grouped(stream.read(), { windowFn: fixedWindows(10 * S) }), [
      { value: "a: 1", timestamp: 10 * S - 1 },
      { value: "a: 2", timestamp: 20 * S - 1 },
    ]);
  },
};

export const dropsLateData: ConformancePipeline = {
  feature: "late data is dropped by a GroupByKey",
  build(graph) {
    const stream = keyedStream(graph)
      .add([{ key: "a", value: 1 }, 1 * S])
      .advanceWatermarkTo(10 * S)
      .add([{ key: "a", value: 99 }, 5 * S], [{ key: "a", value: 2 }, 12 * S])
      .advanceWatermarkTo(30 * S);
    graph.expectValues(grouped(stream.read(), { windowFn: fixedWindows(10 * S) }), ["a: 1", "a: 2"]);
  },
};

export const firesLatePanes: ConformancePipeline = {
  feature: "late data within the allowed lateness fires a late pane; behind it, none",
  build(graph) {
    const stream = keyedStream(graph)
      .add([{ key: "a", value: 1 }, 1 * S])
      .advanceWatermarkTo(10 * S)
      .add([{ key: "a", value: 2 }, 5 * S])
      .advanceWatermarkTo(20 * S)
      .add([{ key: "a", value: 3 }, 6 * S])
      .advanceWatermarkTo(100 * S)
      .add([{ key: "a", value: 99 }, 7 * S])
      .advanceWatermarkTo(200 * S);
    const windowing = { windowFn: fixedWindows(10 * S), allowedLatenessMs: 50 * S };
    graph.expectElements(grouped(stream.read(), windowing), [
      { value: "a: 1", timestamp: 10 * S - 1, pane: "ON_TIME 0 first" },
      { value: "a: 2", timestamp: 10 * S - 1, pane: "LATE 1" },
      { value: "a: 3", timestamp: 10 * S - 1, pane: "LATE 2" },
    ]);
  },
};

export const firesForEveryElement: ConformancePipeline = {
  feature: "GroupByKey, global window, repeated trigger for every element, earliest timestamp",
  build(graph) {
    const stream = keyedStream(graph)
      .add([{ key: "a", value: 1 }, 5 * S])
      .advanceWatermarkTo(6 * S)
      .add([{ key: "b", value: 2 }, 8 * S])
      .advanceWatermarkTo(9 * S)
      .add([{ key: "a", value: 3 }, 10 * S]);
    const windowing: Windowing = { trigger: everyElement, outputTime: "EARLIEST_IN_PANE" };
    graph.expectElements(grouped(stream.read(), windowing), [
      { value: "a: 1", timestamp: 5 * S },
      { value: "b: 2", timestamp: 8 * S },
      { value: "a: 3", timestamp: 10 * S },
    ]);
  },
};

/** Five elements, one after the other; a pane has two of them, the last one the rest. */
function twoAtATime(graph: Parameters<ConformancePipeline["build"]>[0]) {
  const stream = keyedStream(graph);
  for (const value of [1, 2, 3, 4, 5])
    stream.add([{ key: "a", value }, value * S]).advanceWatermarkTo(value * S);
  return stream.read();
}

export const firesByCount: ConformancePipeline = {
  feature: "GroupByKey, global window, repeated trigger for every two elements; the rest when the input ends",
  build(graph) {
    const windowing: Windowing = { trigger: everyTwo, outputTime: "EARLIEST_IN_PANE" };
    graph.expectElements(grouped(twoAtATime(graph), windowing), [
      { value: "a: 1,2", timestamp: 1 * S },
      { value: "a: 3,4", timestamp: 3 * S },
      { value: "a: 5", timestamp: 5 * S },
    ]);
  },
};

export const numbersPanes: ConformancePipeline = {
  feature: "panes of a fixed window are numbered, early ones and the one on time",
  build(graph) {
    const windowing: Windowing = {
      windowFn: fixedWindows(10 * S),
      trigger: everyTwo,
      outputTime: "LATEST_IN_PANE",
    };
    graph.expectElements(grouped(twoAtATime(graph), windowing), [
      { value: "a: 1,2", timestamp: 2 * S, pane: "EARLY 0 first" },
      { value: "a: 3,4", timestamp: 4 * S, pane: "EARLY 1" },
      { value: "a: 5", timestamp: 5 * S, pane: "ON_TIME 2 last" },
    ]);
  },
};

export const numbersPanesOfTheGlobalWindow: ConformancePipeline = {
  feature: "panes of the global window are numbered",
  build(graph) {
    const windowing: Windowing = { trigger: everyTwo, outputTime: "EARLIEST_IN_PANE" };
    graph.expectElements(grouped(twoAtATime(graph), windowing), [
      { value: "a: 1,2", pane: "EARLY 0 first" },
      { value: "a: 3,4", pane: "EARLY 1" },
      { value: "a: 5", pane: "ON_TIME 2 last" },
    ]);
  },
};

export const firesAtTheEndOfWindow: ConformancePipeline = {
  feature: "early panes at the timestamp of the window's end",
  build(graph) {
    const windowing: Windowing = { windowFn: fixedWindows(10 * S), trigger: everyTwo };
    graph.expectElements(grouped(twoAtATime(graph), windowing), [
      { value: "a: 1,2", timestamp: 10 * S - 1 },
      { value: "a: 3,4", timestamp: 10 * S - 1 },
      { value: "a: 5", timestamp: 10 * S - 1 },
    ]);
  },
};

const countGroup = doFnWith(
  "conformance:dofn:count_group:v1",
  { main: keyedInts },
  ({ value }: KV<string, Iterable<number>>, { emit }) => {
    emit.main({ key: "sizes", value: [...value].length });
  },
);

export const groupsGroups: ConformancePipeline = {
  feature: "a GroupByKey behind a GroupByKey",
  build(graph) {
    const numbers = keyedNumbers(graph, [
      ["a", 1, 0],
      ["a", 1, 1],
      ["b", 1, 2],
      ["c", 1, 11],
    ]);
    const windowed = windowInto("Window", numbers, { windowFn: fixedWindows(10) });
    const sizes = parDo("CountGroup", groupByKey("First", windowed), countGroup).main;
    graph.expectElements(parDo("TellGroup", groupByKey("Second", sizes), tellGroup).main, [
      { value: "sizes: 1,2", timestamp: 9 },
      { value: "sizes: 1", timestamp: 19 },
    ]);
  },
};

const tellCoGroup = doFn(
  "conformance:dofn:tell_co_group:v1",
  ({ key, value }: KV<string, Readonly<Record<string, readonly number[]>>>, { emit }) => {
    const sides = Object.entries(value).map(
      ([name, of]) => `${name} ${[...of].sort((a, b) => a - b).join()}`,
    );
    emit.main(`${key}: ${sides.join("; ")}`);
  },
);

export const coGroups: ConformancePipeline = {
  feature: "CoGroupByKey of three collections in fixed windows",
  build(graph) {
    const side = (name: string, elements: readonly (readonly [string, number, number])[]) =>
      windowInto(`Window ${name}`, keyedNumbers(graph, elements, name), { windowFn: fixedWindows(10) });
    const joined = coGroupByKey("Join", {
      x: side("X", [
        ["a", 1, 1],
        ["a", 2, 2],
        ["b", 3, 3],
      ]),
      y: side("Y", [
        ["a", 4, 4],
        ["a", 5, 14],
      ]),
      z: side("Z", [["c", 6, 6]]),
    });
    graph.expectElements(parDo("TellCoGroup", joined, tellCoGroup).main, [
      { value: "a: x 1,2; y 4; z ", timestamp: 9 },
      { value: "b: x 3; y ; z ", timestamp: 9 },
      { value: "c: x ; y ; z 6", timestamp: 9 },
      { value: "a: x ; y 5; z ", timestamp: 19 },
    ]);
  },
};

const twoSides = doFnWith(
  "conformance:dofn:two_sides:v1",
  { x: keyedInts, y: keyedInts },
  (element: Keyed, { emit }) => {
    if (element.value < 10) emit.x(element);
    else emit.y(element);
  },
);

export const coGroupsAsElementsCome: ConformancePipeline = {
  feature: "CoGroupByKey of streams, a pane for every element",
  build(graph) {
    const windowing: Windowing = { trigger: everyElement, outputTime: "EARLIEST_IN_PANE" };
    const stream = keyedStream(graph)
      .add([{ key: "a", value: 1 }, 5 * S])
      .advanceWatermarkTo(6 * S)
      .add([{ key: "a", value: 12 }, 6 * S])
      .advanceWatermarkTo(7 * S)
      .add([{ key: "a", value: 3 }, 7 * S]);
    const { x, y } = parDo("TwoSides", stream.read(), twoSides);
    const joined = coGroupByKey("Join", {
      x: windowInto("Window X", x, windowing),
      y: windowInto("Window Y", y, windowing),
    });
    graph.expectElements(parDo("TellCoGroup", joined, tellCoGroup).main, [
      { value: "a: x 1; y ", timestamp: 5 * S },
      { value: "a: x ; y 12", timestamp: 6 * S },
      { value: "a: x 3; y ", timestamp: 7 * S },
    ]);
  },
};

const tellSoFar = stateful(
  "conformance:dofn:tell_so_far:v1",
  { state: { soFar: valueState(strings) }, timers: {} },
  ({ key, value: pane }: KV<string, Iterable<{ tag: string; value: number }>>, { state, emit }) => {
    for (const { tag, value } of pane) {
      const soFar = `${state.soFar.read() ?? `${key}:`} ${tag} ${value}`;
      state.soFar.write(soFar);
      emit.main(soFar);
    }
  },
  {},
);

export const coGroupsInFrontOfState: ConformancePipeline = {
  feature: "CoGroupByKey of streams in front of a stateful DoFn, a pane for every element",
  build(graph) {
    const windowing: Windowing = { trigger: everyElement, outputTime: "EARLIEST_IN_PANE" };
    const stream = keyedStream(graph)
      .add([{ key: "a", value: 1 }, 5 * S], [{ key: "b", value: 2 }, 5 * S])
      .advanceWatermarkTo(6 * S)
      .add([{ key: "a", value: 12 }, 6 * S])
      .advanceWatermarkTo(7 * S)
      .add([{ key: "a", value: 3 }, 7 * S]);
    const { x, y } = parDo("TwoSides", stream.read(), twoSides);
    const joined = coGroupTagged("Join", {
      x: windowInto("Window X", x, windowing),
      y: windowInto("Window Y", y, windowing),
    });
    graph.expectElements(parDo("TellSoFar", joined, tellSoFar).main, [
      { value: "a: x 1", timestamp: 5 * S },
      { value: "b: x 2", timestamp: 5 * S },
      { value: "a: x 1 y 12", timestamp: 6 * S },
      { value: "a: x 1 y 12 x 3", timestamp: 7 * S },
    ]);
  },
};

const backToKeyed = doFnWith(
  "conformance:dofn:back_to_keyed:v1",
  { main: keyedInts },
  ({ key, value }: KV<string, Iterable<number>>, { emit }) => {
    for (const each of value) emit.main({ key, value: each });
  },
);

export const windowsAnew: ConformancePipeline = {
  feature: "windows assigned anew behind a GroupByKey",
  build(graph) {
    const numbers = keyedNumbers(graph, [
      ["a", 1, 1],
      ["a", 2, 11],
    ]);
    const small = groupByKey("Small", windowInto("Ten", numbers, { windowFn: fixedWindows(10) }));
    const again = parDo("Again", small, backToKeyed).main;
    // Both have the timestamps of the ends of their small windows: 9 and 19.
    graph.expectElements(grouped(again, { windowFn: fixedWindows(100) }), [
      { value: "a: 1,2", timestamp: 99, window: "[0, 100)" },
    ]);
  },
};
