/**
 * Values by their keys, in the order of their last use, with what they weigh. The order is a list of links, since to
 * find the oldest entry of a Map that others were deleted from is to walk over what they have left behind.
 */
interface Entry<V> {
  readonly key: string;
  value: V;
  bytes: number;
  newer: Entry<V> | undefined;
  older: Entry<V> | undefined;
}

/** A bounded map that forgets what was not used for longest. */
export class LeastRecentlyUsed<V> {
  readonly #entries = new Map<string, Entry<V>>();
  #newest: Entry<V> | undefined;
  #oldest: Entry<V> | undefined;
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Counts as a use. */
  get(key: string): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#touch(entry);
    return entry.value;
  }

  /** Counts as a use. @param bytes what it weighs */
  set(key: string, value: V, bytes: number): void {
    const present = this.#entries.get(key);
    if (present !== undefined) {
      this.#bytes += bytes - present.bytes;
      present.value = value;
      present.bytes = bytes;
      this.#touch(present);
      return;
    }
    const entry: Entry<V> = { key, value, bytes, newer: undefined, older: undefined };
    this.#entries.set(key, entry);
    this.#bytes += bytes;
    this.#append(entry);
  }

  /** The value, which is gone from here. */
  delete(key: string): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
    this.#unlink(entry);
    return entry.value;
  }

  /** Forgets what was used longest ago. */
  dropOldest(): void {
    if (this.#oldest !== undefined) this.delete(this.#oldest.key);
  }

  #touch(entry: Entry<V>): void {
    if (entry === this.#newest) return;
    this.#unlink(entry);
    this.#append(entry);
  }

  #append(entry: Entry<V>): void {
    entry.older = this.#newest;
    entry.newer = undefined;
    if (this.#newest === undefined) this.#oldest = entry;
    else this.#newest.newer = entry;
    this.#newest = entry;
  }

  #unlink({ older, newer }: Entry<V>): void {
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
  }
}
