import { ByteWriter } from "../../model/bytes.js";
import type { Coder } from "../../model/coders/coder.js";
import type { BagState } from "../../sdk/state.js";
import type { StateOfKey } from "../keyed_state.js";
import { reader } from "./scratch.js";
import type { StateCell } from "./state_cell.js";

/** Values that are added to, encoded one behind the other. */
export class BagCell<T> implements StateCell, BagState<T> {
  #state!: StateOfKey;
  #isCleared = false;
  /** What this element added, encoded. */
  readonly #added = new ByteWriter(64);

  constructor(
    private readonly coder: Coder<T>,
    private readonly number: number,
  ) {}

  bind(state: StateOfKey): void {
    this.#state = state;
    this.#isCleared = false;
    this.#added.reset();
  }

  read(): T[] {
    const values: T[] = [];
    if (!this.#isCleared && this.#state.get(this.number, reader)) this.#decodeAll(values);
    reader.reset(this.#added.buffer, 0, this.#added.length);
    this.#decodeAll(values);
    return values;
  }

  #decodeAll(values: T[]): void {
    while (reader.remaining > 0) values.push(this.coder.decode(reader, "nested"));
  }

  add(value: T): void {
    this.coder.encode(value, this.#added, "nested");
  }

  isEmpty(): boolean {
    return this.#added.length === 0 && (this.#isCleared || !this.#state.get(this.number, reader));
  }

  clear(): void {
    this.#isCleared = true;
    this.#added.reset();
  }

  flush(): void {
    if (this.#isCleared) {
      this.#state.delete(this.number);
      this.#isCleared = false;
    }
    if (this.#added.length > 0) {
      this.#state.append(this.number, this.#added);
      this.#added.reset();
    }
  }
}
