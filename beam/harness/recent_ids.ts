/** Ids of what is over, the last so many of them. */
export class RecentIds {
  readonly #ids = new Set<string>();

  constructor(private readonly countMax: number) {}

  add(id: string): void {
    this.#ids.add(id);
    if (this.#ids.size <= this.countMax) return;
    const [oldest] = this.#ids;
    this.#ids.delete(oldest!);
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }
}
