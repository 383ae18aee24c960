/** Splittable DoFns: whatever a runner splits, puts off and resumes, each piece of work is done once. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { slidingWindows } from "../../../beam/model/window_fns.js";
import { create } from "../../../beam/sdk/create.js";
import { impulse, parDo, windowInto } from "../../../beam/sdk/graph.js";
import { type OffsetRange, OffsetRangeTracker } from "../../../beam/sdk/offset_range.js";
import { offsetRangeCoder } from "../../../beam/sdk/offset_range_coder.js";
import { registerDoFn } from "../../../beam/sdk/registry.js";
import {
  type ProcessContinuation,
  type RestrictionTracker,
  resume,
  type SplittableContext,
  SplittableDoFn,
  stop,
} from "../../../beam/sdk/splittable.js";
import { valueState } from "../../../beam/sdk/state.js";
import { eventTimeTimer } from "../../../beam/sdk/timer.js";
import { doFn, ints, stateful, strings } from "../../unit/beam/runners/small_graphs.js";
import type { ConformancePipeline } from "../conformance_pipeline.js";
import type { Keyed } from "./keyed_numbers.js";
import { endlessTicks, TICK_MS, ticks } from "./splittable_sources.js";

const numbersUpTo = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ value: { key: "k", value: i }, timestamp: i * TICK_MS }));

export const readsABoundedSource: ConformancePipeline = {
  feature: "bounded splittable DoFn",
  build(graph) {
    graph.expectElements(ticks(graph, { count: 20, isBounded: true, perCall: 100 }), numbersUpTo(20));
  },
};

export const resumesABoundedSource: ConformancePipeline = {
  feature: "bounded splittable DoFn that puts off what is left, again and again",
  build(graph) {
    const source = ticks(graph, { count: 10, isBounded: true, perCall: 3, pauseMs: 0 });
    graph.expectElements(source, numbersUpTo(10));
  },
};

export const endsAnUnboundedSource: ConformancePipeline = {
  feature: "unbounded splittable DoFn that comes to an end",
  build(graph) {
    graph.expectElements(ticks(graph, { count: 5 }), numbersUpTo(5));
  },
};

const tellTicks = stateful(
  "conformance:dofn:tell_ticks:v1",
  { state: { seen: valueState(ints) }, timers: { end: eventTimeTimer() } },
  ({ value }: Keyed, { state, timers }) => {
    state.seen.write((state.seen.read() ?? 0) + 1);
    // Behind the third tick, before the fourth.
    if (value === 0) timers.end.set(2 * TICK_MS + 1);
  },
  { end: ({ state, emit }) => emit.main(state.seen.read()! >= 3 ? "three ticks" : "too early") },
);

export const movesTheWatermark: ConformancePipeline = {
  feature: "endless splittable DoFn: its watermark fires timers while it runs",
  ends: "cancelled",
  build(graph) {
    graph.expectElements(parDo("TellTicks", endlessTicks(graph), tellTicks).main, [
      { value: "three ticks", timestamp: 2 * TICK_MS + 1 },
    ]);
  },
};

const tellTime = doFn("conformance:dofn:tell_time:v1", ({ value }: Keyed, { emit, clock }) => {
  emit.main(`${value} ${clock.now()}`);
});

export const restsAsLongAsItSays: ConformancePipeline = {
  feature: "a splittable DoFn's delay before it is resumed",
  build(graph) {
    // Long enough for runners that know whole seconds only.
    const pauseMs = Math.max(100, graph.pauseMs);
    graph.expectThat(parDo("TellTime", ticks(graph, { count: 4, pauseMs }), tellTime).main, (elements) => {
      const times = elements.map(({ value }) => value.split(" ").map(Number)).sort(([a], [b]) => a - b);
      assert.equal(times.length, 4);
      for (let i = 1; i < times.length; i++) {
        const restedMs = times[i][1] - times[i - 1][1];
        assert.ok(restedMs >= pauseMs / 2, `it was resumed after ${restedMs} of ${pauseMs} ms`);
      }
    });
  },
};

const outputs = { numbers: ints, parts: strings };
type Outputs = typeof outputs;

interface RangeConfig {
  readonly [name: string]: any;
  /** How many parts the range is split into to begin with. */
  readonly parts: number;
  /** Waited before each number. */
  readonly stepMs: number;
  /** What it does not do, and says nothing of. */
  readonly leaves: number;
}

