/** Outages that last for moments: tried again a bounded number of times, at growing intervals, half of them by chance. */
import { type Backoff, backoffMs, type Clock } from "@order-payment-stream/beam/io";
import { isTransient } from "./gcs_errors.js";

const ATTEMPTS_MAX = 5;
const BACKOFF: Backoff = { firstMs: 200, maxMs: 5_000, jitter: 0.5 };

/** Throws what the last attempt threw. */
export async function retrying<T>(clock: Clock, attempt: () => Promise<T>): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await attempt();
    } catch (error) {
      if (failures === ATTEMPTS_MAX || !isTransient(error)) throw error;
      await backOff(clock, failures);
    }
  }
}

/** Whether another attempt is due after so many failures in a row; waits for it. */
export async function mayRetry(clock: Clock, error: unknown, failures: number): Promise<boolean> {
  if (failures >= ATTEMPTS_MAX || !isTransient(error)) return false;
  await backOff(clock, failures);
  return true;
}

function backOff(clock: Clock, failures: number): Promise<void> {
  return new Promise((resolve) => {
    clock.schedule(backoffMs(BACKOFF, failures), resolve);
  });
}
