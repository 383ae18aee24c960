/**
 * The only door to time and waiting. What decides anything asks a Clock that it is handed, so that a test or a
 * simulation runs the same code on virtual time; `sleep`, `after` and `every` are for what only real processes do.
 */
import { uptime } from "node:os";
import { setTimeout as wait } from "node:timers/promises";
import type { TimestampMs } from "../model/timestamps.js";

/** The time, and waiting for it. */
export interface Clock {
  /**
   * The wall clock: milliseconds since the Unix epoch. It jumps back and forth when somebody sets the clock.
   */
  now(): TimestampMs;
  /** Milliseconds since some moment. It never jumps; use it for durations and retries. */
  elapsed(): number;
  /** Calls `task` once, `delayMs` from now at the earliest. Returns a function that cancels it. */
  schedule(delayMs: number, task: () => void): () => void;
  /** Resolves after pending input and output has been handled. */
  yield(): Promise<void>;
}

/** setTimeout turns longer delays into 1 ms. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => {
    const awakeMs = performance.now();
    if (awakeMs >= nextLookMs) lookForSleep(awakeMs);
    return awakeMs + asleepMs;
  },
  schedule(delayMs, task) {
    const handle = setTimeout(task, Math.min(Math.max(0, delayMs), LONGEST_DELAY_MS));
    return () => clearTimeout(handle);
  },
  yield: () => new Promise((resolve) => setImmediate(resolve)),
};

/** How `sleep` and `after` wait. */
export interface WaitOptions {
  /** Ends the wait; a sleep rejects then. */
  readonly signal?: AbortSignal | undefined;
  /** Whether the process may end meanwhile. Default: no. */
  readonly isBackground?: boolean;
}

/**
 * Waits by the machine's clock, for code without a Clock. Resolves after `delayMs`; rejects when it is aborted.
 */
export async function sleep(
  delayMs: number,
  { signal, isBackground = false }: WaitOptions = {},
): Promise<void> {
  await wait(Math.min(delayMs, LONGEST_DELAY_MS), undefined, {
    ref: !isBackground,
    ...(signal && { signal }),
  });
}

/** Calls `task` once after `delayMs`, as `sleep` waits. Returns a function that cancels it. */
export function after(
  delayMs: number,
  task: () => void,
  { isBackground = false }: Pick<WaitOptions, "isBackground"> = {},
): () => void {
  const handle = setTimeout(task, Math.min(delayMs, LONGEST_DELAY_MS));
  if (isBackground) handle.unref();
  return () => clearTimeout(handle);
}

/** Calls `task` every `intervalMs`, without keeping the process alive. Returns a function that stops it. */
export function every(intervalMs: number, task: () => void): () => void {
  const handle = setInterval(task, intervalMs);
  handle.unref();
  return () => clearInterval(handle);
}

/** On Linux, Node's monotonic clock stands still while the machine is suspended; the uptime goes on. */
const LOOK_INTERVAL_MS = 1_000;
/** Less is the coarseness of the uptime. */
const SLEEP_MIN_MS = 1_000;
const startedMs = uptime() * 1_000 - performance.now();
let asleepMs = 0;
let nextLookMs = 0;

function lookForSleep(awakeMs: number): void {
  nextLookMs = awakeMs + LOOK_INTERVAL_MS;
  const totalMs = uptime() * 1_000 - startedMs - awakeMs;
  if (totalMs > asleepMs + SLEEP_MIN_MS) asleepMs = totalMs;
}

/** A clock that stands still until `advanceTo` is called; tasks that fall due run in the order of their times. */
export class VirtualClock implements Clock {
  #elapsed: number;
  /** What was set, and did not pass. */
  #jumpedMs = 0;
  #nextId = 0;
  /** Times of tasks are of `elapsed`. */
  readonly #tasks = new Map<number, { readonly at: number; readonly task: () => void }>();

  constructor(startMs: TimestampMs = 0) {
    this.#elapsed = startMs;
  }

  now(): TimestampMs {
    return this.#elapsed + this.#jumpedMs;
  }

  elapsed(): number {
    return this.#elapsed;
  }

  /** Sets the wall clock, as an administrator would: no time passes, and no task falls due for it. */
  jump(byMs: number): void {
    this.#jumpedMs += byMs;
  }

  schedule(delayMs: number, task: () => void): () => void {
    const id = this.#nextId++;
    this.#tasks.set(id, { at: this.#elapsed + Math.max(0, delayMs), task });
    return () => this.#tasks.delete(id);
  }

  yield(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  /** The time of the next task by the wall clock, or undefined. */
  get nextTaskAt(): TimestampMs | undefined {
    let earliest: number | undefined;
    for (const { at } of this.#tasks.values()) if (earliest === undefined || at < earliest) earliest = at;
    return earliest === undefined ? undefined : earliest + this.#jumpedMs;
  }

  /** @param timestamp by the wall clock as it is set now */
  advanceTo(timestamp: TimestampMs): void {
    const end = timestamp - this.#jumpedMs;
    for (;;) {
      let due: { id: number; at: number; task: () => void } | undefined;
      for (const [id, { at, task }] of this.#tasks) {
        if (at <= end && (due === undefined || at < due.at)) due = { id, at, task };
      }
      if (due === undefined) break;
      this.#tasks.delete(due.id);
      this.#elapsed = Math.max(this.#elapsed, due.at);
      due.task();
    }
    this.#elapsed = Math.max(this.#elapsed, end);
  }
}
