/** What bench/load.ts is told, and what it tells. */
import type { Shares } from "../producers/shares.js";

export interface LoadInput {
  readonly brokers: readonly string[];
  readonly topics: { readonly orders: string; readonly payments: string };
  /** About how many records both topics shall hold together; 0 leaves them empty. */
  readonly events: number;
  readonly seed: number;
  /** Orders per second of event time. */
  readonly eventRatePerSecond: number;
  readonly timeoutMs: number;
  readonly outOfOrdernessMs: number;
  /** Of each topic. Default: the producers'. */
  readonly partitions?: number;
  /** In Confluent's frame, with FRAMED_SCHEMA_IDS, in place of single-object values. Default: no. */
  readonly isFramed?: boolean;
}

export interface LoadResult {
  /** Records that the topics hold. */
  readonly orders: number;
  readonly payments: number;
  readonly seconds: number;
}

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
