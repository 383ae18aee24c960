/** What bench/load.ts is told, and what it tells. */

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
