/**
 * One run, as data: what arrives when, what goes wrong when, and how the product is set. Together with the seed of the
 * scheduling it decides everything, so a scenario that was saved as JSON repeats its run.
 *
 * All times count from the start of the run, in ms of the world's clock.
 */
import {
  encodeOrderAvro,
  encodeOrderJson,
  encodePaymentAvro,
  encodePaymentJson,
} from "../../schemas/encode.js";
import type { Order, Payment } from "../../schemas/events.js";
import type { MongoConditions, Refusal } from "./world/simulated_mongodb.js";

export type Topic = "orders" | "payments";

/** The world's clock at the start. */
export const START_MS = Date.parse("2026-01-01T00:00:00Z");

export const MODES = ["bounded", "streaming"] as const;
export const STORES = ["memory", "durable"] as const;
export const RESETS = ["none", "earliest", "latest"] as const;

export type OffsetReset = (typeof RESETS)[number];

/** What may differ from one run on a state to the next. */
export interface RunSettings {
  readonly mode: (typeof MODES)[number];
  /**
   * What becomes of what waits: at the end of a bounded run, or when a streaming one is told to end. "keep" as the
   * ending of the last streaming run: it is told when all has expired by the clock.
   */
  readonly ending: "keep" | "expire";
  /** T */
  readonly timeoutMs: number;
  /** D */
  readonly outOfOrdernessMs: number;
}

/** A run before the last one. */
export interface EarlierRun extends RunSettings {
  /** When a streaming one is told to end. */
  readonly endsAtMs: number;
  /** Between its end and the next run. */
  readonly pauseMs: number;
}

/** The settings of the last run, and what stays the same in all. */
export interface Scenario extends RunSettings {
  /** Of the scheduling, and of all chance that is not laid down here. */
  readonly seed: number;
  readonly store: (typeof STORES)[number];
  /** No event is read more than D behind a newer one, so the collections must be the oracle's. */
  readonly isWithinBound: boolean;
  /** On the same state, one after the other. Default: none. */
  readonly earlierRuns?: readonly EarlierRun[];
  /** Default: none. */
  readonly offsetReset?: OffsetReset;
  /** What a user sets when a run with "none" has ended twice for a position that is lost. Default: earliest. */
  readonly offsetResetThen?: "earliest" | "latest";
  readonly partitions: Readonly<Record<Topic, number>>;
  readonly brokers: number;
  readonly usesGroup: boolean;
  readonly engine: {
    readonly bundleSizeMax: number;
    readonly bundleTimeMaxMs: number;
    readonly turnsOpenMax: number;
    readonly sourceSkewMaxMs: number;
  };
  readonly kafka: {
    readonly fetchPartitionMaxBytes: number;
    readonly bufferPartitionMaxBytes: number;
    /** An outage longer than this ends the run. */
    readonly retryMaxMs: number;
    /** So is a topic that is not there for longer. */
    readonly topicMissingMaxMs?: number;
    /** The brokers know topics by their ids, as Kafka 3.1 or newer does. Default: by their names alone. */
    readonly fetchesById?: boolean;
  };
  readonly mongodb: {
    readonly chunkDocumentsMax: number;
    /** An outage longer than this ends the run. */
    readonly retryTimeMaxMs: number;
    readonly attemptTimeoutMs: number;
  };
  /** How far the machine's clock and MongoDB's may be apart. */
  readonly clockSkewMaxMs?: number;
  readonly arrivals: readonly Arrival[];
  readonly faults: readonly Fault[];
}

/** A record that is appended to a log, in one batch with those beside it of the same time. Negative times: it is there when the run begins. */
export interface Arrival {
  readonly atMs: number;
  readonly topic: Topic;
  readonly partition: number;
  /** Null: a record without a key. */
  readonly key: string | null;
  readonly value:
    | { readonly form: "avro" | "json"; readonly event: Order | Payment }
    | { readonly form: "bytes"; readonly base64: string }
    /** So many bytes, which nobody can decode. */
    | { readonly form: "large"; readonly length: number }
    /** A batch of its own that would be this large unpacked, which is too large. */
    | { readonly form: "bomb"; readonly length: number }
    /** Our own decoder throws an error at it that nobody foresaw. */
    | { readonly form: "stumble" }
    | { readonly form: "null" };
  /** Written in a transaction of its own. */
  readonly transaction?: { readonly lastsMs: number; readonly outcome: "commit" | "abort" };
}

/** For a while. */
interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

