/** A binary min-heap of values by time, in two parallel arrays: no object per entry. */

export class ExpiryHeap<T> {
  readonly #timesMs: number[] = [];
  readonly #values: T[] = [];

  get size(): number {
    return this.#values.length;
  }

  /** +∞ when empty. */
  get nextMs(): number {
    return this.#timesMs.length === 0 ? Number.POSITIVE_INFINITY : this.#timesMs[0]!;
  }

  push(timeMs: number, value: T): void {
    const times = this.#timesMs;
    const values = this.#values;
    let at = times.length;
    times.push(timeMs);
    values.push(value);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const parentMs = times[parent]!;
      if (parentMs <= timeMs) break;
      times[at] = parentMs;
      values[at] = values[parent]!;
      at = parent;
    }
    times[at] = timeMs;
    values[at] = value;
  }

  /** Undefined when empty. */
  pop(): T | undefined {
    const times = this.#timesMs;
    const values = this.#values;
    const first = values[0];
    const lastMs = times.pop();
    const last = values.pop();
    const size = times.length;
    if (lastMs === undefined || size === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && times[child + 1]! < times[child]!) child++;
      const childMs = times[child]!;
      if (childMs >= lastMs) break;
      times[at] = childMs;
      values[at] = values[child]!;
      at = child;
    }
    times[at] = lastMs;
    values[at] = last!;
    return first;
  }
}
