/**
 * Moves messages from a scenario to a sender, in order and on time. At most one batch is being sent while the
 * next is filled: that bounds memory and keeps the order of arrival, which the scenario's promises rest on.
 */
import { sleep, systemClock } from "@order-payment-stream/beam/io";
import type { ScenarioMessage } from "./scenario.js";

export interface PumpOptions {
  messages: Iterable<ScenarioMessage>;
  /** Resolves when the whole batch is acknowledged; a rejection ends the pump. */
  send: (batch: ScenarioMessage[]) => Promise<void>;
  /** When to send message number `index` (from 0), ms since the epoch; undefined: at once. */
  dueMs?: ((message: ScenarioMessage, index: number) => number) | undefined;
  batchSizeMax: number;
  /** Stops taking messages; what was taken is still sent. */
  signal?: AbortSignal | undefined;
}

export async function pump({ messages, send, dueMs, batchSizeMax, signal }: PumpOptions): Promise<void> {
  let batch: ScenarioMessage[] = [];
  let inFlight: Promise<void> = Promise.resolve();
  const flush = async (): Promise<void> => {
    if (batch.length === 0) return;
    await inFlight;
    inFlight = send(batch);
    // Whoever awaits it next sees the error; until then it must not count as unhandled.
    inFlight.catch(() => {});
    batch = [];
  };

  let index = 0;
  for (const message of messages) {
    if (signal?.aborted) break;
    if (dueMs !== undefined) {
      const due = dueMs(message, index);
      if (due > systemClock.now()) {
        await flush();
        const isDue = await sleepUntil(due, signal);
        if (!isDue) break;
      }
    }
    batch.push(message);
    index++;
    if (batch.length >= batchSizeMax) await flush();
  }
  await flush();
  await inFlight;
}

/** False when the signal ended it. */
async function sleepUntil(timestampMs: number, signal: AbortSignal | undefined): Promise<boolean> {
  const delayMs = Math.max(0, timestampMs - systemClock.now());
  try {
    await sleep(delayMs, { signal });
    return true;
  } catch (error) {
    if (signal?.aborted) return false;
    throw error;
  }
}
