import assert from "node:assert/strict";
import { KVCoder } from "../../../../beam/model/coders/kv_coder.js";
import { StringUtf8Coder } from "../../../../beam/model/coders/string_utf8_coder.js";
import { VarintCoder } from "../../../../beam/model/coders/varint_coder.js";
import type { KV } from "../../../../beam/model/kv.js";
import { fixedWindows } from "../../../../beam/model/window_fns.js";
import { runDirect } from "../../../../beam/runners/direct/direct_runner.js";
import { coGroupByKey } from "../../../../beam/sdk/co_group_by_key.js";
import { create } from "../../../../beam/sdk/create.js";
import {
  DoFn,
  type ElementContext,
  type StatefulContext,
  StatefulDoFn,
  type TimerContext,
} from "../../../../beam/sdk/do_fn.js";
import {
  type Collection,
  createPipeline,
  groupByKey,
  parDo,
  windowInto,
} from "../../../../beam/sdk/graph.js";
import { registerDoFn } from "../../../../beam/sdk/registry.js";
import { bagState, valueState } from "../../../../beam/sdk/state.js";
import { TestStream } from "../../../../beam/sdk/test_stream.js";
import { eventTimeTimer, processingTimeTimer } from "../../../../beam/sdk/timer.js";

const strings = StringUtf8Coder.INSTANCE;
const ints = VarintCoder.INSTANCE;
const keyed = new KVCoder(strings, ints);

/** What reached the end of a graph, by the name of the collector. */
const collected = new Map<string, { value: any; timestamp: number }[]>();

class Collect extends DoFn<any, Record<string, never>, string> {
  static readonly urn = "test:collect";
  override readonly outputs = {};
  process(element: any, ctx: ElementContext<Record<string, never>>): void {
    const list = collected.get(this.config) ?? [];
    list.push({ value: element, timestamp: ctx.timestamp });
    collected.set(this.config, list);
  }
}
registerDoFn(Collect);

const outputs = { main: keyed };
const sumState = { sum: valueState(ints) };
const sumTimers = { flush: eventTimeTimer() };

class SumPerKey extends StatefulDoFn<string, number, typeof outputs, typeof sumState, typeof sumTimers> {
  static readonly urn = "test:sum";
  readonly outputs = outputs;
  readonly state = sumState;
  readonly timers = sumTimers;
  readonly onTimer = {
    flush: (ctx: TimerContext<string, typeof outputs, typeof sumState, typeof sumTimers>) => {
      ctx.emit.main({ key: ctx.key, value: ctx.state.sum.read() ?? -1 });
      ctx.state.sum.clear();
    },
  };
  process(
    element: KV<string, number>,
    ctx: StatefulContext<typeof outputs, typeof sumState, typeof sumTimers>,
  ): void {
    ctx.state.sum.write((ctx.state.sum.read() ?? 0) + element.value);
    ctx.timers.flush.set(100);
  }
}
registerDoFn(SumPerKey);

const seenState = { seen: bagState(ints) };
const laterTimers = { later: processingTimeTimer() };

class EmitAfter10Ms extends StatefulDoFn<
  string,
  number,
  typeof outputs,
  typeof seenState,
  typeof laterTimers
> {
  static readonly urn = "test:buffer";
  readonly outputs = outputs;
  readonly state = seenState;
  readonly timers = laterTimers;
  readonly onTimer = {
    later: (ctx: TimerContext<string, typeof outputs, typeof seenState, typeof laterTimers>) => {
      for (const value of ctx.state.seen.read()) ctx.emit.main({ key: ctx.key, value });
      ctx.state.seen.clear();
    },
  };
  process(
    element: KV<string, number>,
    ctx: StatefulContext<typeof outputs, typeof seenState, typeof laterTimers>,
  ): void {
    ctx.state.seen.add(element.value);
    ctx.timers.later.set(ctx.clock.now() + 10);
  }
}
registerDoFn(EmitAfter10Ms);

