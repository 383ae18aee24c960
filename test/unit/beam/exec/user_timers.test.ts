import assert from "node:assert/strict";
import type { KV } from "../../../../beam/model/kv.js";
import { GLOBAL_WINDOW_MAX } from "../../../../beam/model/timestamps.js";
import { fixedWindows } from "../../../../beam/model/window_fns.js";
import { runDirect } from "../../../../beam/runners/direct/direct_runner.js";
import type { StatefulContext } from "../../../../beam/sdk/do_fn.js";
import { createPipeline, parDo, type Windowing, windowInto } from "../../../../beam/sdk/graph.js";
import { valueState } from "../../../../beam/sdk/state.js";
import { TestStream } from "../../../../beam/sdk/test_stream.js";
import { eventTimeTimer, processingTimeTimer } from "../../../../beam/sdk/timer.js";
import {
  at,
  collect,
  doFnWith,
  ints,
  keyedInts,
  keyedStrings,
  leftovers,
  type Main,
  stateful,
  valuesOf,
} from "../runners/small_graphs.js";

const specs = {
  state: { count: valueState(ints) },
  timers: { event: eventTimeTimer(), clock: processingTimeTimer() },
};
type Context = StatefulContext<Main, typeof specs.state, typeof specs.timers>;

/** A DoFn whose elements are commands, and whose timers tell of themselves. */
const byCommand = stateful(
  "test:timers:by_command",
  specs,
  ({ value }: KV<string, string>, ctx: Context) => {
    const [command, ...numbers] = value.split(" ");
    const [time, output] = numbers.map(Number);
    if (command === "set") ctx.timers.event.set(time!, "", output);
    else if (command === "clear") ctx.timers.event.clear();
    else if (command === "tagged") ctx.timers.event.set(time!, `tag ${time! % 3}`);
    else if (command === "in") ctx.timers.clock.set(ctx.clock.now() + time!, "", output);
    else if (command === "stay") ctx.timers.clock.clear();
    else assert.fail(value);
  },
  {
    event: (ctx) => ctx.emit.main(`${ctx.key}:event${ctx.tag} for ${ctx.fireTimestamp} at ${ctx.timestamp}`),
    clock: (ctx) => ctx.emit.main(`${ctx.key}:clock for ${ctx.fireTimestamp} at ${ctx.timestamp}`),
  },
);

/** Texts as KVs, for what needs a key. */
const toPairs = doFnWith("test:timers:to_pairs", { main: keyedInts }, (text: string, { emit }) =>
  emit.main({ key: text, value: 1 }),
);

async function play(stream: TestStream<KV<string, string>>, windowing?: Windowing) {
  const { pipeline, root } = createPipeline();
  const input = stream.read("Stream", root);
  const windowed = windowing === undefined ? input : windowInto("Window", input, windowing);
  const seen = collect(parDo("Commands", windowed, byCommand).main);
  const run = runDirect(pipeline);
  await run.finished;
  return { seen, run };
}

const commands = (): TestStream<KV<string, string>> => new TestStream(keyedStrings);

