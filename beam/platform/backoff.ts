/** How long to wait before something that failed is tried again: longer with each failure in a row, up to a bound. */
export interface Backoff {
  /** After the first failure. It doubles with each further one. */
  readonly firstMs: number;
  readonly maxMs: number;
  /** Share of the wait that is left to chance: with 0.5 it is between half of it and all of it. */
  readonly jitter: number;
}

/**
 * Milliseconds, with fractions and at most `maxMs`, to wait after failures in a row. Spread by chance, so that those
 * who failed together do not come back together.
 * @param failures 1, 2, …
 */
export function backoffMs(
  { firstMs, maxMs, jitter }: Backoff,
  failures: number,
  random: () => number = Math.random,
): number {
  const ceilingMs = Math.min(maxMs, firstMs * 2 ** Math.min(failures - 1, 30));
  return ceilingMs * (1 - jitter + jitter * random());
}
