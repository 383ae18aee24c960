import type { Coder } from "../../model/coders/coder.js";
import type { ValueState } from "../../sdk/state.js";
import type { StateOfKey } from "../keyed_state.js";
import { reader, writer } from "./scratch.js";
import type { StateCell } from "./state_cell.js";

/** One value of a key. */
export class ValueCell<T> implements StateCell, ValueState<T> {
  #state!: StateOfKey;
  #isLoaded = false;
  #isDirty = false;
  #value: T | undefined;

  constructor(
    private readonly coder: Coder<T>,
    private readonly number: number,
  ) {}

  bind(state: StateOfKey): void {
    this.#state = state;
    this.#isLoaded = false;
    this.#isDirty = false;
    this.#value = undefined;
  }

  read(): T | undefined {
    if (!this.#isLoaded) {
      this.#value = this.#state.get(this.number, reader) ? this.coder.decode(reader, "nested") : undefined;
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
      this.#state.delete(this.number);
      return;
    }
    writer.reset();
    this.coder.encode(this.#value, writer, "nested");
    this.#state.put(this.number, writer);
  }
}
