import type { Coder } from "../../model/coders/coder.js";
import type { MapState } from "../../sdk/state.js";
import type { StateOfKey } from "../keyed_state.js";
import { reader, writer } from "./scratch.js";
import type { StateCell } from "./state_cell.js";

/** All entries in one record: key, value, key, value, …; found by their encoded keys. */
export class MapCell<K, V> implements StateCell, MapState<K, V> {
  #state!: StateOfKey;
  #entries: Map<string, [K, V]> | undefined;
  #isDirty = false;

  constructor(
    private readonly keyCoder: Coder<K>,
    private readonly valueCoder: Coder<V>,
    private readonly number: number,
  ) {}

  bind(state: StateOfKey): void {
    this.#state = state;
    this.#entries = undefined;
    this.#isDirty = false;
  }

  #loaded(): Map<string, [K, V]> {
    if (this.#entries === undefined) {
      this.#entries = new Map();
      if (this.#state.get(this.number, reader)) {
        while (reader.remaining > 0) {
          const key = this.keyCoder.decode(reader, "nested");
          const value = this.valueCoder.decode(reader, "nested");
          this.#entries.set(this.#identity(key), [key, value]);
        }
      }
    }
    return this.#entries;
  }

  #identity(key: K): string {
    writer.reset();
    this.keyCoder.encode(key, writer, "nested");
    return writer.view().toString("latin1");
  }

  get(key: K): V | undefined {
    return this.#loaded().get(this.#identity(key))?.[1];
  }

  set(key: K, value: V): void {
    this.#loaded().set(this.#identity(key), [key, value]);
    this.#isDirty = true;
  }

  delete(key: K): void {
    if (this.#loaded().delete(this.#identity(key))) this.#isDirty = true;
  }

  entries(): [K, V][] {
    return [...this.#loaded().values()].map(([key, value]) => [key, value]);
  }

  isEmpty(): boolean {
    return this.#loaded().size === 0;
  }

  clear(): void {
    this.#entries = new Map();
    this.#isDirty = true;
  }

  flush(): void {
    if (!this.#isDirty) return;
    this.#isDirty = false;
    const entries = this.#loaded();
    if (entries.size === 0) {
      this.#state.delete(this.number);
      return;
    }
    writer.reset();
    for (const [key, value] of entries.values()) {
      this.keyCoder.encode(key, writer, "nested");
      this.valueCoder.encode(value, writer, "nested");
    }
    this.#state.put(this.number, writer);
  }
}
