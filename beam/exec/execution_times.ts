/**
 * Where the time of a bundle goes, by transform: of some of its slices each way from one transform to the next is timed,
 * and the time of all is shared out in the same proportion. Timing each element would cost more than many a DoFn does.
 */
import type { Clock } from "../platform/clock.js";

/** Of so many slices one is timed, the first in any case. */
const SLICES = 16;
/** Ways that are timed in one slice, at most: one element of a source may be a slice of very many. */
const ENTERS_MAX = 4_096;

export class ExecutionTimes {
  /** ms by id of transform, of the slices that were timed. */
  readonly #timed = new Map<string, number>();
  #slices = 0;
  #enters = 0;
  #timedMs = 0;
  #allMs = 0;
  #beganMs = 0;
  #current = "";
  #markMs = 0;
  isTiming = false;

  constructor(private readonly clock: Clock) {}

  reset(): void {
    this.#timed.clear();
    this.#slices = 0;
    this.#timedMs = 0;
    this.#allMs = 0;
    this.isTiming = false;
  }

  /** @param id of the transform that the slice comes from */
  begin(id: string): void {
    this.isTiming = this.#slices++ % SLICES === 0;
    this.#beganMs = this.clock.elapsed();
    this.#current = id;
    this.#markMs = this.#beganMs;
    this.#enters = 0;
  }

  /** From here on another transform is at work. */
  enter(id: string): void {
    if (!this.isTiming) return;
    const now = this.clock.elapsed();
    this.#timed.set(this.#current, (this.#timed.get(this.#current) ?? 0) + now - this.#markMs);
    this.#current = id;
    this.#markMs = now;
    if (++this.#enters < ENTERS_MAX) return;
    this.#timedMs += now - this.#beganMs;
    this.isTiming = false;
  }

  end(): void {
    this.#allMs += this.clock.elapsed() - this.#beganMs;
    if (!this.isTiming) return;
    this.enter("");
    if (this.isTiming) this.#timedMs += this.#markMs - this.#beganMs;
    this.isTiming = false;
  }

  /** Estimated ms of the bundle so far, by id of transform. */
  *all(): Iterable<[string, number]> {
    if (this.#timedMs <= 0) return;
    const factor = this.#allMs / this.#timedMs;
    for (const [id, ms] of this.#timed) if (id !== "") yield [id, ms * factor];
  }
}
