/**
 * How many elements a source's bundle may bring while a process is young. Code that has hardly run takes ten times as
 * long, and what a turn's elements lead to is out only with the commit behind it. So the first turns are small, and
 * twice as large when a few have been quick: the first elements do not wait for a thousand slow ones.
 */

const FIRST_SIZE = 64;
/** So many turns of full source bundles that took no longer than this let the next be twice as large. */
const QUICK_TURNS = 4;
const QUICK_TURN_MS = 20;

export class SlowStart {
  #size: number;
  /** Of this size, one after the other. */
  #quickTurns = 0;
  /** Of the present turn. */
  #broughtMax = 0;

  /** @param sizeMax what it comes to */
  constructor(private readonly sizeMax: number) {
    this.#size = Math.min(FIRST_SIZE, sizeMax);
  }

  /** Elements that a source's bundle may bring now. */
  get size(): number {
    return this.#size;
  }

  /** @param count of elements that a source's bundle has brought in this turn */
  brought(count: number): void {
    this.#broughtMax = Math.max(this.#broughtMax, count);
  }

  /** A turn that was not full says nothing of how long a larger one would take. */
  endTurn(tookMs: number): void {
    const wasFull = this.#broughtMax >= this.#size / 2;
    this.#broughtMax = 0;
    if (!wasFull || this.#size === this.sizeMax) return;
    this.#quickTurns = tookMs <= QUICK_TURN_MS ? this.#quickTurns + 1 : 0;
    if (this.#quickTurns < QUICK_TURNS) return;
    this.#quickTurns = 0;
    this.#size = Math.min(this.sizeMax, this.#size * 2);
  }
}