describe("direct runner", () => {
  beforeEach(() => collected.clear());

  it("runs a stateful DoFn with an event-time timer on bounded input", async () => {
    const { pipeline, root } = createPipeline();
    const values = [
      { key: "a", value: 1 },
      { key: "b", value: 2 },
      { key: "a", value: 3 },
    ];
    const input: Collection<KV<string, number>> = create("Create", root, values, keyed);
    parDo("Collect", parDo("Sum", input, new SumPerKey(null)).main, new Collect("out"));
    const run = runDirect(pipeline);
    await run.finished;
    const out = collected.get("out")!.map(({ value, timestamp }) => [value.key, value.value, timestamp]);
    assert.deepEqual(out.sort(), [
      ["a", 4, 100],
      ["b", 2, 100],
    ]);
    assert.deepEqual([...run.store.sizes().values()], [0, 0]);
  });

  it("fires event-time timers by the watermark and processing-time timers by the clock", async () => {
    const { pipeline, root } = createPipeline();
    const stream = new TestStream(keyed)
      .add([{ key: "a", value: 1 }, 0])
      .advanceWatermarkTo(99)
      .add([{ key: "a", value: 2 }, 99])
      .advanceWatermarkTo(100)
      .advanceProcessingTimeBy(9)
      .add([{ key: "a", value: 5 }, 100])
      .advanceProcessingTimeBy(1);
    const input = stream.read("Stream", root);
    const sums = parDo("Sum", input, new SumPerKey(null)).main;
    parDo("Collect sums", sums, new Collect("sums"));
    const buffered = parDo("Buffer", input, new EmitAfter10Ms(null)).main;
    parDo("Collect buffered", buffered, new Collect("buffered"));
    await runDirect(pipeline).finished;
    assert.deepEqual(
      collected.get("sums")!.map(({ value }) => value.value),
      [3, 5],
    );
    assert.deepEqual(
      collected.get("buffered")!.map(({ value }) => value.value),
      [1, 2, 5],
    );
  });

  it("groups by key in fixed windows with the default trigger", async () => {
    const { pipeline, root } = createPipeline();
    const stream = new TestStream(keyed)
      .add([{ key: "a", value: 1 }, 1], [{ key: "a", value: 2 }, 9], [{ key: "a", value: 3 }, 10])
      .advanceWatermarkTo(10)
      .add([{ key: "a", value: 99 }, 5], [{ key: "a", value: 4 }, 19]);
    const windowed = windowInto("Window", stream.read("Stream", root), { windowFn: fixedWindows(10) });
    parDo("Collect", groupByKey("Group", windowed), new Collect("out"));
    const run = runDirect(pipeline);
    await run.finished;
    assert.deepEqual(
      collected.get("out")!.map(({ value, timestamp }) => [value.key, value.value, timestamp]),
      [
        ["a", [1, 2], 9],
        ["a", [3, 4], 19],
      ],
    );
    assert.ok([...run.store.sizes().values()].every((size) => size === 0));
  });

  it("co-groups with a repeated count trigger as elements come", async () => {
    const { pipeline, root } = createPipeline();
    const everyElement = {
      trigger: { kind: "repeated-count", count: 1 },
      outputTime: "EARLIEST_IN_PANE",
    } as const;
    const left = windowInto(
      "L",
      new TestStream(keyed).add([{ key: "a", value: 1 }, 5]).read("SL", root),
      everyElement,
    );
    const right = windowInto(
      "R",
      new TestStream(keyed).add([{ key: "a", value: 2 }, 6]).read("SR", root),
      everyElement,
    );
    const grouped = coGroupByKey("Join", { left, right });
    parDo("Collect", grouped, new Collect("out"));
    await runDirect(pipeline).finished;
    assert.deepEqual(collected.get("out"), [
      { value: { key: "a", value: { left: [1], right: [] } }, timestamp: 5 },
      { value: { key: "a", value: { left: [], right: [2] } }, timestamp: 6 },
    ]);
  });
});
