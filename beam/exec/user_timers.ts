/** The timers of a stateful DoFn, bound to the key and window at hand: the rules of what may be set. */

import type { TimeDomain } from "../model/timer.js";
import { formatTimestamp, type TimestampMs } from "../model/timestamps.js";
import type { BoundedWindow } from "../model/windows.js";
import type { Timer } from "../sdk/timer.js";
import type { StateOfKey } from "./keyed_state.js";

/** What is being processed while timers are set. */
export interface TimerScope {
  readonly timestamp: TimestampMs;
  readonly window: BoundedWindow;
  /** In the callback of an event-time timer the time that it was set for; otherwise MIN_TIMESTAMP. */
  readonly eventTimerAt: TimestampMs;
}

export class TimerHandle implements Timer {
  #state!: StateOfKey;

  constructor(
    private readonly name: string,
    private readonly timeDomain: TimeDomain,
    private readonly family: number,
    private readonly ctx: TimerScope,
    private readonly allowedLatenessMs: number,
  ) {}

  /** Turns to a key that was entered. */
  bind(state: StateOfKey): void {
    this.#state = state;
  }

  set(fireAt: TimestampMs, tag = "", outputTimestamp?: TimestampMs): void {
    if (!Number.isFinite(fireAt)) throw new TypeError(`timer ${this.name}: set(${fireAt}) is no time`);
    const { ctx } = this;
    const windowEnd = ctx.window.maxTimestamp + this.allowedLatenessMs;
    if (this.timeDomain === "event") {
      // State is gone once its window has expired, so a timer fires by then at the latest; and what fires then has no
      // time left to set another: a timer that always sets itself anew ends with its window.
      if (fireAt > windowEnd && ctx.eventTimerAt >= windowEnd) return;
      const fire = Math.min(Math.ceil(fireAt), windowEnd);
      const output = outputTimestamp ?? fire;
      if (outputTimestamp !== undefined) this.#checkOutput(outputTimestamp, fire);
      this.#state.setTimer(this.family, tag, fire, output);
    } else {
      const output = outputTimestamp ?? ctx.timestamp;
      if (outputTimestamp !== undefined) this.#checkOutput(outputTimestamp, windowEnd);
      this.#state.setTimer(this.family, tag, Math.ceil(fireAt), output);
    }
  }

  clear(tag = ""): void {
    this.#state.clearTimer(this.family, tag);
  }

  /** Source: the rules of Java's FnApiDoFnRunner; an earlier timestamp could lie behind the watermark already. */
  #checkOutput(output: TimestampMs, latest: TimestampMs): void {
    if (output < this.ctx.timestamp || output > latest) {
      throw new Error(
        `timer ${this.name}: output timestamp ${formatTimestamp(output)} must lie between the element's ` +
          `${formatTimestamp(this.ctx.timestamp)} and ${formatTimestamp(latest)}`,
      );
    }
  }
}
