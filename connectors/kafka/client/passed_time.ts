/**
 * How much time has passed. On Linux, and in a machine that was suspended as a whole, `Clock.elapsed` tells nothing of
 * the time that it slept; this machine's clock does. A clock that is set forward passes for such a sleep.
 */
import type { Clock } from "@order-payment-stream/beam/io";

/** Less is a correction of the clock. */
const SLEEP_MIN_MS = 100;

export class PassedTime {
  #elapsed: number;
  #shown: number;
  #sleptMs = 0;

  constructor(private readonly clock: Pick<Clock, "now" | "elapsed">) {
    this.#elapsed = clock.elapsed();
    this.#shown = clock.now();
  }

  /** In ms from any moment on. Never goes back. */
  now(): number {
    const elapsed = this.clock.elapsed();
    const shown = this.clock.now();
    const sleptMs = shown - this.#shown - (elapsed - this.#elapsed);
    if (sleptMs > SLEEP_MIN_MS) this.#sleptMs += sleptMs;
    this.#elapsed = elapsed;
    this.#shown = shown;
    return elapsed + this.#sleptMs;
  }
}
