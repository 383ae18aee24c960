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

export interface Scenario {
  /** Of the scheduling, and of all chance that is not laid down here. */
  readonly seed: number;
  readonly mode: (typeof MODES)[number];
  readonly store: (typeof STORES)[number];
  /** No event is read more than D behind a newer one, so the collections must be the oracle's. */
  readonly isWithinBound: boolean;
  /** T */
  readonly timeoutMs: number;
  /** D */
  readonly outOfOrdernessMs: number;
  readonly partitions: Readonly<Record<Topic, number>>;
  readonly brokers: number;
  readonly usesGroup: boolean;
  /** How a streaming run ends when all is read: by the clock, which lets all expire, or by draining. */
  readonly ending: "keep" | "expire";
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

/** A record that is appended to a log. Negative times: it is there when the run begins. */
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

/** By the clock, or in the middle of the n-th operation of a kind: a commit is hit more often so. */
export type Moment =
  | { readonly when: "time"; readonly atMs: number }
  | { readonly when: "disk operation" | "commit" | "insert"; readonly count: number };

export function valueBytes(value: Arrival["value"]): Buffer | null {
  switch (value.form) {
    case "null":
      return null;
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
export function calmFromMs({ arrivals, faults }: Scenario): number {
  let lastMs = 0;
  for (const { atMs, transaction } of arrivals) lastMs = Math.max(lastMs, atMs + (transaction?.lastsMs ?? 0));
  for (const fault of faults) {
    if ("toMs" in fault) lastMs = Math.max(lastMs, fault.toMs);
    else if ("atMs" in fault) lastMs = Math.max(lastMs, fault.atMs);
  }
  return lastMs + 1;
}
