/** Combines: what a CombineFn makes of the values of a key and window, wherever a runner folds them. */
import type { KV } from "../../../beam/model/kv.js";
import { fixedWindows } from "../../../beam/model/window_fns.js";
import { combineGlobally, combinePerKey } from "../../../beam/sdk/combine.js";
import { create } from "../../../beam/sdk/create.js";
import { type Collection, parDo, windowInto } from "../../../beam/sdk/graph.js";
import { doFn, ints, mean } from "../../unit/beam/runners/small_graphs.js";
import type { ConformancePipeline } from "../conformance_pipeline.js";
import { keyedNumbers, keyedStream, S } from "./keyed_numbers.js";

const tellMean = doFn("conformance:dofn:tell_mean:v1", ({ key, value }: KV<string, number>, { emit }) => {
  emit.main(`${key}: ${value}`);
});

/** As texts: "a: 1.5". */
const tell = (means: Collection<KV<string, number>>): Collection<string> =>
  parDo("TellMean", means, tellMean).main;

export const combinesInTheGlobalWindow: ConformancePipeline = {
  feature: "combine per key, global window",
  build(graph) {
    const numbers = keyedNumbers(graph, [
      ["a", 1],
      ["b", 7],
      ["a", 2],
      ["a", 6],
    ]);
    graph.expectElements(tell(combinePerKey("Mean", numbers, mean)), [
      { value: "a: 3", window: "global" },
      { value: "b: 7", window: "global" },
    ]);
  },
};

export const combinesInFixedWindows: ConformancePipeline = {
  feature: "combine per key, fixed windows",
  build(graph) {
    const numbers = keyedNumbers(graph, [
      ["a", 1, 0],
      ["a", 2, 9],
      ["a", 3, 10],
      ["b", 4, 11],
    ]);
    const windowed = windowInto("Window", numbers, { windowFn: fixedWindows(10) });
    graph.expectElements(tell(combinePerKey("Mean", windowed, mean)), [
      { value: "a: 1.5", timestamp: 9, window: "[0, 10)" },
      { value: "a: 3", timestamp: 19, window: "[10, 20)" },
      { value: "b: 4", timestamp: 19, window: "[10, 20)" },
    ]);
  },
};

export const combinesAStream: ConformancePipeline = {
  feature: "combine per key of a stream: a window's elements of several bundles",
  build(graph) {
    const stream = keyedStream(graph)
      .add([{ key: "a", value: 1 }, 1 * S])
      .advanceWatermarkTo(2 * S)
      .add([{ key: "a", value: 2 }, 2 * S], [{ key: "a", value: 12 }, 12 * S])
      .advanceWatermarkTo(3 * S)
      .add([{ key: "a", value: 6 }, 3 * S])
      .advanceWatermarkTo(30 * S);
    const windowed = windowInto("Window", stream.read(), { windowFn: fixedWindows(10 * S) });
    graph.expectElements(tell(combinePerKey("Mean", windowed, mean)), [
      { value: "a: 3", timestamp: 10 * S - 1 },
      { value: "a: 12", timestamp: 20 * S - 1 },
    ]);
  },
};

export const combinesEveryTwo: ConformancePipeline = {
  feature: "combine per key, repeated trigger for every two elements: panes as a GroupByKey's",
  build(graph) {
    const stream = keyedStream(graph)
      .add([{ key: "a", value: 1 }, 1 * S], [{ key: "a", value: 2 }, 2 * S])
      .advanceWatermarkTo(2 * S)
      .add([{ key: "a", value: 3 }, 3 * S], [{ key: "a", value: 4 }, 4 * S])
      .advanceWatermarkTo(4 * S)
      .add([{ key: "a", value: 5 }, 5 * S]);
    const windowed = windowInto("Window", stream.read(), {
      trigger: { kind: "repeated-count", count: 2 },
      outputTime: "EARLIEST_IN_PANE",
    });
    graph.expectElements(tell(combinePerKey("Mean", windowed, mean)), [
      { value: "a: 1.5", timestamp: 1 * S },
      { value: "a: 3.5", timestamp: 3 * S },
      { value: "a: 5", timestamp: 5 * S },
    ]);
  },
};

const tellNumber = doFn("conformance:dofn:tell_number:v1", (value: number, { emit }) =>
  emit.main(String(value)),
);

export const combinesGlobally: ConformancePipeline = {
  feature: "combine globally",
  build(graph) {
    const numbers = create("Numbers", graph.root, [1, 2, 3, 10], ints);
    const combined = combineGlobally("Mean", numbers, mean);
    graph.expectValues(parDo("TellNumber", combined, tellNumber).main, ["4"]);
  },
};
