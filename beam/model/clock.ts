/**
 * The only door to time and waiting. Everything that asks for the hour or waits does so through a Clock, so that a
 * test or a simulation can run the same code on virtual time.
 */
import type { TimestampMs } from "./timestamps.js";

/** The time, and waiting for it. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): TimestampMs;
  /** Calls `task` once, `delayMs` from now at the earliest. Returns a function that calls it off. */
  schedule(delayMs: number, task: () => void): () => void;
  /** Lets pending input and output happen, then goes on. */
  yield(): Promise<void>;
}

/** setTimeout turns longer delays into 1 ms. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  schedule(delayMs, task) {
    const handle = setTimeout(task, Math.min(Math.max(0, delayMs), LONGEST_DELAY_MS));
    return () => clearTimeout(handle);
  },
  yield: () => new Promise((resolve) => setImmediate(resolve)),
};

/** A clock that stands still until `advanceTo` is called; tasks that fall due run in the order of their times. */
export class VirtualClock implements Clock {
  #now: TimestampMs;
  #nextId = 0;
  readonly #tasks = new Map<number, { at: TimestampMs; task: () => void }>();

  constructor(startMs: TimestampMs = 0) {
    this.#now = startMs;
  }

  now(): TimestampMs {
    return this.#now;
  }

  schedule(delayMs: number, task: () => void): () => void {
    const id = this.#nextId++;
    this.#tasks.set(id, { at: this.#now + Math.max(0, delayMs), task });
    return () => this.#tasks.delete(id);
  }

  yield(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  /** The time of the next task, or undefined. */
  get nextTaskAt(): TimestampMs | undefined {
    let earliest: TimestampMs | undefined;
    for (const { at } of this.#tasks.values()) if (earliest === undefined || at < earliest) earliest = at;
    return earliest;
  }

  advanceTo(timestamp: TimestampMs): void {
    for (;;) {
      let due: { id: number; at: TimestampMs; task: () => void } | undefined;
      for (const [id, { at, task }] of this.#tasks) {
        if (at <= timestamp && (due === undefined || at < due.at)) due = { id, at, task };
      }
      if (due === undefined) break;
      this.#tasks.delete(due.id);
      this.#now = Math.max(this.#now, due.at);
      due.task();
    }
    this.#now = Math.max(this.#now, timestamp);
  }
}
