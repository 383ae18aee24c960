/** Sources that have nothing to read: what they write to a durable store, and what a restart goes on from. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { type DirectRun, runDirect } from "../../../../beam/runners/direct/direct_runner.js";
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
} from "../../../../beam/sdk/splittable.js";
import { DEFAULT_DURABLE_STORE_OPTIONS, DurableStore } from "../../../../beam/store/durable_store.js";
import { MemoryDirectory } from "../../../fixtures/memory_directory.js";
import { until } from "../../../fixtures/until.js";
import { collect, keyedInts, valuesOf } from "./small_graphs.js";

const outputs = { main: keyedInts };
/** How far the log that is read goes, and how often it was looked at. */
const log = { end: 0, polls: 0 };

class Tail extends SplittableDoFn<Uint8Array, OffsetRange, number, typeof outputs> {
  static readonly urn = "test:idle:tail";
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
    log.polls++;
    const { start } = tracker.restriction;
    for (let i = start; i < log.end; i++) {
      if (!tracker.tryClaim(i)) return resume();
      ctx.emit.main({ key: "k", value: i }, ctx.watermark.current + 1);
    }
    // A caught-up source's watermark goes with the clock.
    ctx.watermark.set(Math.max(0, ctx.watermark.current) + 1);
    return resume(1);
  }
}
registerDoFn(Tail);

async function start(directory: MemoryDirectory) {
  const store = await DurableStore.open(directory, DEFAULT_DURABLE_STORE_OPTIONS);
  const { pipeline, root } = createPipeline();
  const seen = collect(parDo("Tail", impulse("Impulse", root), new Tail(null)).main);
  const run: DirectRun = runDirect(pipeline, { store });
  return { run, seen, store };
}

const bytesOf = ({ files }: MemoryDirectory): number =>
  [...files.values()].reduce((sum, { length }) => sum + length, 0);

async function polls(count: number): Promise<void> {
  const goal = log.polls + count;
  await until(`${count} polls`, () => log.polls >= goal || undefined);
}

describe("a source with nothing to read", function () {
  this.timeout(60_000);

  beforeEach(() => {
    log.end = 0;
    log.polls = 0;
  });

  it("writes nothing for a watermark that moves, and what it reads is committed at once", async () => {
    const directory = new MemoryDirectory();
    const { run, seen, store } = await start(directory);
    await polls(20);
    const before = bytesOf(directory);
    await polls(150);
    assert.ok(bytesOf(directory) - before < 1_000, `${bytesOf(directory) - before} bytes for 150 polls`);
    const idle = bytesOf(directory);
    log.end = 3;
    await until("what was read", () => seen.length === 3 || undefined);
    await until("its commit", () => bytesOf(directory) > idle || undefined);
    // As a crash leaves it.
    const copy = new MemoryDirectory();
    await sleep(20);
    for (const [name, bytes] of directory.files) copy.files.set(name, Buffer.from(bytes));
    await run.stop("keep");
    await store.close();
    const again = await start(copy);
    log.end = 4;
    await until("the next", () => again.seen.length > 0 || undefined);
    await again.run.stop("keep");
    await again.store.close();
    assert.deepEqual(valuesOf(again.seen), [{ key: "k", value: 3 }]);
  });

  it("leaves its watermark behind when it stops", async () => {
    const directory = new MemoryDirectory();
    const first = await start(directory);
    await polls(200);
    await first.run.stop("keep");
    await first.store.close();
    const reached = Math.max(
      ...first.run
        .status()
        .map(({ outputWatermark }) => outputWatermark)
        .filter((w) => w < 1e12),
    );
    assert.ok(reached >= 190, `${reached}`);
    const second = await start(directory);
    await polls(1);
    await second.run.stop("keep");
    await second.store.close();
    const goesOn = second.run.status().find(({ name }) => name.startsWith("Tail/"))!;
    assert.ok(
      second.run.status().some(({ outputWatermark }) => outputWatermark >= reached),
      goesOn.name,
    );
  });
});
