/** Sources for pipelines that need one of a certain behaviour: bounded or not, ending or not, in small steps or not. */
import { MIN_TIMESTAMP, type TimestampMs } from "../../../beam/model/timestamps.js";
import { type Collection, impulse, parDo } from "../../../beam/sdk/graph.js";
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
import { keyedInts } from "../../unit/beam/runners/small_graphs.js";
import type { GraphUnderTest } from "../conformance_pipeline.js";
import { appendLines } from "../recorded_elements.js";
import { type Keyed, S } from "./keyed_numbers.js";

export const TICK_MS = 10 * S;
const outputs = { main: keyedInts };
type Outputs = typeof outputs;

export interface TicksConfig {
  readonly [name: string]: any;
  /** How many there are; null: no end. */
  readonly count: number | null;
  readonly isBounded: boolean;
  /** How many one call of `process` claims, and how long it then rests. */
  readonly perCall: number;
  readonly pauseMs: number;
  /** Where to tell of each bundle that was committed. */
  readonly finalizedFile?: string;
}

/** The numbers from 0 on under the key "k", each `TICK_MS` of event time after the one before; the watermark follows. */
export class Ticks extends SplittableDoFn<Uint8Array, OffsetRange, number, Outputs, TicksConfig> {
  static readonly urn = "conformance:dofn:ticks:v1";
  readonly outputs = outputs;
  readonly restrictionCoder = offsetRangeCoder;
  readonly isBounded = this.config.isBounded;
  override readonly requestsFinalization = this.config.finalizedFile !== undefined;

  initialRestriction(): OffsetRange {
    return { start: 0, end: this.config.count ?? Number.POSITIVE_INFINITY };
  }

  override initialWatermark(): TimestampMs {
    return MIN_TIMESTAMP;
  }

  newTracker(range: OffsetRange): OffsetRangeTracker {
    return new OffsetRangeTracker(range);
  }

  process(
    _impulse: Uint8Array,
    tracker: RestrictionTracker<OffsetRange, number>,
    ctx: SplittableContext<Outputs>,
  ): ProcessContinuation {
    const { finalizedFile, perCall, pauseMs } = this.config;
    if (finalizedFile !== undefined) ctx.onFinalize(() => appendLines(finalizedFile, ["finalized"]));
    const { start } = tracker.restriction;
    for (let i = start; i < start + perCall; i++) {
      if (!tracker.tryClaim(i)) return stop();
      ctx.emit.main({ key: "k", value: i }, i * TICK_MS);
      ctx.watermark.set(i * TICK_MS);
    }
    return resume(pauseMs);
  }
}
registerDoFn(Ticks);

export function ticks(graph: GraphUnderTest, config: Partial<TicksConfig>): Collection<Keyed> {
  const whole = { count: 10, isBounded: false, perCall: 1, pauseMs: graph.pauseMs, ...config };
  graph.lasts(
    whole.count === null ? Number.POSITIVE_INFINITY : (whole.count / whole.perCall) * whole.pauseMs,
  );
  return parDo("Ticks", impulse("Impulse", graph.root), new Ticks(whole)).main;
}

/** A stream that never ends, one tick at a time. */
export function endlessTicks(graph: GraphUnderTest, config: Partial<TicksConfig> = {}): Collection<Keyed> {
  return ticks(graph, { ...config, count: null });
}
