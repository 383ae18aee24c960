/** State cells: one of each kind for each key and window, and they outlive a bundle. */
import { fixedWindows } from "../../../beam/model/window_fns.js";
import { type Collection, parDo, windowInto } from "../../../beam/sdk/graph.js";
import {
  bagState,
  combiningState,
  mapState,
  multimapState,
  orderedListState,
  valueState,
} from "../../../beam/sdk/state.js";
import { eventTimeTimer } from "../../../beam/sdk/timer.js";
import { ints, mean, stateful, strings } from "../../unit/beam/runners/small_graphs.js";
import type { ConformancePipeline, GraphUnderTest } from "../conformance_pipeline.js";
import { type Keyed, keyedNumbers, keyedStream, S } from "./keyed_numbers.js";

const countUpToThree = stateful(
  "conformance:dofn:count_up_to_three:v1",
  { state: { count: valueState(ints) }, timers: {} },
  ({ key }: Keyed, { state, emit }) => {
    const count = (state.count.read() ?? 0) + 1;
    emit.main(`${key}${count}`);
    if (count === 3) state.count.clear();
    else state.count.write(count);
  },
  {},
);

export const keepsAValue: ConformancePipeline = {
  feature: "value state: written, read, cleared",
  build(graph) {
    const numbers = keyedNumbers(
      graph,
      [..."aaaab"].map((key) => [key, 0] as const),
    );
    graph.expectValues(parDo("Count", numbers, countUpToThree).main, ["a1", "a2", "a3", "a1", "b1"]);
  },
};

export const keepsStateOverBundles: ConformancePipeline = {
  feature: "state outlives its bundle",
  build(graph) {
    const stream = keyedStream(graph);
    for (const key of "aabaa") stream.add([{ key, value: 0 }, 0]).advanceWatermarkTo(0);
    graph.expectValues(parDo("Count", stream.read(), countUpToThree).main, ["a1", "a2", "a3", "a1", "b1"]);
  },
};

export const keepsStateForEachWindow: ConformancePipeline = {
  feature: "state of a key in each of its windows",
  build(graph) {
    const numbers = keyedNumbers(graph, [
      ["a", 0, 1],
      ["a", 0, 11],
      ["a", 0, 2],
      ["a", 0, 12],
      ["b", 0, 3],
    ]);
    const windowed = windowInto("Window", numbers, { windowFn: fixedWindows(10) });
    graph.expectElements(parDo("Count", windowed, countUpToThree).main, [
      { value: "a1", window: "[0, 10)" },
      { value: "a2", window: "[0, 10)" },
      { value: "a1", window: "[10, 20)" },
      { value: "a2", window: "[10, 20)" },
      { value: "b1", window: "[0, 10)" },
    ]);
  },
};

export const dropsLateData: ConformancePipeline = {
  feature: "late data is dropped by a stateful DoFn",
  build(graph) {
    const stream = keyedStream(graph)
      .add([{ key: "a", value: 0 }, 1 * S])
      .advanceWatermarkTo(20 * S)
      .add([{ key: "a", value: 0 }, 2 * S], [{ key: "a", value: 0 }, 25 * S])
      .advanceWatermarkTo(40 * S);
    const windowed = windowInto("Window", stream.read(), { windowFn: fixedWindows(10 * S) });
    graph.expectElements(parDo("Count", windowed, countUpToThree).main, [
      { value: "a1", window: "[0, 10000)" },
      { value: "a1", window: "[20000, 30000)" },
    ]);
  },
};

const KEYS = 500;
const TIMES = 3;

const sumOfThree = stateful(
  "conformance:dofn:sum_of_three:v1",
  { state: { count: valueState(ints), sum: valueState(ints) }, timers: {} },
  ({ key, value }: Keyed, { state, emit }) => {
    const count = (state.count.read() ?? 0) + 1;
    const sum = (state.sum.read() ?? 0) + value;
    state.count.write(count);
    state.sum.write(sum);
    if (count === TIMES) emit.main(`${key} ${sum}`);
  },
  {},
);

export const keepsStateOfManyKeys: ConformancePipeline = {
  feature: `state of ${KEYS} keys in one bundle`,
  build(graph) {
    const numbers = Array.from({ length: KEYS * TIMES }, (_, i) => [`k${i % KEYS}`, i] as const);
    // Key k has k, k + KEYS, k + 2 KEYS.
    const sums = Array.from({ length: KEYS }, (_, k) => `k${k} ${TIMES * k + 3 * KEYS}`);
    graph.expectValues(parDo("Sum", keyedNumbers(graph, numbers), sumOfThree).main, sums);
  },
};

/** A negative number empties the bag; the timer tells what is in it. */
const gather = stateful(
  "conformance:dofn:gather:v1",
  { state: { all: bagState(ints), wasEmpty: valueState(strings) }, timers: { end: eventTimeTimer() } },
  ({ value }: Keyed, { state, timers }) => {
    timers.end.set(100 * S);
    if (state.all.isEmpty()) state.wasEmpty.write("was empty");
    if (value < 0) state.all.clear();
    else state.all.add(value);
  },
  {
    end: ({ key, state, emit }) => {
      const all = state.all.read().sort((a, b) => a - b);
      emit.main(`${key}: ${all.join()} ${state.wasEmpty.read()}`);
    },
  },
);

export const keepsABag: ConformancePipeline = {
  feature: "bag state: added to, read, empty, cleared",
  build(graph) {
    const stream = keyedStream(graph)
      .add([{ key: "a", value: 1 }, 0], [{ key: "a", value: 2 }, 0], [{ key: "b", value: 9 }, 0])
      .advanceWatermarkTo(1 * S)
      .add([{ key: "a", value: 3 }, 1 * S], [{ key: "b", value: -1 }, 1 * S])
      .advanceWatermarkTo(2 * S)
      .add([{ key: "b", value: 4 }, 2 * S])
      .advanceWatermarkTo(200 * S);
    graph.expectValues(parDo("Gather", stream.read(), gather).main, ["a: 1,2,3 was empty", "b: 4 was empty"]);
  },
};

