/**
 * The last quarter of an hour of a run: a sample each second, from which rates, shares and quantiles are differences.
 * It holds a bounded number of numbers, whatever the run.
 */
import { missingOf, type Tally } from "../schemas/figures.js";
import { gapMs } from "./metrics.js";
import { type Latency, lagOf, type Observation, sumOf } from "./observation.js";

/** What the charts show, of one second. Rates are per second. */
export interface Point {
  readonly atMs: number;
  readonly orders: number;
  readonly payments: number;
  readonly joined: number;
  readonly unmatched: number;
  readonly duplicates: number;
  readonly late: number;
  /** Without the late ones. */
  readonly dead_letters: number;
  readonly pending: number;
  /** Behind the clock; null: not known. */
  readonly gapMs: number | null;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  /** Records that have not been read yet. */
  readonly lag: number | null;
}

/** What the last minute, or the time since the start, says. */
export interface Recent {
  readonly overMs: number;
  readonly ordersPerSecond: number;
  readonly paymentsPerSecond: number;
  readonly joinedPerSecond: number;
  readonly read: number;
  readonly dead_letters: Readonly<Record<string, number>>;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  /** By name of the stage; shares of time from 0 to 1. */
  readonly stages: Readonly<Record<string, StageShare>>;
  /** Share of the time in which a commit was being written. */
  readonly committing: number;
  /** The stage that all others wait for, where some have to wait. */
  readonly bottleneck: string | undefined;
  /** Since when the books have been out of balance by the same number, and by how much; undefined: they balance. */
  readonly imbalance: { readonly forMs: number; readonly events: number } | undefined;
}

export interface StageShare {
  readonly busy: number;
  readonly flushing: number;
  readonly blocked: number;
  readonly elementsPerSecond: number;
}

export const POINTS_MAX = 900;
/** What "now" means for rates and shares: long enough to be steady, short enough to show what has just begun. */
const RECENT_MS = 10_000;
/** Dead letters and latency are looked at over a minute. */
const MINUTE_MS = 60_000;
/** A part of the time that a stage has to wait from which on something is said to hold it up. */
const BLOCKED_MIN = 0.1;
/** Records, or elements, that wait. */
const BACKLOG_MIN = 1_000;
const NONE_MISSING = "0,0";

/** Of an observation, what differences are made of. */
interface Sample {
  readonly atMs: number;
  readonly total: Tally;
  readonly latency: Latency;
  readonly commitMs: number;
  readonly stages: readonly {
    readonly name: string;
    readonly busyMs: number;
    readonly flushingMs: number;
    readonly blockedMs: number;
    readonly elementsIn: number;
  }[];
}

export class History {
  readonly points: Point[] = [];
  readonly #samples: Sample[] = [];
  #wasStarting = false;
  #missing = NONE_MISSING;
  #missingSinceMs = 0;

  /** Takes a sample, and says what the time before it was like. */
  add(observation: Observation): Recent {
    const { atMs, total, latency, stages } = observation;
    const sample: Sample = {
      atMs,
      total,
      latency,
      commitMs: (observation.commits?.durationMs ?? 0) + (observation.commits?.openMs ?? 0),
      stages: stages.map(({ name, busyMs, flushingMs, blockedMs, elementsIn }) => ({
        name,
        busyMs,
        flushingMs,
        blockedMs,
        elementsIn,
      })),
    };
    // What the state has kept of earlier runs is there from one moment to the next.
    if (this.#wasStarting) this.#samples.length = 0;
    this.#wasStarting = observation.phase === "starting";
    const before = this.#samples.at(-1);
    this.#samples.push(sample);
    while (this.#samples.length > 2 && atMs - this.#samples[1]!.atMs >= MINUTE_MS) this.#samples.shift();
    const recent = this.#recent(sample, observation);
    if (before !== undefined && before.stages.length === sample.stages.length)
      this.#addPoint(before, sample, observation, recent);
    return recent;
  }

  #addPoint(before: Sample, now: Sample, observation: Observation, recent: Recent): void {
    const seconds = Math.max(0.001, (now.atMs - before.atMs) / 1000);
    const rate = (of: (tally: Tally) => number): number =>
      Math.max(0, Math.round(((of(now.total) - of(before.total)) / seconds) * 10) / 10);
    const { orders, payments } = now.total;
    const lags = observation.partitions.map(lagOf);
    this.points.push({
      atMs: now.atMs,
      orders: rate((tally) => tally.orders.read),
      payments: rate((tally) => tally.payments.read),
      joined: rate((tally) => tally.joined),
      unmatched: rate((tally) => tally.unmatched),
      duplicates: rate((tally) => tally.orders.duplicates + tally.payments.duplicates),
      late: rate((tally) => tally.dead_letters.LATE ?? 0),
      dead_letters: rate((tally) => sumOf(tally.dead_letters) - (tally.dead_letters.LATE ?? 0)),
      pending: orders.pending + payments.pending,
      gapMs: gapMs(observation.joinWatermarkMs, now.atMs) ?? null,
      p50Ms: recent.p50Ms,
      p99Ms: recent.p99Ms,
      lag: lags.includes(undefined) ? null : lags.reduce((sum: number, lag) => sum + lag!, 0),
    });
    if (this.points.length > POINTS_MAX) this.points.shift();
  }

  #recent(now: Sample, observation: Observation): Recent {
    const short = this.#since(now.atMs - RECENT_MS);
    const long = this.#samples[0]!;
    const shortMs = Math.max(1, now.atMs - short.atMs);
    const perSecond = (of: (tally: Tally) => number): number =>
      Math.max(0, ((of(now.total) - of(short.total)) * 1000) / shortMs);
    const read = (tally: Tally): number => tally.orders.read + tally.payments.read;
    const counts = now.latency.counts.map((count, index) => count - (long.latency.counts[index] ?? 0));
    const { boundsMs } = now.latency;
    const stages = sharesBetween(short, now, shortMs);
    return {
      overMs: now.atMs - long.atMs,
      ordersPerSecond: perSecond((tally) => tally.orders.read),
      paymentsPerSecond: perSecond((tally) => tally.payments.read),
      joinedPerSecond: perSecond((tally) => tally.joined),
      read: read(now.total) - read(long.total),
      dead_letters: growth(long.total.dead_letters, now.total.dead_letters),
      p50Ms: quantile(counts, boundsMs, 0.5),
      p99Ms: quantile(counts, boundsMs, 0.99),
      stages,
      committing: Math.min(1, Math.max(0, (now.commitMs - short.commitMs) / shortMs)),
      bottleneck: bottleneckOf(observation, stages),
      imbalance: this.#imbalance(observation),
    };
  }

