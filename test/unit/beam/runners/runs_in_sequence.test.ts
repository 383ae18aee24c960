/**
 * Runs of one pipeline on one state, bounded or not, ended in each way, in any sequence: the source reads a log that
 * grows, every record once, and what waits goes on waiting or is expired, as the run was told.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { KV } from "../../../../beam/model/kv.js";
import { runDirect } from "../../../../beam/runners/direct/direct_runner.js";
import { createPipeline, impulse, parDo } from "../../../../beam/sdk/graph.js";
import { type OffsetRange, OffsetRangeTracker, openRange } from "../../../../beam/sdk/offset_range.js";
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
import { DurableStore } from "../../../../beam/store/durable_store.js";
import { MemoryDirectory } from "../../../fixtures/memory_directory.js";
import { until } from "../../../fixtures/until.js";
import { collect, ints, keyedInts, stateful, valuesOf } from "./small_graphs.js";

const outputs = { main: keyedInts };
/** Event times of the records of two partitions. */
let logs: number[][];

class ReadLog extends SplittableDoFn<
  Uint8Array,
  OffsetRange,
  number,
  typeof outputs,
  { partition: number; isBounded: boolean }
> {
  static readonly urn = "test:sequence:read_log";
  readonly outputs = outputs;
  readonly restrictionCoder = offsetRangeCoder;
  readonly isBounded = this.config.isBounded;
  get #log(): number[] {
    return logs[this.config.partition]!;
  }
  initialRestriction(): OffsetRange | Promise<OffsetRange> {
    return this.resumed(new Uint8Array(), openRange(0));
  }
  override resumed(_impulse: Uint8Array, { start }: OffsetRange): OffsetRange | Promise<OffsetRange> {
    return this.isBounded ? Promise.resolve({ start, end: this.#log.length }) : openRange(start);
  }
  override truncate(): undefined {
    return undefined;
  }
  override remainder(_impulse: Uint8Array, { start, end }: OffsetRange, isDone: boolean): OffsetRange {
    return openRange(isDone ? end : start);
  }
  newTracker(range: OffsetRange): OffsetRangeTracker {
    return new OffsetRangeTracker(range);
  }
  process(
    _impulse: Uint8Array,
    tracker: RestrictionTracker<OffsetRange, number>,
    ctx: SplittableContext<typeof outputs>,
  ): ProcessContinuation {
    const { start, end } = tracker.restriction;
    const until = Math.min(end, this.#log.length);
    for (let i = start; i < until; i++) {
      if (!tracker.tryClaim(i)) return resume();
      const time = this.#log[i]!;
      ctx.emit.main({ key: `${this.config.partition}/${i}`, value: time }, time);
      ctx.watermark.set(time);
    }
    return until === end ? stop() : resume(1);
  }
}
registerDoFn(ReadLog);

const WAIT = 10;
/** Each record waits for WAIT of event time. */
const wait = stateful(
  "test:sequence:wait",
  { state: { time: valueState(ints) }, timers: { end: eventTimeTimer() } },
  ({ value }: KV<string, number>, { state, timers }) => {
    state.time.write(value);
    timers.end.set(value + WAIT);
  },
  {
    end: ({ state, emit, key }) => {
      state.time.clear();
      emit.main(key);
    },
  },
);

interface RunOfSequence {
  readonly isBounded: boolean;
  readonly drain: "keep" | "expire";
  /** What is written before it: time that passes, by partition. */
  readonly more: readonly [number[], number[]];
}

const sequence = fc.array(
  fc.record({
    isBounded: fc.boolean(),
    drain: fc.constantFrom<"keep" | "expire">("keep", "expire"),
    more: fc.tuple(
      fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 6 }),
    ),
  }),
  { minLength: 1, maxLength: 6 },
);

/** Returns what expired, by partition. */
async function runOnce(
  directory: MemoryDirectory,
  { isBounded, drain }: RunOfSequence,
  bundleSizeMax: number,
): Promise<string[][]> {
  const store = await DurableStore.open(directory);
  try {
    const { pipeline, root } = createPipeline();
    const begin = impulse("Impulse", root);
    const expired = [0, 1].map((partition) => {
      const records = parDo(`Read${partition}`, begin, new ReadLog({ partition, isBounded })).main;
      return collect(parDo(`Wait${partition}`, records, wait).main);
    });
    const run = runDirect(pipeline, { store, bundleSizeMax, atEnd: drain });
    if (isBounded) {
      await run.finished;
    } else {
      const isRead = (i: number): boolean =>
        run.status().find(({ name }) => name === `Wait${i}`)!.inputWatermark >= logs[i]!.at(-1)!;
      await until("all to be read", () => isRead(0) && isRead(1));
      await run.stop(drain);
    }
    return expired.map(valuesOf);
  } finally {
    await store.close();
  }
}

describe("runs in sequence on one state", () => {
  it("read each record once, and keep or expire what waits as they are told", async function () {
    this.timeout(60_000);
    await fc.assert(
      fc.asyncProperty(sequence, fc.constantFrom(1, 3, 100), async (runs, bundleSizeMax) => {
        logs = [[], []];
        const expired = logs.map((): string[] => []);
        const directory = new MemoryDirectory();
        for (const run of runs) {
          logs.forEach((log, i) => {
            for (const step of run.more[i]!) log.push((log.at(-1) ?? 1_000) + step);
          });
          const now = await runOnce(directory, run, bundleSizeMax);
          logs.forEach((log, i) => {
            const before = expired[i]!.length;
            expired[i]!.push(...now[i]!);
            const isOver = (time: number) => run.drain === "expire" || time + WAIT <= log.at(-1)!;
            const over = log
              .map((time, offset) => [`${i}/${offset}`, time] as const)
              .filter(([, time]) => isOver(time));
            const expected = over.length > before ? over.map(([key]) => key) : expired[i]!.slice(0, before);
            assert.deepEqual([...expired[i]!].sort(), [...expected].sort());
          });
        }
      }),
      { numRuns: 60 },
    );
  });
});
