/**
 * The simulated world's time: what is to happen, and when. One event at a time is run to its end, with everything that
 * it sets off without waiting; then time jumps to the next. Of events that are due together the seed picks the order,
 * so that whatever real input and output may do, some seed does.
 *
 * The trace is a hash over all that happened. Two runs of one seed have the same trace, or something in them asked the
 * machine for the time, for chance, or for input and output.
 */
import type { Random } from "../../../producers/random.js";

/** Whoever waits for an event. Nothing happens any more to one that has died. */
export interface Owner {
  readonly name: string;
  readonly isAlive: boolean;
  /** Nothing happens to one that is frozen before this time. */
  readonly sleepsUntilMs?: number;
}

/** Brokers, servers, producers: they outlive the process under test. */
export const WORLD: Owner = { name: "world", isAlive: true };

interface Event {
  atMs: number;
  readonly tie: number;
  readonly owner: Owner;
  readonly what: string;
  task: (() => void) | undefined;
}

export class EventLoop {
  /** World time, in whole ms. */
  nowMs: number;
  steps = 0;
  readonly #heap: Event[] = [];
  #hash = 0x811c9dc5;

  constructor(
    startMs: number,
    private readonly random: Random,
    private readonly onTrace?: (line: string) => void,
  ) {
    this.nowMs = startMs;
  }

  /** Returns a function that cancels it. */
  after(delayMs: number, owner: Owner, what: string, task: () => void): () => void {
    const atMs = this.nowMs + Math.max(0, Math.ceil(delayMs));
    const event: Event = { atMs, tie: this.random.next(), owner, what, task };
    this.#push(event);
    return () => {
      event.task = undefined;
    };
  }

  /** Resolves when the time is over; never if the owner dies before. */
  wait(delayMs: number, owner: Owner, what: string): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, owner, what, resolve));
  }

  /** Takes something into the trace. */
  note(what: string): void {
    this.#mix(what);
    this.onTrace?.(`${this.nowMs} ${what}`);
  }

  get trace(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0");
  }

  /** Runs the next event and all that follows from it at once. False when nothing is left to happen. */
  async step(): Promise<boolean> {
    for (;;) {
      const event = this.#pop();
      if (event === undefined) return false;
      const { task, owner, atMs, what } = event;
      if (task === undefined || !owner.isAlive) continue;
      const { sleepsUntilMs = atMs } = owner;
      if (sleepsUntilMs > atMs) {
        event.atMs = sleepsUntilMs;
        this.#push(event);
        continue;
      }
      this.nowMs = atMs;
      this.steps++;
      this.note(`${owner.name}: ${what}`);
      task();
      // Promises settle before the machine's own event loop comes to this.
      await new Promise((resolve) => setImmediate(resolve));
      return true;
    }
  }

  #mix(text: string): void {
    let hash = Math.imul(this.#hash ^ (this.nowMs & 0xffffffff), 0x01000193);
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    this.#hash = hash;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (!isBefore(event, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): Event | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || first === last) return first;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.tie < b.tie);
}
