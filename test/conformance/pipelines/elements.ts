/** What every pipeline does: elements go through DoFns, with their timestamps and windows; some go several ways. */
import { MIN_TIMESTAMP } from "../../../beam/model/timestamps.js";
import { fixedWindows, slidingWindows } from "../../../beam/model/window_fns.js";
import { create } from "../../../beam/sdk/create.js";
import { DoFn, type ElementContext, type OutputSpecs } from "../../../beam/sdk/do_fn.js";
import { flattenAll, impulse, parDo, windowInto } from "../../../beam/sdk/graph.js";
import { registerDoFn } from "../../../beam/sdk/registry.js";
import { doFn, doFnWith, ints, strings } from "../../unit/beam/runners/small_graphs.js";
import type { ConformancePipeline } from "../conformance_pipeline.js";
import { type Keyed, keyedNumbers } from "./keyed_numbers.js";

export const startsWithAnImpulse: ConformancePipeline = {
  feature: "impulse: one empty element at the beginning of time",
  build(graph) {
    graph.expectElements(impulse("Impulse", graph.root), [
      { value: new Uint8Array(), timestamp: MIN_TIMESTAMP, window: "global", pane: "none" },
    ]);
  },
};

const shift = doFn("conformance:dofn:shift:v1", ({ key, value }: Keyed, { emit, timestamp }) => {
  emit.main(`${key}${value}`, timestamp + value);
});

export const setsTimestamps: ConformancePipeline = {
  feature: "a DoFn gives its outputs timestamps",
  build(graph) {
    const shifted = parDo(
      "Shift",
      keyedNumbers(graph, [
        ["a", 5, 10],
        ["b", 0, 20],
      ]),
      shift,
    );
    graph.expectElements(shifted.main, [
      { value: "a5", timestamp: 15 },
      { value: "b0", timestamp: 20 },
    ]);
  },
};

const evenOrOdd = doFnWith(
  "conformance:dofn:even_or_odd:v1",
  { even: ints, odd: ints, deadLetters: strings },
  ({ value }: Keyed, { emit }) => {
    if (!Number.isInteger(value / 2) && !Number.isInteger((value - 1) / 2)) throw new Error("no integer");
    if (value < 0) emit.deadLetters(`${value} is negative`);
    else if (value % 2 === 0) emit.even(value);
    else emit.odd(value);
  },
);

export const hasSeveralOutputs: ConformancePipeline = {
  feature: "several outputs of one DoFn (dead letters)",
  build(graph) {
    const input = keyedNumbers(
      graph,
      [1, 2, -3, 4, 5, -6].map((value) => ["k", value] as const),
    );
    const { even, odd, deadLetters } = parDo("EvenOrOdd", input, evenOrOdd);
    graph.expectValues(even, [2, 4]);
    graph.expectValues(odd, [1, 5]);
    graph.expectValues(deadLetters, ["-3 is negative", "-6 is negative"]);
  },
};

export const flattens: ConformancePipeline = {
  feature: "flatten",
  build(graph) {
    const left = create("Left", graph.root, [1, 2], ints, [10, 20]);
    const right = create("Right", graph.root, [3], ints, [30]);
    graph.expectElements(flattenAll("Flatten", [left, right]), [
      { value: 1, timestamp: 10 },
      { value: 2, timestamp: 20 },
      { value: 3, timestamp: 30 },
    ]);
  },
};

export const flattensOneCollectionTwice: ConformancePipeline = {
  feature: "flatten of a collection with itself",
  build(graph) {
    const numbers = create("Numbers", graph.root, [1, 2], ints);
    graph.expectValues(flattenAll("Flatten", [numbers, numbers]), [1, 1, 2, 2]);
  },
};

const tellWindow = doFn("conformance:dofn:tell_window:v1", ({ key }: Keyed, { emit, window }) => {
  emit.main(`${key} in ${window}`);
});

export const assignsFixedWindows: ConformancePipeline = {
  feature: "fixed windows",
  build(graph) {
    const numbers = keyedNumbers(graph, [
      ["a", 1, 0],
      ["b", 1, 9],
      ["c", 1, 10],
      ["d", 1, -1],
    ]);
    const windowed = windowInto("Window", numbers, { windowFn: fixedWindows(10) });
    graph.expectElements(parDo("TellWindow", windowed, tellWindow).main, [
      { value: "a in [0, 10)", timestamp: 0, window: "[0, 10)" },
      { value: "b in [0, 10)", timestamp: 9, window: "[0, 10)" },
      { value: "c in [10, 20)", timestamp: 10, window: "[10, 20)" },
      { value: "d in [-10, 0)", timestamp: -1, window: "[-10, 0)" },
    ]);
  },
};

export const assignsSlidingWindows: ConformancePipeline = {
  feature: "sliding windows: an element in each of them",
  build(graph) {
    const windowed = windowInto("Window", keyedNumbers(graph, [["a", 1, 12]]), {
      windowFn: slidingWindows(10, 5),
    });
    graph.expectElements(parDo("TellWindow", windowed, tellWindow).main, [
      { value: "a in [5, 15)", timestamp: 12, window: "[5, 15)" },
      { value: "a in [10, 20)", timestamp: 12, window: "[10, 20)" },
    ]);
  },
};

/** Emits, when a bundle ends, whether its life went as it must. */
class TellLife extends DoFn<Keyed, OutputSpecs> {
  static readonly urn = "conformance:dofn:tell_life:v1";
  override readonly outputs = { main: strings };
  #isSetUp = false;
  #isInBundle = false;
  #seen = 0;

  override async setup(): Promise<void> {
    this.#isSetUp = true;
  }

  override async startBundle(): Promise<void> {
    if (!this.#isSetUp || this.#isInBundle)
      throw new Error("a bundle starts before setup, or inside another");
    this.#isInBundle = true;
    this.#seen = 0;
  }

  process(): void {
    if (!this.#isInBundle) throw new Error("an element outside of a bundle");
    this.#seen++;
  }

  override async finishBundle(ctx: ElementContext<OutputSpecs>): Promise<void> {
    this.#isInBundle = false;
    for (let i = 0; i < this.#seen; i++) ctx.emit.main!("seen", 7);
  }
}
registerDoFn(TellLife);

export const keepsTheOrderOfABundle: ConformancePipeline = {
  feature: "setup, startBundle, process, finishBundle, which wait and emit",
  build(graph) {
    const numbers = keyedNumbers(
      graph,
      [1, 2, 3].map((value) => ["k", value, 5] as const),
    );
    const seen = { value: "seen", timestamp: 7, window: "global" };
    graph.expectElements(parDo("TellLife", numbers, new TellLife(null)).main!, [seen, seen, seen]);
  },
};

const failOnThree = doFn("conformance:dofn:fail_on_three:v1", ({ value }: Keyed, { emit }) => {
  if (value === 3) throw new Error("three is one too many");
  emit.main(String(value));
});

export const failsWithTheError: ConformancePipeline = {
  feature: "an error that a DoFn throws ends the job, and its message reaches the user",
  ends: "failing",
  failsWith: /three is one too many/,
  build(graph) {
    const numbers = keyedNumbers(
      graph,
      [1, 2, 3].map((value) => ["k", value] as const),
    );
    parDo("FailOnThree", numbers, failOnThree);
  },
};
