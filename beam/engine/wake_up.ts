/** Waits until somebody calls or time has passed. A call that comes while nobody waits ends the next wait at once. */
import type { Clock } from "../platform/clock.js";

export class WakeUp {
  #wake: (() => void) | undefined;
  #isCalled = false;

  constructor(private readonly clock: Clock) {}

  call(): void {
    this.#isCalled = true;
    this.#wake?.();
  }

  /** @param delayMs Infinity waits for a call alone */
  async wait(delayMs: number): Promise<void> {
    if (!this.#isCalled) {
      let cancel: (() => void) | undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        if (delayMs < Number.POSITIVE_INFINITY) cancel = this.clock.schedule(Math.max(0, delayMs), resolve);
      });
      cancel?.();
      this.#wake = undefined;
    }
    this.#isCalled = false;
  }
}
