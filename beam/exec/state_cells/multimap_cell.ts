import { ByteWriter } from "../../model/bytes.js";
import type { Coder } from "../../model/coders/coder.js";
import type { MultimapState } from "../../sdk/state.js";
import type { StateOfKey } from "../keyed_state.js";
import { reader, writer } from "./scratch.js";
import type { StateCell } from "./state_cell.js";

/** Each change is in the table at once: it touches one map key. */
export class MultimapCell<K, V> implements StateCell, MultimapState<K, V> {
  #state!: StateOfKey;
  readonly #mapKey = new ByteWriter(64);

  constructor(
    private readonly keyCoder: Coder<K>,
    private readonly valueCoder: Coder<V>,
    private readonly number: number,
  ) {}

  bind(state: StateOfKey): void {
    this.#state = state;
  }

  get(key: K): V[] {
    const values: V[] = [];
    if (this.#state.getMapped(this.number, this.#encoded(key), reader)) {
      while (reader.remaining > 0) values.push(this.valueCoder.decode(reader, "nested"));
    }
    return values;
  }

  put(key: K, value: V): void {
    writer.reset();
    this.valueCoder.encode(value, writer, "nested");
    this.#state.appendMapped(this.number, this.#encoded(key), writer);
  }

  delete(key: K): void {
    this.#state.deleteMapped(this.number, this.#encoded(key));
  }

  keys(): K[] {
    return this.#state
      .mapKeys(this.number)
      .map((bytes) => this.keyCoder.decode(reader.reset(bytes), "nested"));
  }

  isEmpty(): boolean {
    return this.#state.mapKeys(this.number).length === 0;
  }

  clear(): void {
    this.#state.clearMultimap(this.number);
  }

  flush(): void {}

  #encoded(key: K): ByteWriter {
    this.#mapKey.reset();
    this.keyCoder.encode(key, this.#mapKey, "nested");
    return this.#mapKey;
  }
}
