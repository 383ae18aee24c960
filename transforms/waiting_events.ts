/**
 * The events of one kind that wait under one order_id: found by their ids, and taken out in the order of their times.
 * A few lie in a plain array, as nearly all keys have no more than one or two. Many get an index and a heap, so that
 * no step costs more because others wait too.
 */
import type { Order, Payment } from "../schemas/events.js";

export class WaitingEvent<E extends Order | Payment> {
  /** The next one that came with the same id. */
  nextOfId: WaitingEvent<E> | undefined = undefined;

  /**
   * @param reachMs T when it came, by which a paired one has paired others
   * @param cameFirst none of its kind waited when it came: its kind's timer without a tag is its own
   */
  constructor(
    readonly kind: E extends Payment ? "payment" : "order",
    readonly event: E,
    public isPaired: boolean,
    readonly reachMs: number,
    readonly cameFirst = false,
  ) {}
}

/** More than these are worth an index. */
const FEW = 32;

/** Never changed: most keys have events of one kind, and one of it. What is read for each element allocates little. */
const NONE: WaitingEvent<never>[] = [];

export class WaitingEvents<E extends Order | Payment> {
  /** In the order of their coming; with an index a binary heap, the earliest first. */
  #events: WaitingEvent<E>[] = NONE;
  /** Who came first, as long as it waits: none else waited then. */
  first: WaitingEvent<E> | undefined = undefined;
  /** The first of each id; undefined while there are few. */
  #index: Map<string, WaitingEvent<E>> | undefined;

  constructor(private readonly idOf: (event: E) => string) {}

  get size(): number {
    return this.#events.length;
  }

  [Symbol.iterator](): IterableIterator<WaitingEvent<E>> {
    return this.#events[Symbol.iterator]();
  }

  /** For whoever shows what is in state. */
  toJSON(): readonly { readonly event: E; readonly isPaired: boolean }[] {
    return this.#events.map(({ event, isPaired }) => ({ event, isPaired }));
  }

  /** The first that came with this id; the others follow by `nextOfId`. */
  withId(id: string): WaitingEvent<E> | undefined {
    if (this.#index !== undefined) return this.#index.get(id);
    for (const waiting of this.#events) if (this.idOf(waiting.event) === id) return waiting;
    return undefined;
  }

  add(waiting: WaitingEvent<E>): void {
    if (waiting.cameFirst) this.first = waiting;
    if (this.#events === NONE) {
      this.#events = [waiting];
      return;
    }
    const id = this.idOf(waiting.event);
    let last = this.withId(id);
    if (last !== undefined) {
      while (last.nextOfId !== undefined) last = last.nextOfId;
      last.nextOfId = waiting;
    } else {
      this.#index?.set(id, waiting);
    }
    this.#events.push(waiting);
    if (this.#index !== undefined) this.#rise(this.#events.length - 1);
    else if (this.#events.length > FEW) this.#buildIndex();
  }

  hasCreatedBefore(bound: number): boolean {
    const events = this.#events;
    if (this.#index !== undefined) return events.length > 0 && events[0]!.event.created_at < bound;
    for (const { event } of events) if (event.created_at < bound) return true;
    return false;
  }

  /** Looks at all of them. */
  isPairedBefore(bound: number): boolean {
    for (const { event, isPaired } of this.#events) if (event.created_at < bound && !isPaired) return false;
    return true;
  }

  /** Takes out those created before `bound`, `countMax` at most: by created_at, those of one instant by id. */
  take(bound: number, countMax: number): WaitingEvent<E>[] {
    const taken = this.#take(bound, countMax);
    if (this.first !== undefined && taken.includes(this.first)) this.first = undefined;
    return taken;
  }

  #take(bound: number, countMax: number): WaitingEvent<E>[] {
    if (this.#index !== undefined) {
      const taken: WaitingEvent<E>[] = [];
      while (taken.length < countMax && this.hasCreatedBefore(bound)) taken.push(this.#takeEarliest());
      return taken;
    }
    if (countMax <= 0 || !this.hasCreatedBefore(bound)) return NONE;
    if (this.#events.length === 1) {
      const alone = this.#events;
      this.#events = NONE;
      return alone;
    }
    const due = this.#events.filter(({ event }) => event.created_at < bound);
    due.sort((a, b) => (this.#isBefore(a, b) ? -1 : 1));
    due.length = Math.min(due.length, countMax);
    for (const waiting of due) this.#unlink(waiting);
    const left = this.#events.filter((waiting) => !due.includes(waiting));
    this.#events = left.length === 0 ? NONE : left;
    return due;
  }

  #takeEarliest(): WaitingEvent<E> {
    const events = this.#events;
    const earliest = events[0]!;
    // While it is still found by its id.
    this.#unlink(earliest);
    const last = events.pop()!;
    if (events.length > 0) {
      events[0] = last;
      this.#sink(0);
    }
    return earliest;
  }

  /** Takes it out of the chain of its id. */
  #unlink(waiting: WaitingEvent<E>): void {
    const id = this.idOf(waiting.event);
    const first = this.withId(id)!;
    if (first === waiting) {
      if (waiting.nextOfId === undefined) this.#index?.delete(id);
      else this.#index?.set(id, waiting.nextOfId);
      return;
    }
    let before = first;
    while (before.nextOfId !== waiting) before = before.nextOfId!;
    before.nextOfId = waiting.nextOfId;
  }

  #buildIndex(): void {
    const index = new Map<string, WaitingEvent<E>>();
    for (const waiting of this.#events) {
      const id = this.idOf(waiting.event);
      if (!index.has(id)) index.set(id, waiting);
    }
    this.#index = index;
    for (let at = this.#events.length >>> 1; at >= 0; at--) this.#sink(at);
  }

  #isBefore(a: WaitingEvent<E>, b: WaitingEvent<E>): boolean {
    const difference = a.event.created_at - b.event.created_at;
    return difference !== 0 ? difference < 0 : this.idOf(a.event) < this.idOf(b.event);
  }

  #rise(from: number): void {
    const events = this.#events;
    const waiting = events[from]!;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (!this.#isBefore(waiting, events[parent]!)) break;
      events[at] = events[parent]!;
      at = parent;
    }
    events[at] = waiting;
  }

  #sink(from: number): void {
    const events = this.#events;
    const waiting = events[from]!;
    const count = events.length;
    let at = from;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= count) break;
      if (child + 1 < count && this.#isBefore(events[child + 1]!, events[child]!)) child++;
      if (!this.#isBefore(events[child]!, waiting)) break;
      events[at] = events[child]!;
      at = child;
    }
    events[at] = waiting;
  }
}
