/**
 * The hour, as far as it is certain: for whoever takes the passing of time for knowledge, as a watermark does. It is
 * never ahead of the clock, and does not follow when the clock is set forward. Then it goes on at its own pace, behind
 * the clock, until something from outside shows that it is as late as that: a time by another machine's clock.
 *
 * So a clock that is set forward by mistake expires nothing, and one that is right again after a pause of the whole
 * machine is believed as soon as anybody else agrees.
 */
import type { Clock } from "./clock.js";
import type { TimestampMs } from "./timestamps.js";

/** Between two looks; less is a clock that is being kept right. */
const JUMP_MIN_MS = 1_000;

export class SteadyHour {
  #hour: TimestampMs;
  #lookedAt: number;

  constructor(private readonly clock: Clock) {
    this.#hour = clock.now();
    this.#lookedAt = clock.elapsed();
  }

  now(): TimestampMs {
    const elapsed = this.clock.elapsed();
    const expected = this.#hour + elapsed - this.#lookedAt;
    const shown = this.clock.now();
    this.#hour = shown > expected + JUMP_MIN_MS ? expected : shown;
    this.#lookedAt = elapsed;
    return this.#hour;
  }

  /** How far the clock is ahead of what is certain; 0 when it is not. */
  get aheadMs(): number {
    return this.clock.now() - this.now();
  }

  /** Somebody else's clock has shown this time already. */
  confirm(timestamp: TimestampMs): void {
    if (timestamp > this.#hour && timestamp > this.now()) {
      this.#hour = Math.min(timestamp, this.clock.now());
    }
  }
}
