/** A timestamp in another unit than milliseconds is the commonest mistake of producers, so messages name it. */

/** Of years in which an event may have been made. */
const EARLIEST_MS = Date.UTC(2000, 0);
const LATEST_MS = Date.UTC(2100, 0);

const MS_PER_UNIT = { seconds: 1_000, microseconds: 1e-3, nanoseconds: 1e-6 } as const;

/** "in microseconds it would be 2026-11-08T…", when a number is a likely time in another unit; otherwise "". */
export function otherUnit(value: number): string {
  for (const [unit, msPerUnit] of Object.entries(MS_PER_UNIT)) {
    const ms = Math.round(value * msPerUnit);
    if (ms >= EARLIEST_MS && ms <= LATEST_MS) return `in ${unit} it would be ${new Date(ms).toISOString()}`;
  }
  return "";
}