describe("user timers", () => {
  it("fire once, when the watermark has come, for each key by itself", async () => {
    const { seen, run } = await play(
      commands()
        .add(at("set 20", 1), at("set 10", 1, "b"))
        .advanceWatermarkTo(19)
        .add(at("set 30", 25, "c"))
        .advanceWatermarkTo(20)
        .advanceWatermarkTo(40),
    );
    assert.deepEqual(valuesOf(seen), [
      "b:event for 10 at 10",
      "k:event for 20 at 20",
      "c:event for 30 at 30",
    ]);
    assert.deepEqual(leftovers(run), []);
  });

  it("are replaced when set again, and gone when cleared", async () => {
    const { seen } = await play(
      commands().add(
        at("set 20", 0),
        at("set 30", 0),
        at("set 20", 0, "back"),
        at("set 30", 0, "back"),
        at("set 20", 0, "back"),
        at("set 25", 0, "gone"),
        at("clear", 0, "gone"),
        at("clear", 0, "never"),
      ),
    );
    assert.deepEqual(valuesOf(seen), ["back:event for 20 at 20", "k:event for 30 at 30"]);
  });

  it("are told apart by their tags", async () => {
    const { seen } = await play(
      commands().add(at("tagged 7", 0), at("tagged 8", 0), at("tagged 10", 0), at("set 9", 0)),
    );
    assert.deepEqual(valuesOf(seen), [
      "k:eventtag 2 for 8 at 8",
      "k:event for 9 at 9",
      "k:eventtag 1 for 10 at 10",
    ]);
  });

  it("fire at the end of their window at the latest, before its state is dropped", async () => {
    const { seen, run } = await play(
      commands()
        .add(at("set 1000", 5), at("set 12", 15), at("set 1000000", 5, "b"))
        .advanceWatermarkTo(17)
        .advanceWatermarkTo(18),
      { windowFn: fixedWindows(10), allowedLatenessMs: 8 },
    );
    assert.deepEqual(valuesOf(seen).sort(), [
      "b:event for 17 at 17",
      "k:event for 12 at 12",
      "k:event for 17 at 17",
    ]);
    assert.deepEqual(leftovers(run), []);
  });

  it("in the global window fire at its end at the latest", async () => {
    const { seen } = await play(commands().add(at(`set ${GLOBAL_WINDOW_MAX * 2}`, 5)));
    assert.deepEqual(valuesOf(seen), [`k:event for ${GLOBAL_WINDOW_MAX} at ${GLOBAL_WINDOW_MAX}`]);
  });

  it("fire by the clock, in processing time, with the timestamp of what set them", async () => {
    const { seen, run } = await play(
      commands()
        .add(at("in 100", 5), at("in 50", 7, "b"), at("in 60", 7, "gone"))
        .advanceProcessingTimeBy(40)
        .add(at("stay", 8, "gone"))
        .advanceProcessingTimeBy(10)
        .advanceWatermarkTo(1_000)
        .advanceProcessingTimeBy(100),
    );
    assert.deepEqual(valuesOf(seen), ["b:clock for 50 at 7", "k:clock for 100 at 5"]);
    assert.deepEqual(leftovers(run), []);
  });

  it("hold the output watermark at their output timestamps", async () => {
    const { pipeline, root } = createPipeline();
    const stream = commands()
      .add(at("set 100 40", 5))
      .advanceWatermarkTo(99)
      .add(at("set 200", 150, "b"))
      .advanceWatermarkTo(100);
    const fired = parDo("Commands", stream.read("Stream", root), byCommand).main;
    const windowed = windowInto("Window", fired, { windowFn: fixedWindows(10) });
    const seen = collect(windowed);
    // Were the element late, a stateful DoFn would drop it.
    const keyed = stateful(
      "test:timers:behind",
      { state: { count: valueState(ints) }, timers: {} },
      (element: KV<string, number>, { state, emit, timestamp }) => {
        state.count.write(element.value);
        emit.main(`on time ${timestamp}`);
      },
      {},
    );
    const again = createPipeline();
    const input = commands()
      .add(at("set 100 40", 5))
      .advanceWatermarkTo(99)
      .advanceWatermarkTo(100)
      .read("Stream", again.root);
    const held = parDo("Commands", input, byCommand).main;
    const pairs = parDo("Pair", held, toPairs);
    const onTime = collect(
      parDo("Behind", windowInto("Window", pairs.main, { windowFn: fixedWindows(10) }), keyed).main,
    );
    await runDirect(pipeline).finished;
    await runDirect(again.pipeline).finished;
    assert.deepEqual(
      seen.map(({ value, timestamp }) => [value, timestamp]),
      [
        ["k:event for 100 at 40", 40],
        ["b:event for 200 at 200", 200],
      ],
    );
    assert.deepEqual(valuesOf(onTime), ["on time 40"]);
  });

  it("refuse an output timestamp before the element or after the firing", async () => {
    for (const command of ["set 100 4", "set 100 101", "in 10 4"]) {
      await assert.rejects(
        play(commands().add(at(command, 5))),
        /output timestamp .* must lie between/,
        command,
      );
    }
    await assert.rejects(play(commands().add(at("set x", 5))), /set\(NaN\) is no time/);
  });

  it("loop when their callbacks set them anew, as long as they are set", async () => {
    for (const domain of ["event", "clock"] as const) {
      const { pipeline, root } = createPipeline();
      const looping = stateful(
        `test:timers:looping_${domain}`,
        specs,
        (_element: KV<string, number>, ctx) =>
          ctx.timers[domain].set(domain === "event" ? 10 : ctx.clock.now() + 10),
        {
          event: (ctx) => {
            const count = (ctx.state.count.read() ?? 0) + 1;
            ctx.state.count.write(count);
            ctx.emit.main(`tick ${count} for ${ctx.fireTimestamp}`);
            if (count < 4) ctx.timers.event.set(ctx.fireTimestamp + 10);
            else ctx.state.count.clear();
          },
          clock: (ctx) => {
            const count = (ctx.state.count.read() ?? 0) + 1;
            ctx.state.count.write(count);
            ctx.emit.main(`tick ${count} for ${ctx.fireTimestamp}`);
            if (count < 4) ctx.timers.clock.set(ctx.fireTimestamp + 10);
            else ctx.state.count.clear();
          },
        },
      );
      const seen = collect(
        parDo("Loop", new TestStream(keyedInts).add(at(1, 0)).read("Stream", root), looping).main,
      );
      const run = runDirect(pipeline);
      await run.finished;
      assert.deepEqual(valuesOf(seen), ["tick 1 for 10", "tick 2 for 20", "tick 3 for 30", "tick 4 for 40"]);
      assert.deepEqual(leftovers(run), []);
    }
  });

  it("that loop for ever end with their window", async () => {
    const { pipeline, root } = createPipeline();
    let ticks = 0;
    const forEver = stateful(
      "test:timers:for_ever",
      specs,
      (_element: KV<string, number>, ctx) => ctx.timers.event.set(2),
      {
        event: (ctx) => {
          ctx.emit.main(`tick for ${ctx.fireTimestamp}`);
          if (++ticks > 10) throw new Error("it goes on behind the end of its window");
          ctx.timers.event.set(ctx.fireTimestamp + 4);
        },
        clock: () => undefined,
      },
    );
    const windowed = windowInto("Window", new TestStream(keyedInts).add(at(1, 0)).read("Stream", root), {
      windowFn: fixedWindows(10),
    });
    const seen = collect(parDo("Loop", windowed, forEver).main);
    const run = runDirect(pipeline);
    await run.finished;
    assert.deepEqual(valuesOf(seen), ["tick for 2", "tick for 6", "tick for 9"]);
    assert.deepEqual(leftovers(run), []);
  });

  it("may not be asynchronous", async () => {
    const { pipeline, root } = createPipeline();
    const waiting = stateful(
      "test:timers:async",
      specs,
      (_element: KV<string, number>, ctx) => ctx.timers.event.set(2),
      { event: (async () => undefined) as () => void, clock: () => undefined },
    );
    parDo("Async", new TestStream(keyedInts).add(at(1, 0)).read("Stream", root), waiting);
    await assert.rejects(runDirect(pipeline).finished, /Async: process must be synchronous/);
  });
});
