/** Outages that last for moments: tried again a bounded number of times, at growing intervals, half of them by chance. */
import type { Clock } from "@order-payment-stream/beam/io";
import { isTransient } from "./gcs_errors.js";

const ATTEMPTS_MAX = 5;
const FIRST_MS = 200;
const CAP_MS = 5_000;

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
  const ceilingMs = Math.min(CAP_MS, FIRST_MS * 2 ** (failures - 1));
  return new Promise((resolve) => {
    clock.schedule(ceilingMs * (0.5 + 0.5 * Math.random()), resolve);
  });
}
