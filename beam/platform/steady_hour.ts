/**
 * The hour when the machine's clock cannot be trusted, because somebody may set it: as early and as late as it may be.
 * Whoever takes the passing of time for knowledge, as a watermark does, asks for the first; whoever would refuse what
 * comes from later than now asks for the second.
 *
 * - `now` is never ahead of the clock, and does not follow when the clock is set forward. It goes on at its own pace
 *   then, until something from outside shows that it is later: a time by another machine's clock. So a clock that is
 *   set forward by mistake expires nothing, and one that is right again after a pause of the whole machine is believed
 *   as soon as anybody else agrees.
 * - `latest` is never behind the clock, and does not follow when the clock is set back.
 */

import type { TimestampMs } from "../model/timestamps.js";
import type { Clock } from "./clock.js";

/** Between two looks; less is a clock that is being kept right. */
const JUMP_MIN_MS = 1_000;

/** The wall clock of a machine whose clock may be set while the process runs. */
export class SteadyHour {
  #hour: TimestampMs;
  #lookedAt: number;
  #latest: TimestampMs;
  #latestLookedAt: number;

  constructor(private readonly clock: Clock) {
    this.#hour = clock.now();
    this.#lookedAt = clock.elapsed();
    this.#latest = this.#hour;
    this.#latestLookedAt = this.#lookedAt;
  }

  /** As late as it may be. */
  latest(): TimestampMs {
    const elapsed = this.clock.elapsed();
    this.#latest = Math.max(this.clock.now(), this.#latest + elapsed - this.#latestLookedAt);
    this.#latestLookedAt = elapsed;
    return this.#latest;
  }

  /** As late as it is for certain. */
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
    // The second look is the later one.
    return Math.max(0, this.clock.now() - this.now());
  }

  /** Somebody else's clock has shown this time already. */
  confirm(timestamp: TimestampMs): void {
    if (timestamp > this.#hour && timestamp > this.now()) {
      this.#hour = Math.min(timestamp, this.clock.now());
    }
  }
}