/** Counts numbers; one that has been seen three times is forgotten. */
const countEach = stateful(
  "conformance:dofn:count_each:v1",
  { state: { counts: mapState(ints, ints) }, timers: { end: eventTimeTimer() } },
  ({ value }: Keyed, { state, timers }) => {
    timers.end.set(100);
    const count = (state.counts.get(value) ?? 0) + 1;
    if (count === 3) state.counts.delete(value);
    else state.counts.set(value, count);
  },
  {
    end: ({ key, state, emit }) => {
      const entries = state.counts.entries().sort(([a], [b]) => a - b);
      emit.main(`${key}: ${entries.map(([number, count]) => `${number}×${count}`).join()}`);
      state.counts.clear();
      emit.main(`${key} ${state.counts.isEmpty() ? "empty" : "not empty"}`);
    },
  },
);

export const keepsAMap: ConformancePipeline = {
  feature: "map state: entries set, read, deleted; cleared",
  build(graph) {
    const numbers = keyedNumbers(
      graph,
      [7, 8, 9, 7, 9, 9].map((value) => ["a", value, 0] as const),
    );
    graph.expectValues(parDo("CountEach", numbers, countEach).main, ["a: 7×2,8×1", "a empty"]);
  },
};

/** Numbers under one key, each in a bundle of its own, in their order. */
function oneByOne(graph: GraphUnderTest, numbers: readonly number[]): Collection<Keyed> {
  const stream = keyedStream(graph);
  for (const [i, value] of numbers.entries()) {
    stream.add([{ key: "a", value }, i * S]).advanceWatermarkTo((i + 1) * S);
  }
  return stream.read();
}

/** A negative number empties the cell; each element tells the mean so far. */
const runningMean = stateful(
  "conformance:dofn:running_mean:v1",
  { state: { mean: combiningState(mean) }, timers: {} },
  ({ key, value }: Keyed, { state, emit }) => {
    if (value < 0) state.mean.clear();
    else state.mean.add(value);
    emit.main(`${key} ${state.mean.isEmpty() ? "empty" : state.mean.read()}`);
  },
  {},
);

export const keepsACombination: ConformancePipeline = {
  feature: "combining state: added to, read, cleared",
  build(graph) {
    const stream = keyedStream(graph);
    for (const [i, value] of [1, 3, 8, -1, 5].entries()) {
      stream.add([{ key: "a", value }, i * S]).advanceWatermarkTo((i + 1) * S);
    }
    graph.expectValues(parDo("Mean", stream.read(), runningMean).main, [
      "a 1",
      "a 2",
      "a 4",
      "a empty",
      "a 5",
    ]);
  },
};

/** A number goes under its last digit; a negative one removes what is under that of its opposite. */
const byLastDigit = stateful(
  "conformance:dofn:by_last_digit:v1",
  { state: { digits: multimapState(strings, ints) }, timers: {} },
  ({ key, value }: Keyed, { state: { digits }, emit }) => {
    if (value === 0) digits.clear();
    else if (value < 0) digits.delete(String(-value % 10));
    else digits.put(String(value % 10), value);
    const sorted = (digit: string): number[] => digits.get(digit).sort((a, b) => a - b);
    const entries = digits.keys().map((digit) => `${digit}: ${sorted(digit)}`);
    emit.main(`${key} ${digits.isEmpty() ? "empty" : entries.sort().join("; ")}`);
  },
  {},
);

export const keepsAMultimap: ConformancePipeline = {
  feature: "multimap state: values put under keys, read, removed; cleared",
  build(graph) {
    graph.expectValues(parDo("ByDigit", oneByOne(graph, [1, 12, 31, 2, -1, 5, 0, 3]), byLastDigit).main, [
      "a 1: 1",
      "a 1: 1; 2: 12",
      "a 1: 1,31; 2: 12",
      "a 1: 1,31; 2: 2,12",
      "a 2: 2,12",
      "a 2: 2,12; 5: 5",
      "a empty",
      "a 3: 3",
    ]);
  },
};

/** A negative number removes those before its opposite. */
const inOrder = stateful(
  "conformance:dofn:in_order:v1",
  { state: { numbers: orderedListState(strings) }, timers: {} },
  ({ key, value }: Keyed, { state: { numbers }, emit }) => {
    if (value === 0) numbers.clear();
    else if (value < 0) numbers.clearRange(Number.NEGATIVE_INFINITY, -value);
    else numbers.add(value - 5, `v${value}`);
    const told = numbers.isEmpty() ? "empty" : numbers.read().map(({ value }) => value);
    emit.main(`${key} ${told}; from 0 to 3: ${numbers.readRange(0, 3).map(({ value }) => value)}`);
  },
  {},
);

export const keepsAnOrderedList: ConformancePipeline = {
  feature: "ordered-list state: added to, read whole and by range; a range cleared, and all",
  build(graph) {
    graph.expectValues(parDo("InOrder", oneByOne(graph, [8, 5, 2, 7, -1, 6, 0, 9]), inOrder).main, [
      "a v8; from 0 to 3: ",
      "a v5,v8; from 0 to 3: v5",
      "a v2,v5,v8; from 0 to 3: v5",
      "a v2,v5,v7,v8; from 0 to 3: v5,v7",
      "a v7,v8; from 0 to 3: v7",
      "a v6,v7,v8; from 0 to 3: v6,v7",
      "a empty; from 0 to 3: ",
      "a v9; from 0 to 3: ",
    ]);
  },
};
