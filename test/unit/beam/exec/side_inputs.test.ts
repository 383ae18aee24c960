import assert from "node:assert/strict";
import { fixedWindows } from "../../../../beam/model/window_fns.js";
import { runDirect } from "../../../../beam/runners/direct/direct_runner.js";
import { create } from "../../../../beam/sdk/create.js";
import { type SideInputContext, SideInputDoFn } from "../../../../beam/sdk/do_fn.js";
import { createPipeline, parDo, windowInto } from "../../../../beam/sdk/graph.js";
import { registerDoFn } from "../../../../beam/sdk/registry.js";
import { listView } from "../../../../beam/sdk/side_input.js";
import { TestStream } from "../../../../beam/sdk/test_stream.js";
import {
  at,
  collect,
  doFnWith,
  ints,
  keyedInts,
  leftovers,
  type Main,
  strings,
} from "../runners/small_graphs.js";

const views = { some: listView(ints), others: listView(ints) };

/** Each number with how many there are of either side. */
class Compare extends SideInputDoFn<number, Main, typeof views> {
  static readonly urn = "test:side_inputs:compare";
  readonly outputs = { main: strings };
  readonly sideInputs = views;
  process(value: number, { side, emit }: SideInputContext<Main, typeof views>): void {
    emit.main(`${value}: ${side.some.length} and ${side.others.length}`);
  }
}
registerDoFn(Compare);

const threeWays = doFnWith(
  "test:side_inputs:three_ways",
  { main: ints, some: ints, others: ints },
  ({ key, value }: { key: string; value: number }, { emit }) => {
    emit[key as "main" | "some" | "others"](value);
  },
);

describe("side inputs", () => {
  it("are each waited for, and leave nothing behind", async () => {
    const { pipeline, root } = createPipeline();
    const stream = new TestStream(keyedInts)
      .add(at(1, 1, "main"), at(7, 1, "some"))
      .advanceWatermarkTo(5)
      .add(at(2, 6, "main"), at(8, 7, "others"), at(9, 8, "others"))
      .advanceWatermarkTo(12)
      .add(at(3, 13, "main"))
      .advanceWatermarkTo(30)
      .read("Stream", root);
    const windowed = windowInto("Window", stream, { windowFn: fixedWindows(10) });
    const { main, some, others } = parDo("Split", windowed, threeWays);
    const compared = collect(parDo("Compare", main, new Compare(null), { some, others }).main);
    const run = runDirect(pipeline);
    await run.finished;
    assert.deepEqual(
      compared.map(({ value, timestamp }) => [value, timestamp]),
      [
        ["1: 1 and 2", 1],
        ["2: 1 and 2", 6],
        ["3: 0 and 0", 13],
      ],
    );
    assert.deepEqual(leftovers(run), []);
  });

  it("hold the watermark at the earliest element that waits", async () => {
    const { pipeline, root } = createPipeline();
    const stream = new TestStream(keyedInts)
      .add(at(1, 4, "main"))
      .advanceWatermarkTo(9)
      .add(at(2, 9, "main"))
      .advanceWatermarkTo(30)
      .read("Stream", root);
    const windowed = windowInto("Window", stream, { windowFn: fixedWindows(10) });
    const { main, some, others } = parDo("Split", windowed, threeWays);
    parDo("Compare", main, new Compare(null), { some, others });
    const run = runDirect(pipeline);
    const waits: number[] = [];
    while (!(await Promise.race([run.finished.then(() => true), new Promise((go) => setImmediate(go))]))) {
      const stage = run.status().find(({ name }) => name.startsWith("Compare"))!;
      if (stage.eventTimers > 0) waits.push(stage.outputWatermark);
    }
    assert.ok(waits.length > 0 && waits.every((watermark) => watermark <= 4), waits.join());
  });

  it("may be one collection twice, and that of the elements", async () => {
    const { pipeline, root } = createPipeline();
    const numbers = create("Numbers", root, [5, 6], ints);
    const sides = { some: numbers, others: numbers };
    const compared = collect(parDo("Compare", numbers, new Compare(null), sides).main);
    await runDirect(pipeline).finished;
    assert.deepEqual(compared.map(({ value }) => value).sort(), ["5: 2 and 2", "6: 2 and 2"]);
  });
});
