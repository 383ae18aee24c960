import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { KV } from "../../../../beam/model/kv.js";
import { fixedWindows } from "../../../../beam/model/window_fns.js";
import { VirtualClock } from "../../../../beam/platform/clock.js";
import { type DirectRunnerOptions, runDirect } from "../../../../beam/runners/direct/direct_runner.js";
import { createPipeline, parDo, windowInto } from "../../../../beam/sdk/graph.js";
import { type OffsetRange, OffsetRangeTracker } from "../../../../beam/sdk/offset_range.js";
import { offsetRangeCoder } from "../../../../beam/sdk/offset_range_coder.js";
import { registerDoFn } from "../../../../beam/sdk/registry.js";
import {
  type ProcessContinuation,
  type RestrictionTracker,
  resume,
  type SplittableContext,
  SplittableDoFn,
  stop,
} from "../../../../beam/sdk/splittable.js";
import { valueState } from "../../../../beam/sdk/state.js";
import { TestStream } from "../../../../beam/sdk/test_stream.js";
import { at, collect, createKeyed, ints, keyedInts, stateful, valuesOf } from "../runners/small_graphs.js";

const outputs = { main: keyedInts };
type Tracker = RestrictionTracker<OffsetRange, number>;
type Context = SplittableContext<typeof outputs>;
type Process = (
  element: KV<string, number>,
  tracker: Tracker,
  ctx: Context,
) => ProcessContinuation | Promise<ProcessContinuation>;

/** Element { key, value: N } → restriction [0, N), handed to a plain function. */
function splittable(
  urn: string,
  process: Process,
  overrides: { isBounded?: boolean; parts?: number; end?: number } = {},
) {
  class Ranges extends SplittableDoFn<KV<string, number>, OffsetRange, number, typeof outputs> {
    static readonly urn = urn;
    readonly outputs = outputs;
    readonly restrictionCoder = offsetRangeCoder;
    readonly isBounded = overrides.isBounded ?? true;
    initialRestriction({ value }: KV<string, number>): OffsetRange {
      return { start: 0, end: overrides.end ?? value };
    }
    override split(_element: KV<string, number>, { start, end }: OffsetRange): readonly OffsetRange[] {
      const { parts } = overrides;
      if (parts === undefined) return [{ start, end }];
      const size = (end - start) / parts;
      return Array.from({ length: parts }, (_, i) => ({
        start: start + i * size,
        end: start + (i + 1) * size,
      }));
    }
    newTracker(range: OffsetRange): OffsetRangeTracker {
      return new OffsetRangeTracker(range);
    }
    process(element: KV<string, number>, tracker: Tracker, ctx: Context) {
      return process(element, tracker, ctx);
    }
  }
  registerDoFn(Ranges);
  return new Ranges(null);
}

/** Claims and emits to the end, without a thought of the runner. */
const naive: Process = ({ key }, tracker, ctx) => {
  for (let i = tracker.restriction.start; tracker.tryClaim(i); i++) ctx.emit.main({ key, value: i });
  return stop();
};

async function run(
  doFn: ReturnType<typeof splittable>,
  elements: readonly KV<string, number>[],
  options: DirectRunnerOptions = {},
) {
  const { pipeline, root } = createPipeline();
  const input = createKeyed(root, elements);
  const seen = collect(parDo("Split", input, doFn).main);
  const under = runDirect(pipeline, options);
  await under.finished;
  return { seen, under };
}

const numbers = (end: number): number[] => Array.from({ length: end }, (_, i) => i);

