/**
 * Processors that no bundle uses, by descriptor: making one runs the DoFns' setup. Those that stay idle are torn down.
 */
import { every, systemClock } from "../platform/clock.js";
import type { HarnessProcessor } from "./harness_processor.js";

const IDLE_MAX_MS = 60_000;

interface Idle {
  readonly harness: HarnessProcessor;
  readonly sinceMs: number;
}

export class ProcessorPool {
  readonly #idle = new Map<string, Idle[]>();
  readonly #endSweep: () => void;

  /** @param onTeardownError a teardown that fails changes nothing for any bundle */
  constructor(private readonly onTeardownError: (error: Error) => void) {
    this.#endSweep = every(IDLE_MAX_MS / 2, () => void this.#closeIdle(systemClock.elapsed() - IDLE_MAX_MS));
  }

  /** The one used last, whose caches are warm; otherwise a new one, set up. */
  async take(descriptorId: string, make: () => HarnessProcessor): Promise<HarnessProcessor> {
    const idle = this.#idle.get(descriptorId)?.pop();
    if (idle !== undefined) return idle.harness;
    const harness = make();
    try {
      await harness.processor.setup();
    } catch (error) {
      await this.discard(harness);
      throw error;
    }
    return harness;
  }

  giveBack(harness: HarnessProcessor): void {
    const { id } = harness.descriptor;
    const idle = this.#idle.get(id);
    const entry = { harness, sinceMs: systemClock.elapsed() };
    if (idle === undefined) this.#idle.set(id, [entry]);
    else idle.push(entry);
  }

  /** After a bundle that failed. */
  async discard({ processor }: HarnessProcessor): Promise<void> {
    try {
      await processor.teardown();
    } catch (error) {
      this.onTeardownError(error as Error);
    }
  }

  async close(): Promise<void> {
    this.#endSweep();
    await this.#closeIdle(Number.POSITIVE_INFINITY);
  }

  async #closeIdle(sinceMs: number): Promise<void> {
    for (const [id, idle] of this.#idle) {
      const old = idle.filter((each) => each.sinceMs <= sinceMs);
      this.#idle.set(
        id,
        idle.filter((each) => each.sinceMs > sinceMs),
      );
      for (const { harness } of old) await this.discard(harness);
    }
  }
}