export type Fault =
  | ({ readonly kind: "crash"; readonly losesPower: boolean; readonly downMs: number } & Moment)
  | { readonly kind: "stop"; readonly atMs: number; readonly downMs: number }
  | ({ readonly kind: "broker down"; readonly broker: number } & Span)
  | ({ readonly kind: "broker frozen"; readonly broker: number } & Span)
  | ({
      readonly kind: "kafka noise";
      readonly latencyMaxMs: number;
      readonly lostRequests: number;
      readonly lostAnswers: number;
    } & Span)
  | {
      readonly kind: "leader moves";
      readonly atMs: number;
      readonly topic: Topic;
      readonly partition: number;
      readonly electionMs: number;
      /** How long the new leader shows no more than the old one had been asked for. */
      readonly staleMs: number;
    }
  | { readonly kind: "new partition"; readonly atMs: number; readonly topic: Topic }
  | LogChange
  | ({ readonly kind: "mongodb down" } & Span)
  | ({ readonly kind: "mongodb frozen" } & Span)
  | ({ readonly kind: "mongodb noise"; readonly conditions: Partial<MongoConditions> } & Span)
  | { readonly kind: "refusals"; readonly orderIds: readonly string[]; readonly how: Refusal }
  | ({ readonly kind: "disk full" } & Span)
  | ({ readonly kind: "disk noise"; readonly errors: number; readonly latencyMaxMs: number } & Span)
  | {
      readonly kind: "clock set";
      readonly atMs: number;
      /** How far the clock is ahead of the world's from now on. */
      readonly offsetMs: number;
      /** Default: of the machine that the process runs on. */
      readonly of?: "machine" | "mongodb";
    }
  | ({
      readonly kind: "suspended";
      /** Whether the machine's measure of the time that passes goes on meanwhile. */
      readonly isCounted: boolean;
    } & Span)
  | ({ readonly kind: "stalls"; readonly stallMaxMs: number } & Span);

/** Offsets that were read, or were to be read, are of another log then, or of none. Once at most for each partition. */
export type LogChange =
  | {
      readonly kind: "topic made again";
      readonly atMs: number;
      readonly topic: Topic;
      /** How long there is no such topic. */
      readonly goneMs: number;
    }
  | {
      /** An election that is not clean, which loses what the new leader did not have. */
      readonly kind: "log cut";
      readonly atMs: number;
      readonly topic: Topic;
      readonly partition: number;
      /** How many of the last offsets. */
      readonly lost: number;
    }
  | {
      /** All partitions go back to what they held then. */
      readonly kind: "log restored";
      readonly atMs: number;
      readonly topic: Topic;
      readonly copiedAtMs: number;
      /** How long the brokers are away for it. */
      readonly goneMs: number;
    }
  | {
      readonly kind: "retention";
      readonly atMs: number;
      readonly topic: Topic;
      readonly partition: number;
      /** How many of the last offsets are left. */
      readonly kept: number;
    }
  | {
      /** It answers under the same addresses, and has topics of the same names. */
      readonly kind: "another cluster";
      readonly atMs: number;
      readonly goneMs: number;
      /** How many of the last records of each partition it has as well, at other offsets. */
      readonly mirrored: number;
    };

const LOG_CHANGES: readonly Fault["kind"][] = [
  "topic made again",
  "log cut",
  "log restored",
  "retention",
  "another cluster",
];

export function logChanges({ faults }: Pick<Scenario, "faults">): LogChange[] {
  return faults.filter((fault): fault is LogChange => LOG_CHANGES.includes(fault.kind));
}

/**
 * Nothing goes wrong but this machine's clock, if anything does. The process may rest meanwhile, where that is noticed,
 * and may stop, where the next one knows what time it was.
 */
export function isClockAlone({ faults, store }: Scenario): boolean {
  const isSet = faults.some(({ kind }) => kind === "clock set");
  const isLost = (fault: Fault): boolean =>
    fault.kind === "suspended" ? !fault.isCounted : fault.kind === "stop" && store === "memory";
  if (isSet && faults.some(isLost)) return false;
  return faults.every(
    (fault) =>
      fault.kind === "suspended" ||
      fault.kind === "stop" ||
      (fault.kind === "clock set" && fault.of !== "mongodb"),
  );
}

/** By the clock, or in the middle of the n-th operation of a kind: a commit is hit more often so. */
export type Moment =
  | { readonly when: "time"; readonly atMs: number }
  | { readonly when: "disk operation" | "commit" | "insert"; readonly count: number };

/** See world/stumbling_decoder.ts. */
export const STUMBLING_BLOCK = Buffer.from("\u0002 our own code stumbles over this");

export function valueBytes(value: Arrival["value"]): Buffer | null {
  switch (value.form) {
    case "null":
      return null;
    case "bomb":
      throw new Error("its bytes are those of its batch");
    case "stumble":
      return STUMBLING_BLOCK;
    case "large":
      return Buffer.alloc(value.length, 0xff);
    case "bytes":
      return Buffer.from(value.base64, "base64");
    case "avro":
    case "json": {
      const { event, form } = value;
      if ("payment_id" in event) {
        return form === "json" ? encodePaymentJson(event) : encodePaymentAvro(event);
      }
      return form === "json" ? encodeOrderJson(event) : encodeOrderAvro(event);
    }
  }
}

/** From when on nothing goes wrong any more and nothing new comes. */
export function calmFromMs({ arrivals, faults, earlierRuns = [] }: Scenario): number {
  let lastMs = Math.max(0, ...earlierRuns.map(({ endsAtMs }) => endsAtMs));
  for (const { atMs, transaction } of arrivals) lastMs = Math.max(lastMs, atMs + (transaction?.lastsMs ?? 0));
  for (const fault of faults) {
    if ("toMs" in fault) lastMs = Math.max(lastMs, fault.toMs);
    else if ("atMs" in fault) lastMs = Math.max(lastMs, fault.atMs + ("goneMs" in fault ? fault.goneMs : 0));
  }
  return lastMs + 1;
}