describe("splittable DoFns", () => {
  it("work through a bounded restriction to its end", async () => {
    const { seen } = await run(splittable("test:sdf:bounded", naive), [
      { key: "a", value: 5 },
      { key: "b", value: 2 },
    ]);
    assert.deepEqual(
      valuesOf(seen)
        .map(({ key, value }) => `${key}${value}`)
        .sort(),
      ["a0", "a1", "a2", "a3", "a4", "b0", "b1"],
    );
  });

  it("have nothing to do in an empty restriction", async () => {
    const { seen } = await run(splittable("test:sdf:empty", naive), [{ key: "a", value: 0 }]);
    assert.deepEqual(seen, []);
  });

  it("are cut into bundles, whatever loop was written", async () => {
    const { seen, under } = await run(splittable("test:sdf:naive", naive), [{ key: "a", value: 1_000 }], {
      bundleSizeMax: 50,
    });
    assert.deepEqual(
      valuesOf(seen).map(({ value }) => value),
      numbers(1_000),
    );
    const stage = under.status().find(({ name }) => name.includes("process"))!;
    assert.equal(stage.bundles, 20);
  });

  it("are cut by time as well", async () => {
    const clock = new VirtualClock();
    const slow: Process = ({ key }, tracker, ctx) => {
      for (let i = tracker.restriction.start; tracker.tryClaim(i); i++) {
        clock.advanceTo(clock.now() + 1);
        ctx.emit.main({ key, value: i });
      }
      return stop();
    };
    const { seen, under } = await run(splittable("test:sdf:slow", slow), [{ key: "a", value: 2_000 }], {
      clock,
      bundleTimeMaxMs: 40,
      bundleSizeMax: 1e6,
    });
    assert.equal(seen.length, 2_000);
    const { bundles } = under.status().find(({ name }) => name.includes("process"))!;
    // The clock is not read for every claim, but often enough.
    assert.ok(bundles >= 2_000 / 50 && bundles <= 2_000 / 35, `${bundles} bundles`);
  });

  it("get on, however long they prepare for their first claim", async () => {
    const clock = new VirtualClock();
    let calls = 0;
    const { seen } = await run(
      splittable("test:sdf:prepares", async ({ key }, tracker, ctx) => {
        assert.ok(++calls <= 3, "it is called again and again");
        clock.advanceTo(clock.now() + 1_000);
        await sleep(1);
        const i = tracker.restriction.start;
        if (!tracker.tryClaim(i)) return stop();
        ctx.emit.main({ key, value: i });
        return resume();
      }),
      [{ key: "a", value: 2 }],
      { clock, bundleTimeMaxMs: 100 },
    );
    assert.deepEqual(
      valuesOf(seen).map(({ value }) => value),
      numbers(2),
    );
  });

  it("may be split before they begin", async () => {
    const ranges: string[] = [];
    const doFn = splittable(
      "test:sdf:parts",
      (element, tracker, ctx) => {
        ranges.push(`${tracker.restriction.start}-${tracker.restriction.end}`);
        return naive(element, tracker, ctx);
      },
      { parts: 4 },
    );
    const { seen } = await run(doFn, [{ key: "a", value: 8 }]);
    assert.deepEqual(ranges.sort(), ["0-2", "2-4", "4-6", "6-8"]);
    assert.deepEqual(
      valuesOf(seen)
        .map(({ value }) => value)
        .sort(),
      numbers(8),
    );
  });

  it("without an end come back after their delay, take their watermark along, and end when told", async () => {
    const clock = new VirtualClock(0);
    const calls: string[] = [];
    const endless = splittable(
      "test:sdf:endless",
      ({ key }, tracker, ctx) => {
        const { start } = tracker.restriction;
        calls.push(`${start} at ${clock.now()}, watermark ${ctx.watermark.current}`);
        if (!tracker.tryClaim(start)) return stop();
        ctx.emit.main({ key, value: start }, 1_000 + start);
        ctx.watermark.set(1_000 + start);
        ctx.watermark.set(5);
        return resume(100);
      },
      { isBounded: false, end: Number.POSITIVE_INFINITY },
    );
    const { pipeline, root } = createPipeline();
    const input = createKeyed(root, [{ key: "a", value: 1 }], [7]);
    const seen = collect(parDo("Endless", input, endless).main);
    const under = runDirect(pipeline, { clock });
    for (let now = 0; now <= 250; now += 25) {
      clock.advanceTo(now);
      await sleep(1);
    }
    assert.deepEqual(
      seen.map(({ value, timestamp }) => [value.value, timestamp]),
      [
        [0, 1_000],
        [1, 1_001],
        [2, 1_002],
      ],
    );
    assert.deepEqual(calls, ["0 at 0, watermark 7", "1 at 100, watermark 1000", "2 at 200, watermark 1001"]);
    assert.equal(under.status().find(({ name }) => name.includes("process"))!.outputWatermark, 1_002);
    await under.stop("keep");
    assert.equal(calls.length, 3);
  });

  it("may wait in process, many at a time, each with its own element and watermark", async () => {
    const seenWatermarks: string[] = [];
    const waiting = splittable("test:sdf:waiting", async ({ key }, tracker, ctx) => {
      const first = tracker.restriction.start;
      ctx.watermark.set(1_000 + key.length);
      for (let i = first; i < first + 2; i++) {
        if (!tracker.tryClaim(i)) return stop();
        await sleep(key.length);
        ctx.emit.main({ key, value: i });
        seenWatermarks.push(`${key} ${ctx.watermark.current} ${ctx.timestamp}`);
      }
      return resume();
    });
    const { pipeline, root } = createPipeline();
    const stream = new TestStream(keyedInts).add(at(5, 10, "a"), at(3, 20, "bbb"), at(4, 30, "cc"));
    const seen = collect(parDo("Waiting", stream.read("Stream", root), waiting).main);
    await runDirect(pipeline).finished;
    assert.deepEqual(seen.map(({ value, timestamp }) => `${value.key}${value.value}@${timestamp}`).sort(), [
      ...numbers(5).map((i) => `a${i}@10`),
      ...numbers(3).map((i) => `bbb${i}@20`),
      ...numbers(4).map((i) => `cc${i}@30`),
    ]);
    for (const text of seenWatermarks) {
      const [key, watermark] = text.split(" ");
      assert.equal(Number(watermark), 1_000 + key!.length, text);
    }
  });

  it("end the run when process is rejected, also with others under way", async () => {
    const rejected = splittable("test:sdf:rejected", async ({ key }) => {
      await sleep(key.length);
      throw new Error(`cannot read ${key}`);
    });
    await assert.rejects(
      run(rejected, [
        { key: "a", value: 1 },
        { key: "bbb", value: 1 },
      ]),
      /cannot read a/,
    );
  });

  it("end the run when they stop with work left", async () => {
    const forgetful = splittable("test:sdf:forgetful", (_element, tracker) => {
      tracker.tryClaim(3);
      return stop();
    });
    await assert.rejects(
      run(forgetful, [{ key: "a", value: 10 }]),
      /process returned stop\(\) but left \[4, 10\) of \[0, 10\): claim up to the end, or return resume\(\)/,
    );
  });

  it("hold the watermark at the slowest restriction", async () => {
    const { pipeline, root } = createPipeline();
    let isOver = false;
    const onTime = stateful(
      "test:sdf:behind",
      { state: { count: valueState(ints) }, timers: {} },
      ({ value }: KV<string, number>, { state, emit, window }) => {
        state.count.write(value);
        emit.main(`${value} in ${window}`);
      },
      {},
    );
    const holding = splittable("test:sdf:holding", ({ key, value }, tracker, ctx) => {
      const { start } = tracker.restriction;
      // The slow one stays at 10 until the fast one is long past it.
      if (key === "slow" && !isOver) return resume(1);
      if (!tracker.tryClaim(start)) return stop();
      const timestamp = key === "slow" ? 10 : 10 + start * 100;
      ctx.emit.main({ key: "k", value: timestamp }, timestamp);
      ctx.watermark.set(timestamp);
      isOver ||= key === "fast" && start === value - 1;
      return resume();
    });
    const input = createKeyed(
      root,
      [
        { key: "slow", value: 1 },
        { key: "fast", value: 5 },
      ],
      [5, 5],
    );
    const read = parDo("Holding", input, holding).main;
    const windowed = windowInto("Window", read, { windowFn: fixedWindows(100) });
    const seen = collect(parDo("On time", windowed, onTime).main);
    await runDirect(pipeline).finished;
    assert.ok(valuesOf(seen).includes("10 in [0, 100)"));
    assert.equal(seen.length, 6);
  });

  it("may give work back at any point of the pipeline", async () => {
    const { pipeline, root } = createPipeline();
    const first = parDo(
      "First",
      createKeyed(root, [{ key: "a", value: 3 }]),
      splittable("test:sdf:first", naive),
    ).main;
    const second = parDo("Second", first, splittable("test:sdf:second", naive)).main;
    const seen = collect(second);
    await runDirect(pipeline, { bundleSizeMax: 1 }).finished;
    assert.deepEqual(
      valuesOf(seen)
        .map(({ value }) => value)
        .sort(),
      [0, 0, 1],
    );
  });
});
