import type { ByteWriter } from "../../model/bytes.js";
import type { Coder } from "../../model/coders/coder.js";
import type { ValueState } from "../../sdk/state.js";
import type { StateTable } from "../services.js";
import { reader, writer } from "./scratch.js";
import type { StateCell } from "./state_cell.js";

/** One value of a key. */
export class ValueCell<T> implements StateCell, ValueState<T> {
  #key!: ByteWriter;
  #isLoaded = false;
  #isDirty = false;
  #value: T | undefined;

  constructor(
    private readonly coder: Coder<T>,
    private readonly table: StateTable,
  ) {}

  bind(key: ByteWriter): void {
    this.#key = key;
    this.#isLoaded = false;
    this.#isDirty = false;
    this.#value = undefined;
  }

  read(): T | undefined {
    if (!this.#isLoaded) {
      this.#value = this.table.get(this.#key, reader) ? this.coder.decode(reader, "nested") : undefined;
      this.#isLoaded = true;
    }
    return this.#value;
  }

  write(value: T): void {
    this.#value = value;
    this.#isLoaded = true;
    this.#isDirty = true;
  }

  clear(): void {
    this.#value = undefined;
    this.#isLoaded = true;
    this.#isDirty = true;
  }

  flush(): void {
    if (!this.#isDirty) return;
    this.#isDirty = false;
    if (this.#value === undefined) {
      this.table.delete(this.#key);
      return;
    }
    writer.reset();
    this.coder.encode(this.#value, writer, "nested");
    this.table.put(this.#key, writer);
  }
}