/** The numbers below its element, and each part that a call of `process` was given, and each that it was left with. */
class CountToElement extends SplittableDoFn<number, OffsetRange, number, Outputs, RangeConfig> {
  static readonly urn = "conformance:dofn:count_to_element:v1";
  readonly outputs = outputs;
  readonly restrictionCoder = offsetRangeCoder;
  readonly isBounded = true;

  async initialRestriction(element: number): Promise<OffsetRange> {
    return { start: 0, end: element };
  }

  override async split(_element: number, { start, end }: OffsetRange): Promise<OffsetRange[]> {
    const { parts } = this.config;
    const bound = (part: number) => start + Math.round(((end - start) * part) / parts);
    return Array.from({ length: parts }, (_, part) => ({ start: bound(part), end: bound(part + 1) }));
  }

  override size(_element: number, { start, end }: OffsetRange): number {
    return end - start;
  }

  newTracker(range: OffsetRange): OffsetRangeTracker {
    return new OffsetRangeTracker(range);
  }

  async process(
    _element: number,
    tracker: RestrictionTracker<OffsetRange, number>,
    ctx: SplittableContext<Outputs>,
  ): Promise<ProcessContinuation> {
    const { stepMs, leaves } = this.config;
    const { start, end } = tracker.restriction;
    let next = start;
    while (next < end - leaves && tracker.tryClaim(next)) {
      if (stepMs > 0) await sleep(stepMs);
      ctx.emit.numbers(next++);
    }
    ctx.emit.parts(`${start}-${next}`);
    return stop();
  }
}
registerDoFn(CountToElement);

const countTo = (config: Partial<RangeConfig>) =>
  new CountToElement({ parts: 1, stepMs: 0, leaves: 0, ...config });
const below = (end: number) => Array.from({ length: end }, (_, i) => i);

export const splitsToBeginWith: ConformancePipeline = {
  feature: "splittable DoFn split by itself into parts to begin with",
  build(graph) {
    const { numbers, parts } = parDo("Count", create("To", graph.root, [20], ints), countTo({ parts: 4 }));
    graph.expectValues(numbers, below(20));
    graph.expectValues(parts, ["0-5", "5-10", "10-15", "15-20"]);
  },
};

export const readsSeveralElements: ConformancePipeline = {
  feature: "splittable DoFn over several elements, with a process that waits",
  build(graph) {
    const { numbers } = parDo("Count", create("To", graph.root, [3, 1, 4], ints), countTo({ stepMs: 1 }));
    graph.expectValues(numbers, [0, 1, 2, 0, 0, 1, 2, 3]);
  },
};

const SLOW_STEP_MS = 300;
const SLOW_STEPS = 12;

export const isSplitByTheRunner: ConformancePipeline = {
  feature: "splittable DoFn split by the runner while it works; each piece done once",
  build(graph) {
    const to = create("To", graph.root, [SLOW_STEPS], ints);
    const { numbers, parts } = parDo("Count", to, countTo({ stepMs: SLOW_STEP_MS }));
    graph.expectValues(numbers, below(SLOW_STEPS));
    graph.expectThat(parts, (elements) => {
      const ranges = elements.map(({ value }) => value.split("-").map(Number)).sort(([a], [b]) => a - b);
      assert.ok(ranges.length > 1, "the runner split nothing");
      let next = 0;
      for (const [start, end] of ranges) {
        assert.equal(start, next);
        next = end;
      }
      assert.equal(next, SLOW_STEPS);
    });
  },
};

