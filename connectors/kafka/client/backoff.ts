/** Waits between attempts: doubling, capped, and spread by chance so that clients do not come back in step. */
const FIRST_MS = 50;
const CAP_MS = 2_000;
const SPREAD = 0.25;

/** Milliseconds to wait after this many failures in a row (1, 2, …): 50, 100, 200, … 2,000, each ± 25 %. */
export function backoffMs(failures: number, random: () => number = Math.random): number {
  const base = Math.min(CAP_MS, FIRST_MS * 2 ** Math.min(failures - 1, 16));
  return base * (1 - SPREAD + 2 * SPREAD * random());
}
