/**
 * What is known of a run at one moment, as plain data: the one thing that metrics, sentence and page are made of. Whoever
 * runs the pipeline makes it when it is asked for; nothing of it is kept up to date in between.
 */
import type { CommitTimes, HealthProblem, StageActivity } from "@order-payment-stream/beam/direct";
import type { PartitionStatus } from "@order-payment-stream/kafka";
import type { Kind, Tally } from "../schemas/figures.js";

export interface Partition extends PartitionStatus {
  readonly kind: Kind;
}

/** Counts are of each bucket alone, one more than there are bounds. */
export interface Latency {
  readonly boundsMs: readonly number[];
  readonly counts: readonly number[];
  readonly sumMs: number;
}

/** A server that is asked now and then whether it is there. */
export interface Server {
  readonly name: string;
  /** Without user and password. */
  readonly address: string;
  /** Undefined: it answers. */
  readonly problem: string | undefined;
  readonly forMs: number;
  /** Of the last answer, ms. */
  readonly answerMs: number | undefined;
}

/** A copy of the state elsewhere. */
export interface Checkpoint {
  readonly id: string;
  readonly atMs: number;
  readonly durationMs: number;
  readonly bytes: number;
  readonly commit: number;
}

export type Phase = "starting" | "running" | "ending" | "ended" | "failed";

export interface Observation {
  /** By this machine's clock, ms since the epoch. */
  readonly atMs: number;
  readonly startedAtMs: number;
  readonly phase: Phase;
  /** What it is about, or what it failed with. */
  readonly doing: string;
  readonly runner: string;
  /** False: the runner reports no figures while the job runs, and none of the zeros below means anything. */
  readonly tellsFigures: boolean;
  /** Of this run. */
  readonly run: Tally;
  /** Of all runs on this state; the same where there was none before. */
  readonly total: Tally;
  /** T and D, ms. */
  readonly timeoutMs: number;
  readonly outOfOrdernessMs: number;
  readonly isBounded: boolean;
  /** Empty: the runner does not tell. */
  readonly stages: readonly StageActivity[];
  /** Of the join; undefined before it is known and after the end. */
  readonly joinWatermarkMs: number | undefined;
  /** How far the look for new partitions lets event time go; undefined: not told. */
  readonly lookWatermarkMs: number | undefined;
  /** Those that are read in this process. */
  readonly partitions: readonly Partition[];
  /** What waits in state, paired events too, by the time at which it expires. */
  readonly expiries: readonly { readonly atMs: number; readonly count: number }[];
  readonly latency: Latency;
  /** Reasons that a dead letter can have. */
  readonly deadLetterReasons: readonly string[];
  readonly commits: CommitTimes | undefined;
  readonly stateBytes: number | undefined;
  /** The latest last; undefined: none are made. */
  readonly checkpoints: readonly Checkpoint[] | undefined;
  readonly problems: readonly HealthProblem[];
  readonly servers: readonly Server[];
}

/** Records that have not been read yet; undefined: not known. */
export function lagOf({ end, position }: Pick<Partition, "end" | "position">): number | undefined {
  return end === undefined ? undefined : Math.max(0, end - position);
}

export function sumOf(counts: Readonly<Partial<Record<string, number>>>): number {
  return Object.values(counts).reduce((sum: number, count) => sum + (count ?? 0), 0);
}
