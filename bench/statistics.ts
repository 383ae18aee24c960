/** Small statistics over few runs. Ratios are taken within one run and only then summarised: the machine drifts. */

export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** Throws a RangeError on no values. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = ascending(values);
  return { min: sorted[0]!, median: quantileOfSorted(sorted, 0.5), max: sorted.at(-1)! };
}

/** The quantile `q` in [0, 1], between two neighbours where it falls between them. Throws a RangeError on no values. */
export function quantile(values: readonly number[], q: number): number {
  return quantileOfSorted(ascending(values), q);
}

/** Median of values[i] / base[i], over the runs that both have; undefined when there is none. */
export function medianRatio(values: readonly number[], base: readonly number[]): number | undefined {
  const runs = Math.min(values.length, base.length);
  if (runs === 0) return undefined;
  return quantile(
    values.slice(0, runs).map((value, run) => value / base[run]!),
    0.5,
  );
}

function ascending(values: readonly number[]): number[] {
  if (values.length === 0) throw new RangeError("no values");
  return [...values].sort((a, b) => a - b);
}

function quantileOfSorted(sorted: readonly number[], q: number): number {
  const at = (sorted.length - 1) * q;
  const low = sorted[Math.floor(at)]!;
  const high = sorted[Math.ceil(at)]!;
  return low + (high - low) * (at - Math.floor(at));
}
