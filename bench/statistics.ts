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

/** Median of values[i] / base[i], over the runs that have both; undefined when none has. */
export function medianRatio(
  values: readonly (number | undefined)[],
  base: readonly (number | undefined)[],
): number | undefined {
  const ratios: number[] = [];
  for (const [run, value] of values.entries()) {
    const other = base[run];
    if (value !== undefined && other !== undefined) ratios.push(value / other);
  }
  return ratios.length === 0 ? undefined : quantile(ratios, 0.5);
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
