/** What bench/load.ts and bench/load_files.ts are told, and what they tell. */
import type { AvroCodec } from "../connectors/files/codecs.js";
import type { Compression } from "../producers/compression.js";
import type { Shares } from "../producers/shares.js";

interface Load {
  /** About how many records both kinds of event have together; 0 leaves topics empty. */
  readonly events: number;
  readonly seed: number;
  /** Orders per second of event time. */
  readonly eventRatePerSecond: number;
  readonly timeoutMs: number;
  readonly outOfOrdernessMs: number;
}

export interface LoadInput extends Load {
  readonly brokers: readonly string[];
  readonly topics: { readonly orders: string; readonly payments: string };
  /** Default: SHARES. */
  readonly shares?: Partial<Shares>;
  /** Of the batches. Default: none. */
  readonly compression?: Compression;
  /** Of each topic. Default: the producers'. */
  readonly partitions?: number;
  /** So many payments of one order_id, which has no order, behind all others. Default: none. */
  readonly hotPayments?: number;
  /** In Confluent's frame, with FRAMED_SCHEMA_IDS, in place of single-object values. Default: no. */
  readonly isFramed?: boolean;
}

export interface LoadFilesInput extends Load {
  readonly folder: string;
  readonly codec: AvroCodec;
  /** Of each kind of event. */
  readonly files: number;
  readonly shares: Partial<Shares>;
}

export interface LoadResult {
  /** Records that the topics, or the files, hold. */
  readonly orders: number;
  readonly payments: number;
  readonly seconds: number;
}

/** A fixed date: the same seed gives the same bytes on any day. */
export const BENCH_START_MS = Date.parse("2026-01-01T00:00:00Z");

export const FRAMED_SCHEMA_IDS = { order: 1, payment: 2 } as const;

/**
 * Two orders to a payment, as in the load that the other engines were measured with. All records are Avro, the
 * cheapest to decode: the share of the engine in the time is then the largest.
 */
export const SHARES: Partial<Shares> = {
  paid: 0.42,
  multiplePayments: 0.01,
  early: 0.02,
  delayed: 0.03,
  missing: 0.52,
  orphan: 0.02,
  json: 0,
};