export const isCutIntoSmallBundles: ConformancePipeline = {
  feature: "a long splittable DoFn does not keep back what is behind it",
  ends: "cancelled",
  build(graph) {
    // It claims for ever: only who cuts it sees anything.
    const source = endlessTicks(graph, { perCall: Number.MAX_SAFE_INTEGER, pauseMs: 0 });
    graph.expectThat(parDo("OnlyThree", source, onlyThree).main, (elements) => {
      assert.deepEqual(elements.map(({ value }) => value).sort(), ["0", "1", "2"]);
    });
  },
};

const onlyThree = doFn("conformance:dofn:only_three:v1", ({ value }: Keyed, { emit }) => {
  if (value < 3) emit.main(String(value));
});

export const refusesWorkLeftUndone: ConformancePipeline = {
  feature: "a splittable DoFn that leaves work undone and does not say so fails the job",
  ends: "failing",
  failsWith: /left \[18, 20\)/,
  build(graph) {
    parDo("Count", create("To", graph.root, [20], ints), countTo({ leaves: 2 }));
  },
};

export const readsInSeveralWindows: ConformancePipeline = {
  feature: "splittable DoFn over an element in several windows",
  build(graph) {
    const to = create("To", graph.root, [2], ints, [7]);
    const windowed = windowInto("Window", to, { windowFn: slidingWindows(10, 5) });
    graph.expectElements(parDo("Count", windowed, countTo({})).numbers, [
      { value: 0, window: "[0, 10)" },
      { value: 1, window: "[0, 10)" },
      { value: 0, window: "[5, 15)" },
      { value: 1, window: "[5, 15)" },
    ]);
  },
};

const waitForTheEnd = stateful(
  "conformance:dofn:wait_for_the_end:v1",
  { state: {}, timers: { end: eventTimeTimer() } },
  ({ value }: Keyed, { timers, emit }) => {
    if (value !== 0) return;
    emit.main("begun");
    timers.end.set(1e12);
  },
  { end: ({ emit }) => emit.main("expired") },
);

export const drains: ConformancePipeline = {
  feature: "drain: an endless source ends, and timers of the future fire",
  ends: "drained",
  build(graph) {
    graph.expectValues(parDo("WaitForTheEnd", endlessTicks(graph), waitForTheEnd).main, ["begun", "expired"]);
  },
};

/** Numbers for ever; drained, it does three more and no other. */
class EndsWithThreeMore extends SplittableDoFn<
  Uint8Array,
  OffsetRange,
  number,
  { readonly main: typeof strings },
  { readonly pauseMs: number }
> {
  static readonly urn = "conformance:dofn:ends_with_three_more:v1";
  readonly outputs = { main: strings };
  readonly restrictionCoder = offsetRangeCoder;
  readonly isBounded = false;

  initialRestriction(): OffsetRange {
    return { start: 0, end: Number.POSITIVE_INFINITY };
  }

  newTracker(range: OffsetRange): OffsetRangeTracker {
    return new OffsetRangeTracker(range);
  }

  override truncate(_element: Uint8Array, { start }: OffsetRange): OffsetRange {
    return { start, end: start + 3 };
  }

  process(
    _impulse: Uint8Array,
    tracker: RestrictionTracker<OffsetRange, number>,
    ctx: SplittableContext<{ readonly main: typeof strings }>,
  ): ProcessContinuation {
    const { start, end } = tracker.restriction;
    if (end !== Number.POSITIVE_INFINITY) {
      for (let i = start; tracker.tryClaim(i); i++) ctx.emit.main(`one of the last ${end - start}`);
      return stop();
    }
    if (!tracker.tryClaim(start)) return stop();
    if (start === 0) ctx.emit.main("first");
    return resume(this.config.pauseMs);
  }
}
registerDoFn(EndsWithThreeMore);

export const truncatesWhenDrained: ConformancePipeline = {
  feature: "drain: a splittable DoFn says what is still to be done (truncate)",
  ends: "drained",
  build(graph) {
    graph.lasts(Number.POSITIVE_INFINITY);
    const source = new EndsWithThreeMore({ pauseMs: graph.pauseMs });
    const last = "one of the last 3";
    graph.expectValues(parDo("Source", impulse("Impulse", graph.root), source).main, [
      "first",
      last,
      last,
      last,
    ]);
  },
};
