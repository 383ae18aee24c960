import assert from "node:assert/strict";
import { BoolCoder } from "../../../../beam/model/coders/bool_coder.js";
import { fixedWindows } from "../../../../beam/model/window_fns.js";
import { VirtualClock } from "../../../../beam/platform/clock.js";
import { runDirect } from "../../../../beam/runners/direct/direct_runner.js";
import { createPipeline, parDo, windowInto } from "../../../../beam/sdk/graph.js";
import {
  bagState,
  combiningState,
  mapState,
  multimapState,
  orderedListState,
  valueState,
} from "../../../../beam/sdk/state.js";
import { TestStream } from "../../../../beam/sdk/test_stream.js";
import { eventTimeTimer, processingTimeTimer } from "../../../../beam/sdk/timer.js";
import {
  at,
  collect,
  ints,
  keyedInts,
  leftovers,
  mean,
  stateful,
  strings,
  valuesOf,
} from "../runners/small_graphs.js";

const cells = {
  value: valueState(ints),
  bag: bagState(strings),
  map: mapState(strings, ints),
  flag: valueState(BoolCoder.INSTANCE),
};
const everyCell = stateful(
  "test:state:every_cell",
  { state: cells, timers: {} },
  ({ value }: { key: string; value: number }, { state, emit }) => {
    const before = `${state.value.read()} [${state.bag.read()}] {${state.map.entries()}} ${state.flag.read()}`;
    emit.main(before);
    if (value === 0) {
      assert.equal(state.bag.isEmpty(), state.bag.read().length === 0);
      state.value.clear();
      state.bag.clear();
      state.map.clear();
      state.flag.clear();
      assert.equal(state.value.read(), undefined);
      assert.deepEqual(state.bag.read(), []);
      assert.ok(state.bag.isEmpty() && state.map.isEmpty());
      return;
    }
    if (value < 0) {
      // What is written after clearing, and read after writing, is seen at once.
      state.bag.clear();
      state.bag.add("new");
      assert.deepEqual(state.bag.read(), ["new"]);
      assert.equal(state.bag.isEmpty(), false);
      state.map.delete("a");
      assert.equal(state.map.get("a"), undefined);
      state.map.set("z", -1);
      assert.equal(state.map.get("z"), -1);
      state.value.write(5);
      state.value.clear();
      state.value.write(6);
      assert.equal(state.value.read(), 6);
      return;
    }
    state.value.write((state.value.read() ?? 0) + value);
    state.bag.add(`v${value}`);
    state.bag.add("");
    state.map.set("a", value);
    state.map.set(`k${value}`, value);
    state.flag.write(false);
  },
  {},
);

