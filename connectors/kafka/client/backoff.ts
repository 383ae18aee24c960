/** Waits between attempts at a broker or a registry. */
import { type Backoff, backoffMs as waitMs } from "@order-payment-stream/beam/io";

const BACKOFF: Backoff = { firstMs: 62.5, maxMs: 2_500, jitter: 0.4 };

/** Milliseconds to wait after this many failures in a row (1, 2, …): 50, 100, 200, … 2,000, each ± 25 %. */
export function backoffMs(failures: number, random?: () => number): number {
  return waitMs(BACKOFF, failures, random);
}
