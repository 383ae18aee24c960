import assert from "node:assert/strict";
import { Timing } from "../../../../../beam/model/pane.js";
import { GLOBAL_WINDOW_MAX } from "../../../../../beam/model/timestamps.js";
import { fixedWindows, slidingWindows } from "../../../../../beam/model/window_fns.js";
import { runDirect } from "../../../../../beam/runners/direct/direct_runner.js";
import { coGroupByKey, coGroupTagged } from "../../../../../beam/sdk/co_group_by_key.js";
import { createPipeline, groupByKey, type Windowing, windowInto } from "../../../../../beam/sdk/graph.js";
import { TestStream } from "../../../../../beam/sdk/test_stream.js";
import { at, type Collected, collect, keyedInts, leftovers } from "../small_graphs.js";

type Stream = TestStream<{ readonly key: string; readonly value: number }>;
const stream = (): Stream => new TestStream(keyedInts);

async function group(input: Stream, windowing: Windowing): Promise<Collected[]> {
  const { pipeline, root } = createPipeline();
  const windowed = windowInto("Window", input.read("Stream", root), windowing);
  const panes = collect(groupByKey("Group", windowed));
  const run = runDirect(pipeline);
  await run.finished;
  assert.deepEqual(leftovers(run), []);
  return panes;
}

/** key values@timestamp in window, timing and index of the pane */
function texts(panes: readonly Collected[]): string[] {
  const timings = new Map<number, string>(Object.entries(Timing).map(([name, timing]) => [timing, name]));
  return panes.map(
    ({ value, timestamp, window, pane }) =>
      `${value.key} ${[...value.value].join("+")} @${timestamp} ${window} ${timings.get(pane.timing)} ${pane.index}/${pane.nonSpeculativeIndex}`,
  );
}

describe("GroupByKey", () => {
  it("gives one pane at the end of each fixed window, and drops what comes later", async () => {
    const panes = await group(
      stream()
        .add(at(1, 0), at(2, 9), at(3, 10), at(4, 5, "b"))
        .advanceWatermarkTo(9)
        .add(at(5, 9))
        .advanceWatermarkTo(10)
        .add(at(99, 9), at(6, 19))
        .advanceWatermarkTo(25),
      { windowFn: fixedWindows(10) },
    );
    assert.deepEqual(texts(panes).sort(), [
      "b 4 @9 [0, 10) ON_TIME 0/0",
      "k 1+2+5 @9 [0, 10) ON_TIME 0/0",
      "k 3+6 @19 [10, 20) ON_TIME 0/0",
    ]);
    assert.ok(panes.every(({ pane }) => pane.isFirst && pane.isLast));
  });

  it("gives a pane for each late element within the allowed lateness, and drops what comes after it", async () => {
    const panes = await group(
      stream()
        .add(at(1, 5))
        .advanceWatermarkTo(10)
        .add(at(2, 5))
        .advanceWatermarkTo(14)
        .add(at(3, 6), at(4, 9), at(7, 1, "only late"))
        .advanceWatermarkTo(15)
        .add(at(99, 9))
        .advanceWatermarkTo(25),
      { windowFn: fixedWindows(10), allowedLatenessMs: 5 },
    );
    assert.deepEqual(texts(panes), [
      "k 1 @9 [0, 10) ON_TIME 0/0",
      "k 2 @9 [0, 10) LATE 1/1",
      "k 3 @9 [0, 10) LATE 2/2",
      "k 4 @9 [0, 10) LATE 3/3",
      "only late 7 @9 [0, 10) LATE 0/0",
    ]);
  });

  it("puts an element into each of its sliding windows", async () => {
    const panes = await group(stream().add(at(1, 0), at(2, 7)), { windowFn: slidingWindows(10, 5) });
    assert.deepEqual(texts(panes).sort(), [
      "k 1 @4 [-5, 5) ON_TIME 0/0",
      "k 1+2 @9 [0, 10) ON_TIME 0/0",
      "k 2 @14 [5, 15) ON_TIME 0/0",
    ]);
  });

  it("fires whenever so many elements wait, and gives the remainder at the end", async () => {
    const panes = await group(
      stream()
        .add(at(1, 10), at(2, 5), at(3, 7), at(4, 1), at(5, 2), at(9, 3, "b"))
        .advanceWatermarkTo(1_000),
      { trigger: { kind: "repeated-count", count: 2 }, outputTime: "EARLIEST_IN_PANE" },
    );
    assert.deepEqual(
      panes.map(({ value, timestamp, pane }) => [value.key, [...value.value], timestamp, pane.timing]),
      [
        ["k", [1, 2], 5, Timing.EARLY],
        ["k", [3, 4], 1, Timing.EARLY],
        ["k", [5], 2, Timing.UNKNOWN],
        ["b", [9], 3, Timing.UNKNOWN],
      ],
    );
  });

  it("holds the watermark at the earliest element that waits, so that its pane is not late", async () => {
    const { pipeline, root } = createPipeline();
    const everyTwo = windowInto(
      "Every two",
      stream().add(at(1, 10)).advanceWatermarkTo(500).add(at(2, 600)).read("Stream", root),
      {
        trigger: { kind: "repeated-count", count: 2 },
        outputTime: "EARLIEST_IN_PANE",
      },
    );
    const pairs = groupByKey("Pairs", everyTwo);
    const again = windowInto("Window", pairs, { windowFn: fixedWindows(100) });
    const seen = collect(groupByKey("Again", again));
    await runDirect(pipeline).finished;
    assert.deepEqual(texts(seen), ["k 1,2 @99 [0, 100) ON_TIME 0/0"]);
  });

  it("fires early in windows too, with the remainder on time", async () => {
    const panes = await group(
      stream().add(at(1, 0), at(2, 1), at(3, 2)).advanceWatermarkTo(10).add(at(4, 3)).advanceWatermarkTo(30),
      {
        windowFn: fixedWindows(10),
        trigger: { kind: "repeated-count", count: 2 },
        outputTime: "LATEST_IN_PANE",
        allowedLatenessMs: 5,
      },
    );
    assert.deepEqual(texts(panes), [
      "k 1+2 @1 [0, 10) EARLY 0/-1",
      "k 3 @2 [0, 10) ON_TIME 1/0",
      "k 4 @3 [0, 10) LATE 2/1",
    ]);
  });

  it("in the global window without a trigger gives everything when the input has ended", async () => {
    const panes = await group(
      stream().add(at(1, 0)).advanceWatermarkTo(5_000).add(at(2, 1), at(3, 9_000)),
      {},
    );
    assert.equal(panes.length, 1);
    assert.deepEqual([...panes[0]!.value.value], [1, 2, 3]);
    assert.equal(panes[0]!.timestamp, GLOBAL_WINDOW_MAX);
  });

  it("keeps many keys apart", async () => {
    const input = stream();
    for (let i = 0; i < 3_000; i++) input.add(at(i, i % 100, `key ${i % 500}`));
    const panes = await group(input, { windowFn: fixedWindows(100) });
    assert.equal(panes.length, 500);
    for (const { value } of panes) {
      const number = Number(value.key.slice(4));
      assert.deepEqual(
        [...value.value],
        [0, 1, 2, 3, 4, 5].map((i) => number + i * 500),
      );
    }
  });
});

