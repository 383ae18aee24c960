/** A multiset of timestamps with its smallest at hand: what keeps an output watermark back. */
import { MAX_TIMESTAMP, type TimestampMs } from "../model/timestamps.js";
import { TimerQueue } from "./timer_queue.js";

/** Below this many entries the queue is not worth clearing of stale ones. */
const QUEUE_SIZE_MIN = 1024;

export class Holds {
  readonly #counts = new Map<TimestampMs, number>();
  /** The held timestamps as times of a queue; one whose count is gone is stale and skipped. */
  readonly #order = new TimerQueue();

  add(timestamp: TimestampMs): void {
    const count = this.#counts.get(timestamp);
    this.#counts.set(timestamp, (count ?? 0) + 1);
    if (count !== undefined) return;
    this.#order.insert(timestamp, 0);
    if (this.#order.size > QUEUE_SIZE_MIN && this.#order.size > 4 * this.#counts.size) this.#tidy();
  }

  remove(timestamp: TimestampMs): void {
    const count = this.#counts.get(timestamp);
    if (count === undefined) throw new Error(`no hold at ${timestamp}`);
    if (count === 1) this.#counts.delete(timestamp);
    else this.#counts.set(timestamp, count - 1);
  }

  get size(): number {
    return this.#counts.size;
  }

  /** Entries that memory is spent on, stale ones included. */
  get remembered(): number {
    return this.#order.size;
  }

  /** The earliest hold; MAX_TIMESTAMP when nothing is held. */
  min(): TimestampMs {
    for (;;) {
      const earliest = this.#order.nextTime();
      if (earliest === MAX_TIMESTAMP || this.#counts.has(earliest)) return earliest;
      if (this.#order.dueTime(earliest) !== undefined) this.#order.take();
    }
  }

  /** Holds that come and go behind one that stays would otherwise leave their entries behind for ever. */
  #tidy(): void {
    this.#order.clear();
    for (const timestamp of this.#counts.keys()) this.#order.insert(timestamp, 0);
  }
}
