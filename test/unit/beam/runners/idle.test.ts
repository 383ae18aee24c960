/** Sources that have nothing to read: what they write to a durable store, and what a restart goes on from. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { RESTRICTIONS_TABLE } from "../../../../beam/engine/progress.js";
import { type DirectRun, runDirect } from "../../../../beam/runners/direct/direct_runner.js";
import { createPipeline, impulse, parDo } from "../../../../beam/sdk/graph.js";
import { counter } from "../../../../beam/sdk/metrics.js";
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
/** How far the log that is read goes, how often it was looked at, of that by `process`, and who is to be told of news. */
const log = { end: 0, polls: 0, processed: 0, wake: undefined as (() => void) | undefined };

/** A watermark that moves on by one with each look. */
class Tail extends SplittableDoFn<Uint8Array, OffsetRange, number, typeof outputs, { isAsked: boolean }> {
  static readonly urn = "test:idle:tail";
  readonly outputs = outputs;
  readonly restrictionCoder = offsetRangeCoder;
  readonly isBounded = false;
  override readonly metrics = { read: counter() };
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
    log.processed++;
    const { start } = tracker.restriction;
    for (let i = start; i < log.end; i++) {
      if (!tracker.tryClaim(i)) return resume();
      this.metrics.read.inc();
      ctx.emit.main({ key: "k", value: i }, ctx.watermark.current + 1);
    }
    // A caught-up source's watermark goes with the clock.
    let watermark = Math.max(0, ctx.watermark.current) + 1;
    ctx.watermark.set(watermark);
    if (!this.config.isAsked) return resume(1);
    const onReady = (wake: () => void): (() => void) => {
      log.wake = wake;
      return () => {
        log.wake = undefined;
      };
    };
    return resume(1, onReady, () => {
      log.polls++;
      return ++watermark;
    });
  }
}
registerDoFn(Tail);

/** More is in the log. */
function write(end: number): void {
  log.end = end;
  log.wake?.();
}

async function start(directory: MemoryDirectory, isAsked: boolean) {
  const store = await DurableStore.open(directory, DEFAULT_DURABLE_STORE_OPTIONS);
  const { pipeline, root } = createPipeline();
  const seen = collect(parDo("Tail", impulse("Impulse", root), new Tail({ isAsked })).main);
  const run: DirectRun = runDirect(pipeline, { store });
  return { run, seen, store };
}

const bytesOf = ({ files }: MemoryDirectory): number =>
  [...files.values()].reduce((sum, { length }) => sum + length, 0);

async function polls(count: number): Promise<void> {
  const goal = log.polls + count;
  await until(`${count} polls`, () => log.polls >= goal || undefined);
}

for (const isAsked of [false, true]) {
  describe(`a source with nothing to read, ${isAsked ? "asked how far event time has come" : "processed"}`, function () {
    this.timeout(60_000);

    beforeEach(() => {
      Object.assign(log, { end: 0, polls: 0, processed: 0, wake: undefined });
    });

    it("writes nothing for a watermark that moves, and what it reads is committed at once", async () => {
      const directory = new MemoryDirectory();
      const { run, seen, store } = await start(directory, isAsked);
      await polls(20);
      const before = bytesOf(directory);
      await polls(150);
      assert.ok(bytesOf(directory) - before < 1_000, `${bytesOf(directory) - before} bytes for 150 polls`);
      const idle = bytesOf(directory);
      write(3);
      await until("what was read", () => seen.length === 3 || undefined);
      await until("its commit", () => bytesOf(directory) > idle || undefined);
      // As a crash leaves it.
      const copy = new MemoryDirectory();
      await sleep(20);
      for (const [name, bytes] of directory.files) copy.files.set(name, Buffer.from(bytes));
      await run.stop("keep");
      await store.close();
      const again = await start(copy, isAsked);
      write(4);
      await until("the next", () => again.seen.length > 0 || undefined);
      await again.run.stop("keep");
      await again.store.close();
      assert.deepEqual(valuesOf(again.seen), [{ key: "k", value: 3 }]);
    });

    it("leaves its watermark behind when it stops", async () => {
      const directory = new MemoryDirectory();
      const first = await start(directory, isAsked);
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
      const second = await start(directory, isAsked);
      await polls(1);
      await second.run.stop("keep");
      await second.store.close();
      const goesOn = second.run.status().find(({ name }) => name.startsWith("Tail/"))!;
      assert.ok(
        second.run.status().some(({ outputWatermark }) => outputWatermark >= reached),
        goesOn.name,
      );
    });

    it("is one restriction of the store, however often it has read something", async () => {
      const directory = new MemoryDirectory();
      const { run, seen, store } = await start(directory, isAsked);
      for (let end = 1; end <= 5; end++) {
        const { lastCommit } = store;
        write(end);
        await until(`record ${end}`, () => seen.length === end || undefined);
        await until("its commit", () => store.lastCommit > lastCommit || undefined);
        await polls(20);
      }
      assert.equal(store.sizes().get(RESTRICTIONS_TABLE), 1);
      if (isAsked) assert.ok(log.processed <= 20, `${log.processed} calls of process`);
      await run.stop("keep");
      await store.close();
    });
  });
}
