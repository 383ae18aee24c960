/**
 * What waits does not grow with what has come, also where each commit takes its time: as each element sets a timer, as
 * many must fire. A source that is never out of elements, T of 4,000 of them, and sinks with stable input.
 */
import assert from "node:assert/strict";
import { KVCoder } from "../../../../beam/model/coders/kv_coder.js";
import { VarintCoder } from "../../../../beam/model/coders/varint_coder.js";
import type { KV } from "../../../../beam/model/kv.js";
import { runDirect } from "../../../../beam/runners/direct/direct_runner.js";
import { DoFn, type StatefulContext, StatefulDoFn, type TimerContext } from "../../../../beam/sdk/do_fn.js";
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
import { MemoryStore } from "../../../../beam/store/memory_store.js";

const ELEMENTS = 60_000;
const WAITING = 4_000;
const COMMIT_MS = 8;

const ints = VarintCoder.INSTANCE;
const numbers = { main: new KVCoder(ints, ints) };

class Count extends SplittableDoFn<Uint8Array, OffsetRange, number, typeof numbers> {
  static readonly urn = "test:expiry_keeps_pace:count";
  readonly outputs = numbers;
  readonly restrictionCoder = offsetRangeCoder;
  readonly isBounded = true;

  initialRestriction(): OffsetRange {
    return { start: 0, end: ELEMENTS };
  }

  newTracker(range: OffsetRange): OffsetRangeTracker {
    return new OffsetRangeTracker(range);
  }

  process(
    _element: Uint8Array,
    tracker: RestrictionTracker<OffsetRange, number>,
    ctx: SplittableContext<typeof numbers>,
  ): ProcessContinuation {
    for (let at = tracker.restriction.start; ; at++) {
      if (at >= ELEMENTS) return stop();
      if (!tracker.tryClaim(at)) return resume();
      ctx.emit.main({ key: at, value: at }, at);
      ctx.watermark.set(at);
    }
  }
}
registerDoFn(Count);

const cells = { value: valueState(ints) };
const timers = { end: eventTimeTimer() };

class Wait extends StatefulDoFn<number, number, { main: typeof ints }, typeof cells, typeof timers> {
  static readonly urn = "test:expiry_keeps_pace:wait";
  readonly outputs = { main: ints };
  readonly state = cells;
  readonly timers = timers;
  readonly onTimer = {
    end: (ctx: TimerContext<number, { main: typeof ints }, typeof cells, typeof timers>) => {
      ctx.emit.main(ctx.state.value.read()!);
      ctx.state.value.clear();
    },
  };

  process(
    { value }: KV<number, number>,
    ctx: StatefulContext<{ main: typeof ints }, typeof cells, typeof timers>,
  ): void {
    ctx.state.value.write(value);
    ctx.timers.end.set(ctx.timestamp + WAITING);
  }
}
registerDoFn(Wait);

class Sink extends DoFn<number, Record<never, never>> {
  static readonly urn = "test:expiry_keeps_pace:sink";
  readonly outputs = {};
  override readonly needsStableInput = true;
  static taken = 0;

  process(): void {
    Sink.taken++;
  }
}
registerDoFn(Sink);

/** Keeps nothing, and takes as long as a disk. */
class SlowStore extends MemoryStore {
  override readonly isDurable = true as never;
  waitingMax = 0;

  override async commit(): Promise<void> {
    for (const [name, size] of this.sizes()) {
      if (name.startsWith("timed/")) this.waitingMax = Math.max(this.waitingMax, size);
    }
    await new Promise((resolve) => setTimeout(resolve, COMMIT_MS));
  }
}

describe("expiry on a durable store", () => {
  it("keeps pace with what comes", async () => {
    const store = new SlowStore();
    const { pipeline, root } = createPipeline();
    const counted = parDo("Count", impulse("Impulse", root), new Count(null));
    const waited = parDo("Wait", counted.main, new Wait(null));
    parDo("Sink", waited.main, new Sink(null));
    await runDirect(pipeline, { store }).finished;
    assert.equal(Sink.taken, ELEMENTS);
    assert.ok(store.waitingMax < 3 * WAITING, `${store.waitingMax} waited at once`);
  });
});
