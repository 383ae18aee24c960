/** Observations of a run in which all is well, for tests that plant a fault in one. */
import type { Observation, Partition } from "../../../monitor/observation.js";
import { NO_BOOK, type Tally } from "../../../schemas/figures.js";

export const NOW = Date.parse("2026-01-31T12:00:00Z");
/** T and D. */
export const TIMEOUT_MS = 900_000;
export const DISORDER_MS = 30_000;

export function partition(
  kind: Partition["kind"],
  number: number,
  changes: Partial<Partition> = {},
): Partition {
  return {
    kind,
    topic: `topic_of_${kind}`,
    partition: number,
    position: 1_000,
    recordsRead: 1_000,
    end: 1_000,
    watermark: NOW - DISORDER_MS,
    isCaughtUp: true,
    leader: 1,
    unansweredMs: 0,
    failure: undefined,
    heldUp: undefined,
    error: undefined,
    ...changes,
  };
}

export function stage(name: string, changes: Partial<Observation["stages"][number]> = {}) {
  return {
    name,
    steps: [name],
    upstream: [],
    isSource: false,
    isAhead: false,
    inputWatermark: NOW - DISORDER_MS,
    outputWatermark: NOW - DISORDER_MS,
    pending: 0,
    eventTimers: 0,
    processingTimers: 0,
    elementsIn: 0,
    bundles: 0,
    busyMs: 0,
    flushingMs: 0,
    blockedMs: 0,
    openFlushMs: 0,
    ...changes,
  };
}

export function observation(changes: Partial<Observation> = {}): Observation {
  const total = changes.total ?? tally(1_000, 900);
  return {
    atMs: NOW,
    startedAtMs: NOW - 600_000,
    phase: "running",
    doing: "",
    runner: "direct",
    tellsFigures: true,
    run: total,
    total,
    timeoutMs: TIMEOUT_MS,
    outOfOrdernessMs: DISORDER_MS,
    isBounded: false,
    stages: [
      stage("ReadOrders/ReadPartitions/process", { isSource: true }),
      stage("ReadPayments/ReadPartitions/process", { isSource: true }),
      stage("CoGroupByOrderId/Flatten", {
        steps: ["CoGroupByOrderId/Flatten", "JoinOrdersPayments"],
        upstream: ["ReadOrders/ReadPartitions/process", "ReadPayments/ReadPartitions/process"],
      }),
      stage("WriteJoined", { upstream: ["CoGroupByOrderId/Flatten"] }),
    ],
    joinWatermarkMs: NOW - DISORDER_MS,
    lookWatermarkMs: NOW - 1_000,
    partitions: ["orders", "payments"].flatMap((kind) =>
      [0, 1, 2].map((number) => partition(kind as Partition["kind"], number)),
    ),
    expiries: [],
    latency: { boundsMs: [10, 100], counts: [90, 9, 1], sumMs: 2_000 },
    commits: { count: 100, durationMs: 200, bytes: 1e6, lastDurationMs: 2, lastBytes: 1e4, openMs: 0 },
    deadLetterReasons: ["LATE"],
    stateBytes: 1e6,
    checkpoints: undefined,
    problems: [],
    servers: [{ name: "MongoDB", address: "db:27017", problem: undefined, forMs: 0, answerMs: 1 }],
    ...changes,
  };
}

/** Everything read is joined, but for what is pending. */
export function tally(read: number, joined: number, changes: Partial<Tally> = {}): Tally {
  const book = { ...NO_BOOK, read, joined, pending: read - joined };
  return { orders: book, payments: book, joined, unmatched: 0, dead_letters: {}, ...changes };
}
