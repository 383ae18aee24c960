import { ByteWriter } from "../../model/bytes.js";
import type { Coder } from "../../model/coders/coder.js";
import type { MultimapState } from "../../sdk/state.js";
import type { MultimapTable } from "../services.js";
import { reader, writer } from "./scratch.js";
import type { StateCell } from "./state_cell.js";

/** Each change is in the table at once: it touches one map key. */
export class MultimapCell<K, V> implements StateCell, MultimapState<K, V> {
  #key!: ByteWriter;
  readonly #mapKey = new ByteWriter(64);

  constructor(
    private readonly keyCoder: Coder<K>,
    private readonly valueCoder: Coder<V>,
    private readonly table: MultimapTable,
  ) {}

  bind(key: ByteWriter): void {
    this.#key = key;
  }

  get(key: K): V[] {
    const values: V[] = [];
    if (this.table.get(this.#key, this.#encoded(key), reader)) {
      while (reader.remaining > 0) values.push(this.valueCoder.decode(reader, "nested"));
    }
    return values;
  }

  put(key: K, value: V): void {
    writer.reset();
    this.valueCoder.encode(value, writer, "nested");
    this.table.append(this.#key, this.#encoded(key), writer);
  }

  delete(key: K): void {
    this.table.delete(this.#key, this.#encoded(key));
  }

  keys(): K[] {
    return this.table.keys(this.#key).map((bytes) => this.keyCoder.decode(reader.reset(bytes), "nested"));
  }

  isEmpty(): boolean {
    return this.table.keys(this.#key).length === 0;
  }

  clear(): void {
    this.table.clear(this.#key);
  }

  flush(): void {}

  #encoded(key: K): ByteWriter {
    this.#mapKey.reset();
    this.keyCoder.encode(key, this.#mapKey, "nested");
    return this.#mapKey;
  }
}
