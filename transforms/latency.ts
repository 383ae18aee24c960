/**
 * How long a pair takes from Kafka to MongoDB: from the timestamp that the payment's record has in Kafka to the answer
 * that its document is written. Only pairs that their payment has completed are measured, for one whose order comes
 * second waits for that order. A histogram of counters, so that it is told on every runner and needs nothing of its own.
 */
import { type Counter, type CounterSource, counter } from "@order-payment-stream/beam";

/** Upper bounds of the buckets, ms. Beyond the last there is one more. */
export const LATENCY_BOUNDS_MS = [
  2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000,
] as const;

/** Of the counter of a bucket; the last is without a bound. */
const bucketName = (index: number): string => `latency_ms_le_${LATENCY_BOUNDS_MS[index] ?? "inf"}`;
const SUM = "latency_ms_sum";

/** The counters of a sink that measures. */
export function latencyCounters(): Readonly<Record<string, Counter>> {
  const names = [...LATENCY_BOUNDS_MS.keys(), LATENCY_BOUNDS_MS.length].map(bucketName);
  return Object.fromEntries([...names, SUM].map((name) => [name, counter()]));
}

/** Counts in the counters that `latencyCounters` has made. */
export class LatencyRecorder {
  readonly #buckets: readonly Counter[];
  readonly #sum: Counter;

  constructor(counters: Readonly<Record<string, Counter>>) {
    this.#buckets = [...LATENCY_BOUNDS_MS.keys(), LATENCY_BOUNDS_MS.length].map(
      (index) => counters[bucketName(index)]!,
    );
    this.#sum = counters[SUM]!;
  }

  /** A record that is newer than now, by another machine's clock, took no time. */
  record(latencyMs: number): void {
    const ms = Math.max(0, latencyMs);
    let index = 0;
    while (index < LATENCY_BOUNDS_MS.length && ms > LATENCY_BOUNDS_MS[index]!) index++;
    this.#buckets[index]!.inc();
    this.#sum.inc(Math.round(ms));
  }
}

/** Counts are of each bucket alone; the last is of what lies beyond the last bound. */
export interface LatencyFigures {
  readonly counts: readonly number[];
  readonly sumMs: number;
}

/** What a run has measured. */
export function latencyOf(metrics: CounterSource, sink = "WriteJoined"): LatencyFigures {
  const counts = [...LATENCY_BOUNDS_MS.keys(), LATENCY_BOUNDS_MS.length].map((index) =>
    metrics.counter(bucketName(index), sink),
  );
  return { counts, sumMs: metrics.counter(SUM, sink) };
}
