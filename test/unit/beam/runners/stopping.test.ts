import assert from "node:assert/strict";
import type { KV } from "../../../../beam/model/kv.js";
import { runDirect } from "../../../../beam/runners/direct/direct_runner.js";
import { createPipeline, impulse, parDo } from "../../../../beam/sdk/graph.js";
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
import { eventTimeTimer } from "../../../../beam/sdk/timer.js";
import { until } from "../../../fixtures/until.js";
import { collect, ints, keyedInts, leftovers, stateful, valuesOf } from "./small_graphs.js";

const outputs = { main: keyedInts };

/** Numbers for ever, three at a time. */
class Endless extends SplittableDoFn<Uint8Array, OffsetRange, number, typeof outputs> {
  static readonly urn: string = "test:stopping:endless";
  readonly outputs = outputs;
  readonly restrictionCoder = offsetRangeCoder;
  readonly isBounded = false;
  initialRestriction(): OffsetRange {
    return { start: 0, end: Number.POSITIVE_INFINITY };
  }
  newTracker(range: OffsetRange): OffsetRangeTracker {
    return new OffsetRangeTracker(range);
  }
  process(
    _impulse: Uint8Array,
    tracker: RestrictionTracker<OffsetRange, number>,
    ctx: SplittableContext<typeof outputs>,
  ): ProcessContinuation {
    const { start } = tracker.restriction;
    for (let i = start; i < start + 3; i++) {
      if (!tracker.tryClaim(i)) return resume();
      ctx.emit.main({ key: `k${i % 5}`, value: i }, i);
      ctx.watermark.set(i);
    }
    return resume(1);
  }
}
registerDoFn(Endless);

/** As Endless, but drained, it does ten more. */
class EndsWithTen extends Endless {
  static override readonly urn: string = "test:stopping:ends_with_ten";
  override truncate(_impulse: Uint8Array, { start }: OffsetRange): OffsetRange {
    return { start, end: start + 10 };
  }
  override process(
    _impulse: Uint8Array,
    tracker: RestrictionTracker<OffsetRange, number>,
    ctx: SplittableContext<typeof outputs>,
  ): ProcessContinuation {
    const { start, end } = tracker.restriction;
    for (let i = start; tracker.tryClaim(i); i++) {
      ctx.emit.main({ key: end === Number.POSITIVE_INFINITY ? "before" : "after", value: i }, i);
      ctx.watermark.set(i);
    }
    return stop();
  }
}
registerDoFn(EndsWithTen);

/** What its bundles wait for before they begin. */
let mayBegin: Promise<void>;
let isBeginning = false;

class BeginsLate extends EndsWithTen {
  static override readonly urn = "test:stopping:begins_late";
  override startBundle(): Promise<void> {
    isBeginning = true;
    return mayBegin;
  }
}
registerDoFn(BeginsLate);

const remember = stateful(
  "test:stopping:remember",
  { state: { sum: valueState(ints) }, timers: { far: eventTimeTimer() } },
  ({ value }: KV<string, number>, { state, timers, emit, timestamp }) => {
    state.sum.write((state.sum.read() ?? 0) + value);
    timers.far.set(timestamp + 1e9);
    emit.main("seen");
  },
  {
    far: ({ state, emit, key }) => {
      emit.main(`${key} expired`);
      state.sum.clear();
    },
  },
);

describe("stopping a run", () => {
  for (const mode of ["keep", "expire"] as const) {
    it(
      mode === "keep" ? "keeps state and timers" : "lets every timer fire first, and leaves nothing",
      async () => {
        const { pipeline, root } = createPipeline();
        const numbers = parDo("Endless", impulse("Impulse", root), new Endless(null)).main;
        const seen = collect(parDo("Remember", numbers, remember).main);
        const run = runDirect(pipeline);
        await until("every key to wait", () =>
          /Endless\/process: input .*\nRemember: input .*event timers 5/.test(run.describe()),
        );
        await run.stop(mode);
        const expired = valuesOf(seen).filter((text) => text.endsWith("expired"));
        assert.ok(seen.length - expired.length >= 6);
        const { eventTimers } = run.status().find(({ name }) => name === "Remember")!;
        if (mode === "keep") {
          assert.deepEqual(expired, []);
          assert.equal(eventTimers, 5);
          // State and timer of a key lie together.
          assert.deepEqual(leftovers(run), ["timed/Remember/sum/far"]);
        } else {
          assert.deepEqual(
            expired.sort(),
            [0, 1, 2, 3, 4].map((i) => `k${i} expired`),
          );
          assert.equal(eventTimers, 0);
          assert.deepEqual(leftovers(run), []);
        }
        await run.stop(mode);
      },
    );
  }

  it("truncates what is read once when it is drained, and reads the rest, bundle by bundle", async () => {
    const { pipeline, root } = createPipeline();
    const seen = collect(parDo("Source", impulse("Impulse", root), new EndsWithTen(null)).main);
    const run = runDirect(pipeline, { bundleSizeMax: 3 });
    await until("something to be read", () => seen.length > 0);
    await run.stop("expire");
    const values = valuesOf(seen);
    assert.deepEqual(
      values.map(({ value }) => value),
      values.map((_, i) => i),
    );
    assert.equal(values.filter(({ key }) => key === "after").length, 10);
  });

  it("truncates once also when the drain begins while a bundle does", async () => {
    let begin!: () => void;
    mayBegin = new Promise((resolve) => {
      begin = resolve;
    });
    const { pipeline, root } = createPipeline();
    const seen = collect(parDo("Source", impulse("Impulse", root), new BeginsLate(null)).main);
    const run = runDirect(pipeline, { bundleSizeMax: 3 });
    await until("a bundle to begin", () => isBeginning);
    const stopped = run.stop("expire");
    begin();
    await stopped;
    assert.equal(valuesOf(seen).length, 10);
  });
});
