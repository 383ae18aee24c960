/** What the page shows, each second: an observation made smaller, with what the last minute says. */
import { missingOf } from "../schemas/figures.js";
import type { History, Point, Recent } from "./history.js";
import { gapMs } from "./metrics.js";
import { lagOf, type Observation } from "./observation.js";
import { nameOf, type State, shortName, slowestPartition, stateOf } from "./state_sentence.js";

/** More are not sent each second: those that are furthest behind are. */
const PARTITIONS_MAX = 100;
/** Less is no difference: they are looked at one after the other. */
const APART_MIN_MS = 1_000;
const EXPIRY_BARS = 30;
const CHECKPOINTS_MAX = 10;

export interface View {
  readonly atMs: number;
  readonly startedAtMs: number;
  readonly runner: string;
  readonly phase: Observation["phase"];
  readonly tellsFigures: boolean;
  readonly state: State;
  readonly run: Observation["run"];
  readonly total: Observation["total"];
  readonly inFlight: { readonly orders: number; readonly payments: number };
  readonly recent: Recent;
  readonly expiryBehindMs: number | null;
  readonly gapMs: number | null;
  readonly stages: readonly StageView[];
  readonly partitions: readonly PartitionView[];
  readonly partitionCount: number;
  /** Equal spans of event time from where the join is; the first has what is due, the last all that is later. */
  readonly expiries: { readonly spanMs: number; readonly counts: readonly number[] };
  readonly latency: Observation["latency"];
  readonly deadLetterReasons: readonly string[];
  readonly commits: Observation["commits"] | null;
  readonly stateBytes: number | null;
  readonly checkpoints: Observation["checkpoints"] | null;
  readonly servers: Observation["servers"];
  /** The newest of the history. */
  readonly point: Point | null;
}

export interface StageView {
  readonly name: string;
  readonly title: string;
  readonly steps: readonly string[];
  readonly upstream: readonly string[];
  readonly elementsPerSecond: number;
  readonly pending: number;
  readonly timers: number;
  readonly gapMs: number | null;
  readonly busy: number;
  readonly flushing: number;
  readonly blocked: number;
  readonly isBottleneck: boolean;
  readonly isAhead: boolean;
}

export interface PartitionView {
  readonly name: string;
  readonly topic: string;
  readonly partition: number;
  readonly position: number;
  readonly end: number | null;
  readonly lag: number | null;
  readonly gapMs: number | null;
  readonly isSlowest: boolean;
  /** In a word or a sentence. */
  readonly state: string;
}

export function viewOf(observation: Observation, recent: Recent, history: History): View {
  const { atMs, total, joinWatermarkMs, outOfOrdernessMs, checkpoints } = observation;
  const gap = gapMs(joinWatermarkMs, atMs);
  return {
    atMs,
    startedAtMs: observation.startedAtMs,
    runner: observation.runner,
    phase: observation.phase,
    tellsFigures: observation.tellsFigures,
    state: stateOf(observation, recent),
    run: observation.run,
    total,
    inFlight: { orders: missingOf(total.orders), payments: missingOf(total.payments) },
    recent,
    gapMs: gap ?? null,
    expiryBehindMs: gap === undefined ? null : Math.max(0, gap - outOfOrdernessMs),
    stages: stageViews(observation, recent),
    partitions: partitionViews(observation),
    partitionCount: observation.partitions.length,
    expiries: expiryBars(observation),
    latency: observation.latency,
    deadLetterReasons: observation.deadLetterReasons,
    commits: observation.commits ?? null,
    stateBytes: observation.stateBytes ?? null,
    checkpoints: checkpoints?.slice(-CHECKPOINTS_MAX) ?? null,
    servers: observation.servers,
    point: history.points.at(-1) ?? null,
  };
}

function stageViews({ stages, atMs }: Observation, recent: Recent): StageView[] {
  return stages.map((stage) => {
    const { busy = 0, flushing = 0, blocked = 0, elementsPerSecond = 0 } = recent.stages[stage.name] ?? {};
    const { name, steps, upstream, pending, eventTimers, processingTimers, inputWatermark, isAhead } = stage;
    return {
      name,
      title: shortName(stage),
      steps,
      upstream,
      elementsPerSecond,
      pending,
      timers: eventTimers + processingTimers,
      gapMs: gapMs(inputWatermark, atMs) ?? null,
      busy,
      flushing,
      blocked,
      isBottleneck: name === recent.bottleneck,
      isAhead,
    };
  });
}

function partitionViews(observation: Observation): PartitionView[] {
  const { partitions, atMs } = observation;
  const slowest = slowestPartition(observation);
  const furthest = Math.max(...partitions.map(({ watermark }) => watermark));
  const shown =
    partitions.length <= PARTITIONS_MAX
      ? [...partitions]
      : [...partitions].sort((a, b) => a.watermark - b.watermark).slice(0, PARTITIONS_MAX);
  shown.sort((a, b) => a.kind.localeCompare(b.kind) || a.partition - b.partition);
  return shown.map((partition) => {
    const { topic, position, end, failure, error, heldUp, isCaughtUp } = partition;
    const lag = lagOf(partition);
    return {
      name: nameOf(partition),
      topic,
      partition: partition.partition,
      position,
      end: end ?? null,
      lag: lag ?? null,
      gapMs: gapMs(partition.watermark, atMs) ?? null,
      isSlowest: partition === slowest && furthest - partition.watermark > APART_MIN_MS,
      state:
        error ??
        failure?.message ??
        (heldUp === undefined
          ? undefined
          : `behind an open transaction${heldUp.writer ? ` of ${heldUp.writer}` : ""}`) ??
        (isCaughtUp ? "caught up" : "reading"),
    };
  });
}

function expiryBars({
  expiries,
  atMs,
  timeoutMs,
  outOfOrdernessMs,
  joinWatermarkMs,
}: Observation): View["expiries"] {
  const fromMs = atMs - (gapMs(joinWatermarkMs, atMs) ?? 0);
  const spanMs = Math.max(1, Math.ceil((timeoutMs + outOfOrdernessMs) / EXPIRY_BARS));
  const counts = new Array<number>(EXPIRY_BARS).fill(0);
  for (const expiry of expiries) {
    const bar = Math.floor((expiry.atMs - fromMs) / spanMs);
    counts[Math.min(EXPIRY_BARS - 1, Math.max(0, bar))]! += expiry.count;
  }
  return { spanMs, counts };
}
