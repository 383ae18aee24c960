import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { KV } from "../../../../beam/model/kv.js";
import { MIN_TIMESTAMP } from "../../../../beam/model/timestamps.js";
import { fixedWindows, slidingWindows } from "../../../../beam/model/window_fns.js";
import { IntervalWindow } from "../../../../beam/model/windows.js";
import { runDirect } from "../../../../beam/runners/direct/direct_runner.js";
import { create } from "../../../../beam/sdk/create.js";
import { type BundleContext, DoFn, type ElementContext } from "../../../../beam/sdk/do_fn.js";
import { createPipeline, flattenAll, groupByKey, parDo, windowInto } from "../../../../beam/sdk/graph.js";
import { counter, distribution, gauge } from "../../../../beam/sdk/metrics.js";
import { registerDoFn } from "../../../../beam/sdk/registry.js";
import { TestStream } from "../../../../beam/sdk/test_stream.js";
import {
  collect,
  createKeyed,
  doFn,
  doFnWith,
  ints,
  keyedInts,
  type Main,
  strings,
  valuesOf,
} from "../runners/small_graphs.js";

const main = { main: strings };

/** Life cycle events of the DoFn below, in their order. */
const life: string[] = [];

class Living extends DoFn<string, Main, { readonly waits: boolean }> {
  static readonly urn = "test:do_fn:living";
  readonly outputs = main;
  override readonly requestsFinalization = true;
  #held: string[] = [];
  override setup(): void | Promise<void> {
    life.push("setup");
    if (this.config.waits) return sleep(1).then(() => undefined);
  }
  override startBundle(): void | Promise<void> {
    life.push("start");
    this.#held = [];
    if (this.config.waits) return sleep(1).then(() => undefined);
  }
  process(element: string, ctx: ElementContext<Main>): void {
    life.push(element);
    this.#held.push(element);
    ctx.onFinalize(() => void life.push(`finalize ${element}`));
  }
  override finishBundle(ctx: BundleContext<Main>): void | Promise<void> {
    const emit = (): void => {
      for (const element of this.#held) ctx.emit.main(`${element}!`, 5, new IntervalWindow(0, 10));
      life.push("finish");
    };
    return this.config.waits ? sleep(1).then(emit) : emit();
  }
  override teardown(): void {
    life.push("teardown");
  }
}
registerDoFn(Living);

class Measured extends DoFn<number, Record<never, never>> {
  static readonly urn = "test:do_fn:measured";
  readonly outputs = {};
  override readonly metrics = { seen: counter(), sizes: distribution(), last: gauge() };
  process(element: number): void {
    this.metrics.seen.inc();
    if (element < 0) this.metrics.seen.inc(10);
    this.metrics.sizes.update(element);
    if (element < 5) this.metrics.last.set(element);
  }
  override async finishBundle(): Promise<void> {
    await sleep(1);
  }
}
registerDoFn(Measured);

class Silent extends DoFn<string, Main> {
  static readonly urn = "test:do_fn:no_timestamp";
  readonly outputs = main;
  process(): void {}
  override finishBundle(ctx: BundleContext<Main>): void {
    ctx.emit.main("x");
  }
}
registerDoFn(Silent);

class Async extends DoFn<string, Main> {
  static readonly urn = "test:do_fn:async";
  readonly outputs = main;
  async process(): Promise<void> {}
}
registerDoFn(Async);

/** Lets go of its elements only when the bundle finishes. */
class Keeping extends DoFn<KV<string, number>, { main: typeof keyedInts }, { readonly waits: boolean }> {
  static readonly urn = "test:do_fn:keeping";
  readonly outputs = { main: keyedInts };
  #held: KV<string, number>[] = [];
  process(element: KV<string, number>): void {
    this.#held.push(element);
  }
  override finishBundle(ctx: BundleContext<{ main: typeof keyedInts }>): void | Promise<void> {
    const emit = (): void => {
      for (const element of this.#held.splice(0)) ctx.emit.main(element, 5, new IntervalWindow(0, 10));
    };
    return this.config.waits ? sleep(1).then(emit) : emit();
  }
}
registerDoFn(Keeping);

describe("DoFns", () => {
  for (const waits of [false, true]) {
    it(`live from setup to teardown, ${waits ? "waiting at each step" : "at once"}`, async () => {
      life.length = 0;
      const { pipeline, root } = createPipeline();
      const seen = collect(
        parDo("Living", create("Create", root, ["a", "b"], strings), new Living({ waits })).main,
      );
      await runDirect(pipeline).finished;
      assert.deepEqual(life, ["setup", "start", "a", "b", "finish", "finalize a", "finalize b", "teardown"]);
      assert.deepEqual(
        seen.map(({ value, timestamp, window }) => [value, timestamp, String(window)]),
        [
          ["a!", 5, "[0, 10)"],
          ["b!", 5, "[0, 10)"],
        ],
      );
    });
  }

  it("emit to several outputs, with timestamps and windows of their own", async () => {
    const { pipeline, root } = createPipeline();
    const split = doFnWith(
      "test:do_fn:split",
      { short: strings, long: ints },
      (text: string, { emit, timestamp }) => {
        if (text.length < 3) emit.short(text);
        else emit.long(text.length, timestamp + text.length, new IntervalWindow(0, 100));
      },
    );
    const input = create("Create", root, ["a", "bb", "four"], strings, [1, 2, 3]);
    const { short, long } = parDo("Split", input, split);
    const [shorts, longs] = [collect(short), collect(long)];
    await runDirect(pipeline).finished;
    assert.deepEqual(
      shorts.map(({ value, timestamp }) => [value, timestamp]),
      [
        ["a", 1],
        ["bb", 2],
      ],
    );
    assert.deepEqual(
      longs.map(({ value, timestamp, window }) => [value, timestamp, String(window)]),
      [[4, 7, "[0, 100)"]],
    );
  });

  it("see an element once in each of its windows", async () => {
    const { pipeline, root } = createPipeline();
    const windowed = windowInto("Window", create("Create", root, ["x"], strings, [7]), {
      windowFn: slidingWindows(10, 5),
    });
    const seen = collect(
      parDo(
        "Tell",
        windowed,
        doFn("test:do_fn:tell", (text: string, { emit, window }) => emit.main(`${text} ${window}`)),
      ).main,
    );
    await runDirect(pipeline).finished;
    assert.deepEqual(valuesOf(seen).sort(), ["x [0, 10)", "x [5, 15)"]);
  });

  it("may not emit before their element's time, nor outside of an element without one", async () => {
    const { pipeline, root } = createPipeline();
    const back = doFn("test:do_fn:back", (text: string, { emit, timestamp }) =>
      emit.main(text, timestamp - 1),
    );
    parDo("Back", create("Create", root, ["x"], strings, [7]), back);
    await assert.rejects(
      runDirect(pipeline).finished,
      /Back: emit.main with timestamp .* goes back before its element's/,
    );
    const silent = createPipeline();
    parDo("Silent", create("Create", silent.root, ["x"], strings), new Silent(null));
    await assert.rejects(
      runDirect(silent.pipeline).finished,
      /Silent: emit.main outside of an element needs a timestamp/,
    );
  });

  it("may not be asynchronous", async () => {
    const { pipeline, root } = createPipeline();
    parDo("Async", create("Create", root, ["x"], strings), new Async(null) as any);
    await assert.rejects(
      runDirect(pipeline).finished,
      /Async: process must be synchronous; work that waits belongs/,
    );
  });

  it("count: sums, distributions and the latest value, over all bundles", async () => {
    const { pipeline, root } = createPipeline();
    const stream = new TestStream(ints);
    for (const value of [3, 9, 2, 4, 7, -1, 8]) stream.add([value, 0]);
    const input = stream.read("Stream", root);
    parDo("Measured", input, new Measured(null));
    parDo("Also/Measured", input, new Measured(null));
    const { metrics, finished } = runDirect(pipeline);
    await finished;
    assert.deepEqual([...metrics.counters()].sort(), [
      ["Also/Measured/seen", 17],
      ["Measured/seen", 17],
    ]);
    assert.equal(metrics.counter("seen"), 34);
    assert.equal(metrics.counter("seen", "Also"), 17);
    assert.equal(metrics.counter("unseen"), 0);
    assert.deepEqual(metrics.distributions().get("Measured/sizes"), { count: 7, sum: 32, min: -1, max: 9 });
    assert.equal(metrics.gauges().get("Measured/last"), -1);
  });

  for (const waits of [false, true]) {
    const how = waits ? "after some time" : "at once";
    it(`is not late with what it emits in finishBundle, ${how}`, async () => {
      const { pipeline, root } = createPipeline();
      const elements = [1, 2].map((value) => ({ key: "k", value }));
      const windowFn = fixedWindows(10);
      const windowed = windowInto("Window", createKeyed(root, elements, [0, 9]), { windowFn });
      const kept = parDo("Keep", windowed, new Keeping({ waits })).main;
      const groups = collect(groupByKey("Group", kept));
      await runDirect(pipeline).finished;
      assert.deepEqual(valuesOf(groups), [{ key: "k", value: [1, 2] }]);
    });
  }
});

describe("create and flatten", () => {
  it("give the values, at the beginning of time or at theirs", async () => {
    const { pipeline, root } = createPipeline();
    const timeless = collect(create("Timeless", root, [1, 2, 3], ints));
    const timed = collect(create("Timed", root, [4, 5], ints, [10, 20]));
    const none = collect(create("None", root, [], ints));
    await runDirect(pipeline).finished;
    assert.deepEqual(
      timeless.map(({ value, timestamp }) => [value, timestamp]),
      [1, 2, 3].map((value) => [value, MIN_TIMESTAMP]),
    );
    assert.deepEqual(
      timed.map(({ value, timestamp }) => [value, timestamp]),
      [
        [4, 10],
        [5, 20],
      ],
    );
    assert.deepEqual(none, []);
  });

  it("bring collections of one stage, and of several, together", async () => {
    const { pipeline, root } = createPipeline();
    const a = create("A", root, ["a1", "a2"], strings);
    const b = new TestStream(strings).add(["b1", 1]).advanceWatermarkTo(10).add(["b2", 11]).read("B", root);
    const shouted = parDo(
      "Shout",
      a,
      doFn("test:do_fn:shout", (text: string, { emit }) => emit.main(`${text}!`)),
    ).main;
    const same = collect(flattenAll("Same stage", [a, shouted]));
    const all = collect(flattenAll("All", [a, b, shouted]));
    await runDirect(pipeline).finished;
    assert.deepEqual(valuesOf(same).sort(), ["a1", "a1!", "a2", "a2!"]);
    assert.deepEqual(valuesOf(all).sort(), ["a1", "a1!", "a2", "a2!", "b1", "b2"]);
  });

  it("give a collection that is named twice twice", async () => {
    const { pipeline, root } = createPipeline();
    const inside = create("Inside", root, ["i"], strings);
    const outside = new TestStream(strings).add(["o", 1]).read("Outside", root);
    const twiceInside = collect(flattenAll("Twice inside", [inside, inside]));
    const twiceOutside = collect(flattenAll("Twice outside", [outside, outside]));
    await runDirect(pipeline).finished;
    assert.deepEqual(valuesOf(twiceInside), ["i", "i"]);
    assert.deepEqual(valuesOf(twiceOutside), ["o", "o"]);
  });

  it("keep windows apart that meet in a flatten", async () => {
    const { pipeline, root } = createPipeline();
    const windowing = { windowFn: fixedWindows(10) };
    const a = windowInto("WA", create("A", root, ["a"], strings, [1]), windowing);
    const b = windowInto("WB", create("B", root, ["b"], strings, [11]), windowing);
    const both = collect(flattenAll("Both", [a, b]));
    await runDirect(pipeline).finished;
    assert.deepEqual(both.map(({ value, window }) => `${value} ${window}`).sort(), [
      "a [0, 10)",
      "b [10, 20)",
    ]);
  });
});
