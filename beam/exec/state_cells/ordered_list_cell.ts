import { ByteWriter } from "../../model/bytes.js";
import type { Coder } from "../../model/coders/coder.js";
import { LengthPrefixCoder } from "../../model/coders/length_prefix_coder.js";
import type { OrderedListState, Sorted } from "../../sdk/state.js";
import type { StateOfKey } from "../keyed_state.js";
import { reader, writer } from "./scratch.js";
import type { StateCell } from "./state_cell.js";

/** In the table in the order of its coming; it is sorted when it is read. */
export class OrderedListCell<T> implements StateCell, OrderedListState<T> {
  readonly #coder: LengthPrefixCoder<T>;
  #state!: StateOfKey;
  /** What is in the table and what was added; undefined until somebody asks. */
  #values: Sorted<T>[] | undefined;
  #isSorted = false;
  /** `#values` is to replace what is in the table. */
  #isRewritten = false;
  /** What this element added, encoded. */
  readonly #added = new ByteWriter(64);

  constructor(
    coder: Coder<T>,
    private readonly number: number,
  ) {
    this.#coder = new LengthPrefixCoder(coder);
  }

  bind(state: StateOfKey): void {
    this.#state = state;
    this.#values = undefined;
    this.#isRewritten = false;
    this.#added.reset();
  }

  add(sortKey: number, value: T): void {
    if (!Number.isSafeInteger(sortKey)) throw new TypeError(`an ordered list: ${sortKey} is not a sort key`);
    if (!this.#isRewritten) this.#encode(sortKey, value, this.#added);
    this.#values?.push({ sortKey, value });
    this.#isSorted = false;
  }

  read(): Sorted<T>[] {
    return [...this.#loaded()];
  }

  readRange(min: number, limit: number): Sorted<T>[] {
    return this.#loaded().filter(({ sortKey }) => sortKey >= min && sortKey < limit);
  }

  clearRange(min: number, limit: number): void {
    const values = this.#loaded();
    const left = values.filter(({ sortKey }) => sortKey < min || sortKey >= limit);
    if (left.length < values.length) this.#replace(left);
  }

  isEmpty(): boolean {
    return this.#loaded().length === 0;
  }

  clear(): void {
    this.#replace([]);
  }

  flush(): void {
    if (this.#isRewritten) {
      this.#isRewritten = false;
      writer.reset();
      for (const { sortKey, value } of this.#loaded()) this.#encode(sortKey, value, writer);
      if (writer.length === 0) this.#state.delete(this.number);
      else this.#state.put(this.number, writer);
    } else if (this.#added.length > 0) {
      this.#state.append(this.number, this.#added);
      this.#added.reset();
    }
  }

  #replace(values: Sorted<T>[]): void {
    this.#values = values;
    this.#isRewritten = true;
    this.#added.reset();
  }

  #loaded(): Sorted<T>[] {
    if (this.#values === undefined) {
      this.#values = [];
      this.#isSorted = false;
      if (this.#state.get(this.number, reader)) this.#decodeAll(this.#values);
      reader.reset(this.#added.buffer, 0, this.#added.length);
      this.#decodeAll(this.#values);
    }
    if (!this.#isSorted) {
      this.#values.sort((a, b) => a.sortKey - b.sortKey);
      this.#isSorted = true;
    }
    return this.#values;
  }

  #encode(sortKey: number, value: T, out: ByteWriter): void {
    out.writeVarint(sortKey);
    this.#coder.encode(value, out, "nested");
  }

  #decodeAll(values: Sorted<T>[]): void {
    while (reader.remaining > 0) {
      values.push({ sortKey: reader.readVarint(), value: this.#coder.decode(reader, "nested") });
    }
  }
}
