/** Side inputs: an element finds all of another collection, in the window that belongs to its own. */
import { fixedWindows } from "../../../beam/model/window_fns.js";
import { create } from "../../../beam/sdk/create.js";
import { type SideInputContext, SideInputDoFn } from "../../../beam/sdk/do_fn.js";
import { type Collection, parDo, windowInto } from "../../../beam/sdk/graph.js";
import { registerDoFn } from "../../../beam/sdk/registry.js";
import { listView, mapView } from "../../../beam/sdk/side_input.js";
import { doFnWith, ints, keyedInts, type Main, strings } from "../../unit/beam/runners/small_graphs.js";
import type { ConformancePipeline } from "../conformance_pipeline.js";
import { type Keyed, keyedNumbers, keyedStream, S } from "./keyed_numbers.js";
import { endlessTicks } from "./splittable_sources.js";

const listed = { numbers: listView(ints) };

/** Each element with the sum of the side input. */
class WithSum extends SideInputDoFn<Keyed, Main, typeof listed> {
  static readonly urn = "conformance:dofn:with_sum:v1";
  readonly outputs = { main: strings };
  readonly sideInputs = listed;
  process({ key, value }: Keyed, { side, emit }: SideInputContext<Main, typeof listed>): void {
    emit.main(`${key}${value} of ${side.numbers.reduce((sum, number) => sum + number, 0)}`);
  }
}
registerDoFn(WithSum);

const mapped = { prices: mapView(keyedInts) };

class WithPrice extends SideInputDoFn<Keyed, Main, typeof mapped> {
  static readonly urn = "conformance:dofn:with_price:v1";
  readonly outputs = { main: strings };
  readonly sideInputs = mapped;
  process({ key, value }: Keyed, { side, emit }: SideInputContext<Main, typeof mapped>): void {
    emit.main(`${value} of ${key} for ${side.prices.get(key) ?? "nothing"}`);
  }
}
registerDoFn(WithPrice);

const ab = [
  ["a", 1, 5],
  ["b", 2, 15],
] as const;

export const readsAList: ConformancePipeline = {
  feature: "side input as a list",
  build(graph) {
    const numbers = create("Side", graph.root, [10, 20, 30], ints);
    const summed = parDo("WithSum", keyedNumbers(graph, ab), new WithSum(null), { numbers }).main;
    graph.expectElements(summed, [
      { value: "a1 of 60", timestamp: 5 },
      { value: "b2 of 60", timestamp: 15 },
    ]);
  },
};

export const readsAMap: ConformancePipeline = {
  feature: "side input as a map",
  build(graph) {
    const prices = keyedNumbers(
      graph,
      [
        ["a", 7],
        ["c", 9],
      ],
      "Side",
    );
    graph.expectValues(parDo("WithPrice", keyedNumbers(graph, ab), new WithPrice(null), { prices }).main, [
      "1 of a for 7",
      "2 of b for nothing",
    ]);
  },
};

export const readsNothing: ConformancePipeline = {
  feature: "side input that is empty",
  build(graph) {
    const numbers = create("Side", graph.root, [] as number[], ints);
    graph.expectValues(parDo("WithSum", keyedNumbers(graph, ab), new WithSum(null), { numbers }).main, [
      "a1 of 0",
      "b2 of 0",
    ]);
  },
};

const inTens = <T>(name: string, input: Collection<T>) =>
  windowInto(name, input, { windowFn: fixedWindows(10) });

export const readsItsWindow: ConformancePipeline = {
  feature: "side input in fixed windows: an element sees its own",
  build(graph) {
    const numbers = inTens("SideWindow", create("Side", graph.root, [10, 20, 30], ints, [1, 2, 12]));
    const main = inTens("Window", keyedNumbers(graph, ab));
    graph.expectElements(parDo("WithSum", main, new WithSum(null), { numbers }).main, [
      { value: "a1 of 30", timestamp: 5, window: "[0, 10)" },
      { value: "b2 of 30", timestamp: 15, window: "[10, 20)" },
    ]);
  },
};

export const readsALargerWindow: ConformancePipeline = {
  feature: "side input in larger windows than the elements'",
  build(graph) {
    const side = create("Side", graph.root, [10, 20, 30], ints, [1, 12, 150]);
    const numbers = windowInto("SideWindow", side, { windowFn: fixedWindows(100) });
    const main = inTens("Window", keyedNumbers(graph, ab));
    graph.expectElements(parDo("WithSum", main, new WithSum(null), { numbers }).main, [
      { value: "a1 of 30", timestamp: 5, window: "[0, 10)" },
      { value: "b2 of 30", timestamp: 15, window: "[10, 20)" },
    ]);
  },
};

const mainAndSide = doFnWith(
  "conformance:dofn:main_and_side:v1",
  { main: keyedInts, side: ints },
  (element: Keyed, { emit }) => {
    if (element.key === "side") emit.side(element.value);
    else emit.main(element);
  },
);

export const waitsForTheSideInput: ConformancePipeline = {
  feature: "an element waits until its window of the side input is complete",
  build(graph) {
    const stream = keyedStream(graph)
      .add([{ key: "a", value: 1 }, 1 * S], [{ key: "side", value: 10 }, 2 * S])
      .advanceWatermarkTo(5 * S)
      .add([{ key: "side", value: 20 }, 6 * S])
      .advanceWatermarkTo(30 * S);
    const windowFn = fixedWindows(10 * S);
    const { main, side } = parDo("MainAndSide", stream.read(), mainAndSide);
    const numbers = windowInto("SideWindow", side, { windowFn });
    graph.expectElements(
      parDo("WithSum", windowInto("Window", main, { windowFn }), new WithSum(null), { numbers }).main,
      [{ value: "a1 of 30", timestamp: 1 * S }],
    );
  },
};

const firstTwo = doFnWith("conformance:dofn:first_two:v1", { main: keyedInts }, (tick: Keyed, { emit }) => {
  if (tick.value < 2) emit.main(tick);
});

export const readsABoundedSideInStream: ConformancePipeline = {
  feature: "bounded side input of an endless stream",
  ends: "cancelled",
  build(graph) {
    const numbers = create("Side", graph.root, [10, 20], ints);
    const main = parDo("FirstTwo", endlessTicks(graph), firstTwo).main;
    graph.expectValues(parDo("WithSum", main, new WithSum(null), { numbers }).main, ["k0 of 30", "k1 of 30"]);
  },
};
