/**
 * A binary min-heap of what is still to be sent, by time of arrival; equal times leave in the order in which
 * they came.
 */

export interface Arrival {
  /** ms since the epoch. */
  readonly arrivalMs: number;
}

export class ArrivalQueue<T extends Arrival> {
  private readonly items: T[] = [];
  private readonly ranks: number[] = [];
  private pushed = 0;

  get size(): number {
    return this.items.length;
  }

  /** +∞ when empty. */
  get nextArrivalMs(): number {
    return this.items.length === 0 ? Number.POSITIVE_INFINITY : this.items[0]!.arrivalMs;
  }

  push(item: T): void {
    const rank = this.pushed++;
    let at = this.items.length;
    this.items.push(item);
    this.ranks.push(rank);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.isBefore(item.arrivalMs, rank, parent)) break;
      this.move(parent, at);
      at = parent;
    }
    this.items[at] = item;
    this.ranks[at] = rank;
  }

  pop(): T | undefined {
    const { items, ranks } = this;
    const first = items[0];
    const item = items.pop();
    const rank = ranks.pop();
    const size = items.length;
    if (item === undefined || rank === undefined || size === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && this.isBefore(items[child + 1]!.arrivalMs, ranks[child + 1]!, child)) child++;
      if (this.isBefore(item.arrivalMs, rank, child)) break;
      this.move(child, at);
      at = child;
    }
    items[at] = item;
    ranks[at] = rank;
    return first;
  }

  private isBefore(arrivalMs: number, rank: number, index: number): boolean {
    const other = this.items[index]!.arrivalMs;
    return arrivalMs < other || (arrivalMs === other && rank < this.ranks[index]!);
  }

  private move(from: number, to: number): void {
    this.items[to] = this.items[from]!;
    this.ranks[to] = this.ranks[from]!;
  }
}