  /** The oldest sample that is not older. */
  #since(atMs: number): Sample {
    return this.#samples.find((sample) => sample.atMs >= atMs) ?? this.#samples.at(-1)!;
  }

  /** What is in flight changes from look to look; what is lost does not. */
  #imbalance({ total, atMs, tellsFigures, runner }: Observation): Recent["imbalance"] {
    const missing = [missingOf(total.orders), missingOf(total.payments)];
    const text = missing.join();
    if (text !== this.#missing) {
      this.#missing = text;
      this.#missingSinceMs = atMs;
    }
    if (text === NONE_MISSING || !tellsFigures || runner !== "direct") return undefined;
    return { forMs: atMs - this.#missingSinceMs, events: missing[0]! + missing[1]! };
  }
}

function sharesBetween(before: Sample, now: Sample, overMs: number): Record<string, StageShare> {
  const shares: Record<string, StageShare> = {};
  for (const stage of now.stages) {
    const was = before.stages.find(({ name }) => name === stage.name);
    const share = (name: "busyMs" | "flushingMs" | "blockedMs"): number =>
      Math.min(1, Math.max(0, (stage[name] - (was?.[name] ?? 0)) / overMs));
    shares[stage.name] = {
      busy: share("busyMs"),
      flushing: share("flushingMs"),
      blocked: share("blockedMs"),
      elementsPerSecond: Math.max(0, ((stage.elementsIn - (was?.elementsIn ?? 0)) * 1000) / overMs),
    };
  }
  return shares;
}

/** Where something has to wait: of those that do not, the one that is busiest, with itself or with a database. */
function bottleneckOf(
  { stages, partitions }: Observation,
  shares: Readonly<Record<string, StageShare>>,
): string | undefined {
  const isHeld = stages.some(({ name }) => (shares[name]?.blocked ?? 0) > BLOCKED_MIN);
  const notRead = partitions.reduce((sum, partition) => sum + (lagOf(partition) ?? 0), 0);
  const hasBacklog = notRead >= BACKLOG_MIN || stages.some(({ pending }) => pending >= BACKLOG_MIN);
  // Small turns wait for one another all the time, and nothing comes later for it.
  if (!isHeld || !hasBacklog) return undefined;
  let bottleneck: string | undefined;
  let most = 0;
  for (const { name } of stages) {
    const { busy = 0, flushing = 0, blocked = 0 } = shares[name] ?? {};
    const load = blocked > 0.5 ? 0 : Math.max(busy, flushing);
    if (load > most) {
      most = load;
      bottleneck = name;
    }
  }
  return bottleneck;
}

function growth(
  before: Readonly<Partial<Record<string, number>>>,
  now: Readonly<Partial<Record<string, number>>>,
): Record<string, number> {
  const grown: Record<string, number> = {};
  for (const [name, count = 0] of Object.entries(now)) {
    const more = count - (before[name] ?? 0);
    if (more > 0) grown[name] = more;
  }
  return grown;
}

/** Within the bucket that it lies in, as if what is in there were spread evenly. Null: nothing was measured. */
export function quantile(
  counts: readonly number[],
  boundsMs: readonly number[],
  share: number,
): number | null {
  const all = counts.reduce((sum, count) => sum + count, 0);
  if (all <= 0) return null;
  let left = share * all;
  for (const [index, count] of counts.entries()) {
    if (left > count || count === 0) {
      left -= count;
      continue;
    }
    const from = boundsMs[index - 1] ?? 0;
    const to = boundsMs[index] ?? from;
    return from + ((to - from) * left) / count;
  }
  return boundsMs.at(-1) ?? null;
}
