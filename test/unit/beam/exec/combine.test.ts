import assert from "node:assert/strict";
import { DoubleCoder } from "../../../../beam/model/coders/double_coder.js";
import { KVCoder } from "../../../../beam/model/coders/kv_coder.js";
import { fixedWindows, slidingWindows } from "../../../../beam/model/window_fns.js";
import { runDirect } from "../../../../beam/runners/direct/direct_runner.js";
import { combineGlobally, combinePerKey } from "../../../../beam/sdk/combine.js";
import { CombineFn } from "../../../../beam/sdk/combine_fn.js";
import { createPipeline, type Windowing, windowInto } from "../../../../beam/sdk/graph.js";
import { registerCombineFn } from "../../../../beam/sdk/registry.js";
import { TestStream } from "../../../../beam/sdk/test_stream.js";
import {
  at,
  type Collected,
  collect,
  ints,
  keyedInts,
  leftovers,
  mean,
  valuesOf,
} from "../runners/small_graphs.js";

type Stream = TestStream<{ readonly key: string; readonly value: number }>;
const stream = (): Stream => new TestStream(keyedInts);

/** Tells, by its output, how many accumulators were merged into the last. */
class Merges extends CombineFn<number, { readonly key: number; readonly value: number }, number> {
  static readonly urn = "test:combine:merges";
  readonly accumulatorCoder = new KVCoder(ints, ints);
  readonly outputCoder = ints;
  createAccumulator() {
    return { key: 0, value: 0 };
  }
  addInput({ key, value }: { key: number; value: number }, input: number) {
    return { key, value: value + input };
  }
  mergeAccumulators(accumulators: Iterable<{ key: number; value: number }>) {
    let sum = 0;
    let count = 0;
    for (const { value } of accumulators) {
      sum += value;
      count++;
    }
    return { key: count, value: sum };
  }
  extractOutput({ key }: { key: number }): number {
    return key;
  }
}
registerCombineFn(Merges);

async function combine(
  input: Stream,
  windowing: Windowing,
  fn: CombineFn<number, any, number> = mean,
): Promise<Collected[]> {
  const { pipeline, root } = createPipeline();
  const windowed = windowInto("Window", input.read("Stream", root), windowing);
  const combined = collect(combinePerKey("Combine", windowed, fn));
  const run = runDirect(pipeline);
  await run.finished;
  assert.deepEqual(leftovers(run), []);
  return combined;
}

const texts = (elements: readonly Collected[]): string[] =>
  elements.map(({ value, timestamp, window }) => `${value.key} ${value.value} @${timestamp} ${window}`);

describe("combine", () => {
  it("gives one value for each key and window, at the window's end", async () => {
    const combined = await combine(
      stream()
        .add(at(1, 0), at(2, 9), at(3, 10), at(7, 5, "b"))
        .advanceWatermarkTo(5)
        .add(at(6, 9)),
      { windowFn: fixedWindows(10) },
    );
    assert.deepEqual(texts(combined).sort(), ["b 7 @9 [0, 10)", "k 3 @19 [10, 20)", "k 3 @9 [0, 10)"]);
  });

  it("folds an element in each of its windows", async () => {
    const combined = await combine(stream().add(at(1, 0), at(2, 7)), { windowFn: slidingWindows(10, 5) });
    assert.deepEqual(texts(combined).sort(), ["k 1 @4 [-5, 5)", "k 1.5 @9 [0, 10)", "k 2 @14 [5, 15)"]);
  });

  it("keeps one accumulator for each bundle until the window ends", async () => {
    const input = stream()
      .add(at(1, 0), at(2, 1), at(3, 2), at(4, 3))
      .advanceWatermarkTo(4)
      .add(at(5, 5), at(6, 5));
    const windowing = { windowFn: fixedWindows(10) };
    const twoBundles = await combine(input, windowing, new Merges(null));
    assert.deepEqual(valuesOf(twoBundles), [{ key: "k", value: 2 }]);
  });

  it("takes the timestamps that a group would have", async () => {
    const input = (): Stream => stream().add(at(1, 4), at(2, 2), at(3, 3));
    for (const [outputTime, timestamp] of [
      ["EARLIEST_IN_PANE", 2],
      ["LATEST_IN_PANE", 4],
    ] as const) {
      const combined = await combine(input(), { windowFn: fixedWindows(10), outputTime });
      assert.deepEqual(texts(combined), [`k 2 @${timestamp} [0, 10)`]);
    }
  });

  it("counts elements where the trigger does, not accumulators", async () => {
    const combined = await combine(stream().add(at(1, 1), at(3, 1), at(5, 1), at(7, 1), at(9, 1)), {
      trigger: { kind: "repeated-count", count: 2 },
      outputTime: "EARLIEST_IN_PANE",
    });
    assert.deepEqual(
      valuesOf(combined).map(({ value }) => value),
      [2, 6, 9],
    );
  });

  it("drops late elements, and gives a late pane within the allowed lateness", async () => {
    const combined = await combine(
      stream()
        .add(at(1, 5))
        .advanceWatermarkTo(10)
        .add(at(3, 5), at(5, 5))
        .advanceWatermarkTo(15)
        .add(at(99, 5))
        .advanceWatermarkTo(30),
      { windowFn: fixedWindows(10), allowedLatenessMs: 5 },
    );
    assert.deepEqual(texts(combined), ["k 1 @9 [0, 10)", "k 4 @9 [0, 10)"]);
  });

  it("hands its accumulators on when there are many", async () => {
    // In one bundle: 200 keys in 100 windows each.
    const keys = Array.from({ length: 200 }, (_, i) => at(1, 0, `k${i}`));
    const windowing = { windowFn: slidingWindows(100, 1) };
    const combined = await combine(stream().add(...keys, at(2, 0, "k0")), windowing, new Merges(null));
    assert.equal(combined.length, 20_000);
    const merges = (wanted: string) => valuesOf(combined).find(({ key }) => key === wanted).value;
    assert.deepEqual([merges("k0"), merges("k199")], [2, 1]);
  });

  it("takes all elements of a window together, whatever they are", async () => {
    const { pipeline, root } = createPipeline();
    const numbers = new TestStream(ints).add([1, 0], [2, 1], [9, 11]).read("Stream", root);
    const windowed = windowInto("Window", numbers, { windowFn: fixedWindows(10) });
    const combined = collect(combineGlobally("Mean", windowed, mean));
    await runDirect(pipeline).finished;
    assert.deepEqual(
      combined.map(({ value, window }) => `${value} ${window}`),
      ["1.5 [0, 10)", "9 [10, 20)"],
    );
  });

  it("needs a CombineFn that is registered", () => {
    class Stranger extends CombineFn<number, number, number> {
      static readonly urn = "test:combine:stranger";
      readonly accumulatorCoder = DoubleCoder.INSTANCE;
      readonly outputCoder = DoubleCoder.INSTANCE;
      createAccumulator = (): number => 0;
      addInput = (sum: number, input: number): number => sum + input;
      mergeAccumulators = (): number => 0;
      extractOutput = (sum: number): number => sum;
    }
    const { root } = createPipeline();
    const numbers = new TestStream(ints).add([1, 0]).read("Stream", root);
    assert.throws(
      () => combineGlobally("Sum", numbers, new Stranger(null)),
      /Stranger is not registered: give it a static urn and call registerCombineFn\(Stranger\)/,
    );
  });
});
