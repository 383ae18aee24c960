/**
 * How long to wait before a failed attempt is repeated: longer after each consecutive failure, up to a bound.
 */
export interface Backoff {
  /** After the first failure. It doubles with each further failure. */
  readonly firstMs: number;
  readonly maxMs: number;
  /** Share of the wait that is random: with 0.5, between half of it and all of it. */
  readonly jitter: number;
}

/**
 * Milliseconds, with fractions and at most `maxMs`, to wait after failures in a row. Random, so that those who
 * failed together do not retry together.
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