describe("CoGroupByKey", () => {
  it("brings the values of all collections together, by window", async () => {
    const { pipeline, root } = createPipeline();
    const windowing = { windowFn: fixedWindows(10) };
    const a = windowInto(
      "WA",
      stream()
        .add(at(1, 0), at(2, 11), at(3, 1, "only a"))
        .read("A", root),
      windowing,
    );
    const b = windowInto(
      "WB",
      stream()
        .add(at(4, 5), at(5, 6), at(6, 1, "only b"))
        .read("B", root),
      windowing,
    );
    const c = windowInto("WC", stream().read("C", root), windowing);
    const grouped = collect(coGroupByKey("Group", { a, b, c }));
    const run = runDirect(pipeline);
    await run.finished;
    const byKey = grouped.map(({ value, window }) => `${value.key} ${window} ${JSON.stringify(value.value)}`);
    assert.deepEqual(byKey.sort(), [
      'k [0, 10) {"a":[1],"b":[4,5],"c":[]}',
      'k [10, 20) {"a":[2],"b":[],"c":[]}',
      'only a [0, 10) {"a":[3],"b":[],"c":[]}',
      'only b [0, 10) {"a":[],"b":[6],"c":[]}',
    ]);
    assert.deepEqual(leftovers(run), []);
  });

  it("leaves values as they came, each with the name of its collection", async () => {
    const { pipeline, root } = createPipeline();
    const windowing = { windowFn: fixedWindows(10) };
    const a = windowInto("WA", stream().add(at(1, 0), at(2, 1), at(3, 11)).read("A", root), windowing);
    const b = windowInto("WB", stream().add(at(4, 5)).read("B", root), windowing);
    const grouped = collect(coGroupTagged("Group", { a, b }));
    await runDirect(pipeline).finished;
    const panes = grouped.map(({ value, window }) => {
      const values = [...value.value].map(({ tag, value }) => `${tag} ${value}`);
      return `${value.key} ${window}: ${values.sort().join(", ")}`;
    });
    assert.deepEqual(panes.sort(), ["k [0, 10): a 1, a 2, b 4", "k [10, 20): a 3"]);
  });
});
