/**
 * The same message again and again says no more than the first few times, and hides what else there is to read. So of
 * each so many go through in a span of time, and at its end one line says how often it came. What is the same: level
 * and sentence; the fields beside it may differ.
 */
import { systemClock } from "@order-payment-stream/beam/io";

const PASS_MAX = 10;
const SPAN_MS = 10_000;
/** Different messages that are remembered; beyond that all begin anew. */
const REMEMBERED_MAX = 1_000;

interface Repeated {
  sinceMs: number;
  count: number;
}

export class Repetition {
  readonly #messages = new Map<string, Repeated>();

  /** @param tell how often a message has been left out */
  constructor(
    private readonly tell: (level: string, message: string, leftOut: number) => void,
    private readonly now: () => number = () => systemClock.elapsed(),
  ) {}

  /** Whether it is to be written. */
  passes(level: string, message: string): boolean {
    const nowMs = this.now();
    const key = `${level} ${message}`;
    const known = this.#messages.get(key);
    if (known === undefined || nowMs - known.sinceMs >= SPAN_MS) {
      if (known !== undefined) this.#end(key, known);
      if (this.#messages.size >= REMEMBERED_MAX) this.flush();
      this.#messages.set(key, { sinceMs: nowMs, count: 1 });
      return true;
    }
    known.count++;
    return known.count <= PASS_MAX;
  }

  /** Tells what was left out so far, of messages whose span is over or of all. */
  flush(areAll = true): void {
    const nowMs = this.now();
    for (const [key, repeated] of [...this.#messages]) {
      if (!areAll && nowMs - repeated.sinceMs < SPAN_MS) continue;
      this.#messages.delete(key);
      this.#end(key, repeated);
    }
  }

  #end(key: string, { count }: Repeated): void {
    const blank = key.indexOf(" ");
    if (count > PASS_MAX) this.tell(key.slice(0, blank), key.slice(blank + 1), count - PASS_MAX);
  }
}
