/** What the soak measures once a second, its table, and the judgement whether memory stays flat. */

export interface MemorySample {
  readonly atSeconds: number;
  /** Read so far. */
  readonly events: number;
  readonly rssBytes: number;
  readonly heapUsedBytes: number;
  /** Buffers outside of the heap, those of the store included. */
  readonly externalBytes: number;
  readonly storeBytes: number;
  /** Records in the store, timers included. */
  readonly storeRecords: number;
}

/** Growth that is not told from noise: garbage that is not collected yet. */
const NOISE_SHARE = 0.1;
const NOISE_BYTES = 32 * 1024 * 1024;

const MIB = 1024 * 1024;
const COLUMNS = [
  "seconds",
  "events",
  "events/s",
  "rss MiB",
  "heap MiB",
  "external MiB",
  "store MiB",
  "records",
];
const WIDTH = 13;

export const tableHead = COLUMNS.map((name) => name.padStart(WIDTH)).join("");

export function tableRow(sample: MemorySample, before: MemorySample | undefined): string {
  const seconds = sample.atSeconds - (before?.atSeconds ?? 0);
  const perSecond = (sample.events - (before?.events ?? 0)) / Math.max(seconds, 0.001);
  const bytes = [sample.rssBytes, sample.heapUsedBytes, sample.externalBytes, sample.storeBytes];
  const cells = [
    sample.atSeconds.toFixed(0),
    sample.events.toLocaleString("en-US"),
    Math.round(perSecond).toLocaleString("en-US"),
    ...bytes.map((size) => (size / MIB).toFixed(1)),
    sample.storeRecords.toLocaleString("en-US"),
  ];
  return cells.map((cell) => cell.padStart(WIDTH)).join("");
}

export interface Flatness {
  readonly name: string;
  readonly firstMaxBytes: number;
  readonly lastMaxBytes: number;
  readonly isFlat: boolean;
}

/**
 * Compares the greatest value of the last third with that of the first third, after `warmUpSeconds`. Empty when the
 * run was too short to have thirds.
 */
export function flatness(samples: readonly MemorySample[], warmUpSeconds: number): Flatness[] {
  const warm = samples.filter(({ atSeconds }) => atSeconds >= warmUpSeconds);
  const third = Math.floor(warm.length / 3);
  if (third === 0) return [];
  const measures = ["rssBytes", "heapUsedBytes", "externalBytes", "storeBytes"] as const;
  return measures.map((measure) => {
    const firstMaxBytes = Math.max(...warm.slice(0, third).map((sample) => sample[measure]));
    const lastMaxBytes = Math.max(...warm.slice(-third).map((sample) => sample[measure]));
    return compared(measure.replace("Bytes", ""), firstMaxBytes, lastMaxBytes);
  });
}

export function compared(name: string, firstMaxBytes: number, lastMaxBytes: number): Flatness {
  const isFlat = lastMaxBytes <= firstMaxBytes + Math.max(NOISE_BYTES, NOISE_SHARE * firstMaxBytes);
  return { name, firstMaxBytes, lastMaxBytes, isFlat };
}

export function flatnessText({ name, firstMaxBytes, lastMaxBytes, isFlat }: Flatness): string {
  const [first, last] = [firstMaxBytes, lastMaxBytes].map((size) => `${(size / MIB).toFixed(1)} MiB`);
  return `${name}: at most ${first} early, ${last} late: ${isFlat ? "flat" : "GROWS"}`;
}