describe("user state", () => {
  it("is kept for each key, and seen by the next element", async () => {
    const { pipeline, root } = createPipeline();
    const stream = new TestStream(keyedInts).add(at(1, 0), at(2, 0), at(7, 0, "other"), at(0, 0), at(3, 0));
    const seen = collect(parDo("Cells", stream.read("Stream", root), everyCell).main);
    const run = runDirect(pipeline);
    await run.finished;
    assert.deepEqual(valuesOf(seen), [
      "undefined [] {} undefined",
      "1 [v1,] {a,1,k1,1} false",
      "undefined [] {} undefined",
      "3 [v1,,v2,] {a,2,k1,1,k2,2} false",
      "undefined [] {} undefined",
    ]);
    assert.deepEqual([...run.store.sizes().values()].sort(), [2, 2, 2, 2]);
  });

  it("shows within an element what the element wrote", async () => {
    const { pipeline, root } = createPipeline();
    const stream = new TestStream(keyedInts).add(at(1, 0), at(-1, 0), at(0, 0));
    const seen = collect(parDo("Cells", stream.read("Stream", root), everyCell).main);
    const run = runDirect(pipeline);
    await run.finished;
    assert.equal(valuesOf(seen)[2], "6 [new] {k1,1,z,-1} false");
    assert.deepEqual(leftovers(run), []);
  });

  it("folds what is added to a combining cell, and is empty when that is cleared", async () => {
    const { pipeline, root } = createPipeline();
    const running = stateful(
      "test:state:running_mean",
      { state: { mean: combiningState(mean) }, timers: {} },
      ({ value }: { key: string; value: number }, { state, emit }) => {
        const before = `${state.mean.isEmpty() ? "empty" : "some"} ${state.mean.read()}`;
        if (value === 0) state.mean.clear();
        else state.mean.add(value);
        emit.main(`${before} → ${state.mean.read()}`);
      },
      {},
    );
    const stream = new TestStream(keyedInts).add(
      at(1, 0),
      at(3, 0),
      at(9, 0, "other"),
      at(0, 0),
      at(5, 0),
      at(0, 0),
    );
    const seen = collect(parDo("Mean", stream.read("Stream", root), running).main);
    const run = runDirect(pipeline);
    await run.finished;
    assert.deepEqual(valuesOf(seen), [
      "empty NaN → 1",
      "some 1 → 2",
      "empty NaN → 9",
      "some 2 → NaN",
      "empty NaN → 5",
      "some 5 → NaN",
    ]);
    assert.deepEqual([...run.store.sizes().values()], [1], "of the other key");
  });

  const both = stateful(
    "test:state:multimap_and_list",
    { state: { map: multimapState(strings, ints), list: orderedListState(strings) }, timers: {} },
    ({ value }: { key: string; value: number }, { state, emit }) => {
      const { map, list } = state;
      const wasEmpty = `${map.isEmpty()} ${list.isEmpty()}`;
      if (value === 0) {
        map.clear();
        list.clear();
      } else if (value < 0) {
        map.delete(String(-value));
        map.delete("nobody");
        list.clearRange(-2, 3);
        list.add(2, "new");
      } else {
        map.put(String(value % 2), value);
        map.put(String(value % 2), -value);
        list.add(value, `v${value}`);
        list.add(-value, "");
        assert.equal(list.readRange(-value, value).at(0)!.sortKey, -value);
        assert.ok(list.readRange(-value, value).every(({ sortKey }) => sortKey < value));
      }
      const entries = map.keys().map((key) => `${key}:${map.get(key)}`);
      emit.main(
        `${wasEmpty} {${entries}} [${list.read().map(({ sortKey, value }) => `${sortKey}${value}`)}]`,
      );
    },
    {},
  );

  it("keeps multimaps and ordered lists", async () => {
    const { pipeline, root } = createPipeline();
    const stream = new TestStream(keyedInts).add(
      ...[5, 1, 2, -1, 3, -7, 0, 4].map((value) => at(value, 0)),
      at(9, 0, "other"),
    );
    const seen = collect(parDo("Both", stream.read("Stream", root), both).main);
    const run = runDirect(pipeline);
    await run.finished;
    assert.deepEqual(valuesOf(seen), [
      "true true {1:5,-5} [-5,5v5]",
      "false false {1:5,-5,1,-1} [-5,-1,1v1,5v5]",
      "false false {1:5,-5,1,-1,0:2,-2} [-5,-2,-1,1v1,2v2,5v5]",
      "false false {0:2,-2} [-5,2new,5v5]",
      "false false {0:2,-2,1:3,-3} [-5,-3,2new,3v3,5v5]",
      "false false {0:2,-2,1:3,-3} [-5,-3,2new,3v3,5v5]",
      "false false {} []",
      "true true {0:4,-4} [-4,4v4]",
      "true true {1:9,-9} [-9,9v9]",
    ]);
    assert.deepEqual([...run.store.sizes().values()], [2, 2, 2], "of two keys: map keys, values, lists");
  });

  it("drops multimaps and ordered lists with their window", async () => {
    const { pipeline, root } = createPipeline();
    const stream = new TestStream(keyedInts).add(at(1, 0), at(2, 5)).advanceWatermarkTo(30);
    const windowed = windowInto("Window", stream.read("Stream", root), { windowFn: fixedWindows(10) });
    collect(parDo("Both", windowed, both).main);
    const run = runDirect(pipeline);
    await run.finished;
    assert.deepEqual(leftovers(run), []);
  });

  it("refuses sort keys that are no whole numbers", async () => {
    const { pipeline, root } = createPipeline();
    const add = stateful(
      "test:state:odd_sort_key",
      { state: { list: orderedListState(strings) }, timers: {} },
      (_element: { key: string; value: number }, { state }) => state.list.add(0.5, "x"),
      {},
    );
    parDo("Add", new TestStream(keyedInts).add(at(1, 0)).read("Stream", root), add);
    await assert.rejects(runDirect(pipeline).finished, /0\.5 is not a sort key/);
  });

  it("takes keys and values of any length", async () => {
    const { pipeline, root } = createPipeline();
    const append = stateful(
      "test:state:append",
      { state: { bag: bagState(strings) }, timers: {} },
      ({ value }: { key: string; value: number }, { state, emit }) => {
        state.bag.add("x".repeat(value));
        emit.main(String(state.bag.read().join("").length));
      },
      {},
    );
    const longKey = "k".repeat(100_000);
    const stream = new TestStream(keyedInts).add(
      at(1, 0, longKey),
      at(2_000_000, 0, longKey),
      at(3, 0, longKey),
      at(4, 0),
    );
    const seen = collect(parDo("Append", stream.read("Stream", root), append).main);
    await runDirect(pipeline).finished;
    assert.deepEqual(valuesOf(seen), ["1", "2000001", "2000004", "4"]);
  });

  it("has a window of its own in each window, is dropped when that expires, and takes no late element", async () => {
    const { pipeline, root } = createPipeline();
    const sum = stateful(
      "test:state:windowed_sum",
      { state: { sum: valueState(ints) }, timers: {} },
      ({ value }: { key: string; value: number }, { state, emit, window }) => {
        state.sum.write((state.sum.read() ?? 0) + value);
        emit.main(`${window} ${state.sum.read()}`);
      },
      {},
    );
    const sizes: number[] = [];
    const clock = new VirtualClock();
    const stream = new TestStream(keyedInts)
      .add(at(1, 0), at(2, 9), at(5, 10))
      .advanceWatermarkTo(12)
      .add(at(3, 8))
      .advanceWatermarkTo(15)
      .advanceProcessingTimeBy(1)
      .add(at(100, 9), at(6, 15))
      .advanceWatermarkTo(26)
      .advanceProcessingTimeBy(1);
    const windowed = windowInto("Window", stream.read("Stream", root), {
      windowFn: fixedWindows(10),
      allowedLatenessMs: 5,
    });
    const seen = collect(parDo("Sum", windowed, sum).main);
    const run = runDirect(pipeline, { clock });
    const stateSize = (): number =>
      [...run.store.sizes()]
        .filter(([name]) => name.startsWith("state/"))
        .reduce((all, [, size]) => all + size, 0);
    for (const delayMs of [1, 2]) clock.schedule(delayMs, () => sizes.push(stateSize()));
    await run.finished;
    assert.deepEqual(valuesOf(seen), ["[0, 10) 1", "[0, 10) 3", "[10, 20) 5", "[0, 10) 6", "[10, 20) 11"]);
    assert.deepEqual(sizes, [1, 0]);
    assert.deepEqual(leftovers(run), []);
  });

  it("is not brought back by a processing-time timer that outlives its window", async () => {
    const { pipeline, root } = createPipeline();
    const outlived = stateful(
      "test:state:outlived",
      { state: { sum: valueState(ints) }, timers: { late: processingTimeTimer(), end: eventTimeTimer() } },
      ({ value }: { key: string; value: number }, { state, timers, clock }) => {
        state.sum.write(value);
        timers.late.set(clock.now() + 100);
        timers.end.set(9);
      },
      {
        late: ({ state, emit }) => {
          emit.main(`late ${state.sum.read()}`);
          state.sum.write(1);
        },
        end: ({ state, emit }) => emit.main(`end ${state.sum.read()}`),
      },
    );
    const stream = new TestStream(keyedInts)
      .add(at(1, 0))
      .advanceWatermarkTo(11)
      .advanceProcessingTimeBy(200)
      .advanceWatermarkTo(50);
    const windowed = windowInto("Window", stream.read("Stream", root), { windowFn: fixedWindows(10) });
    const seen = collect(parDo("Outlived", windowed, outlived).main);
    const run = runDirect(pipeline);
    await run.finished;
    assert.deepEqual(valuesOf(seen), ["end 1"]);
    assert.deepEqual(leftovers(run), []);
  });
});
