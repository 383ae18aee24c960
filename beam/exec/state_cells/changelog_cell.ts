import { type ByteReader, ByteWriter } from "../../model/bytes.js";
import { applyChanges, type Changelog, type ChangelogState } from "../../sdk/state.js";
import type { StateOfKey } from "../keyed_state.js";
import { reader } from "./scratch.js";
import type { StateCell } from "./state_cell.js";

/** A value of which less is stored is read anew for each element, which costs less than to remember it. */
const REMEMBERED_BYTES_MIN = 512;
/** So many changes are stored without a look at how many would do. */
const CHANGES_MIN = 32;

/** What is remembered of a large value. */
interface ChangedValue<V> {
  readonly value: V;
  readonly changes: number;
}

/**
 * A small value as a whole; a larger one as it was at some time, and the changes behind it. A large value is not read
 * back for each element: it is remembered beside its bytes.
 */
export class ChangelogCell<V, C> implements StateCell, ChangelogState<V, C> {
  #state!: StateOfKey;
  #isLoaded = false;
  #value: V | undefined;
  /** About how many changes reading it back applies. */
  #changes = 0;
  /** Of what is in the table. */
  #storedBytes = 0;
  #isCleared = false;
  /** Changed by this element, and so small that it is stored whole. */
  #isWhole = false;
  /** All that this element added can wait. */
  #canWait = true;
  /** What this element added, encoded. */
  readonly #added = new ByteWriter(256);

  constructor(
    private readonly log: Changelog<V, C>,
    private readonly number: number,
    /** A stored value that takes less is replaced as a whole. */
    private readonly wholeBelowBytes: number,
  ) {}

  bind(state: StateOfKey): void {
    this.#state = state;
    this.#isLoaded = false;
    this.#isCleared = false;
    this.#isWhole = false;
    this.#canWait = true;
    this.#added.reset();
  }

  read(): V {
    if (!this.#isLoaded) this.#load();
    return this.#value!;
  }

  peek(look: (bytes: ByteReader) => void): boolean {
    if (this.#isLoaded || this.#isCleared || !this.#state.get(this.number, reader)) return false;
    if (reader.remaining >= REMEMBERED_BYTES_MIN) return false;
    look(reader);
    return reader.remaining === 0;
  }

  replace(write: (bytes: ByteWriter) => void): void {
    if (this.#isLoaded || this.#isCleared)
      throw new Error("the value was read or changed since it was looked at");
    write(this.#added);
    this.#state.put(this.number, this.#added);
    this.#added.reset();
  }

  add(change: C, canWait = false): void {
    this.log.apply(this.read(), change);
    if (this.#storedBytes === 0 || this.#storedBytes < this.wholeBelowBytes) {
      this.#isWhole = true;
      return;
    }
    this.#canWait &&= canWait;
    this.log.changeCoder.encode(change, this.#added, "nested");
    this.#changes++;
  }

  clear(): void {
    this.#isCleared = true;
    this.#isWhole = false;
    this.#isLoaded = false;
    this.#added.reset();
    this.#storedBytes = 0;
  }

  flush(): void {
    if (this.#isCleared) {
      this.#isCleared = false;
      this.#state.delete(this.number);
      this.#state.remember(this.number, undefined, 0);
    }
    if (!this.#isWhole && this.#added.length === 0) return;
    const value = this.#value!;
    const isLong = this.#changes > CHANGES_MIN && this.#changes > 2 * this.log.sizeOf(value);
    if (this.#isWhole || isLong) {
      const wasRemembered = this.#storedBytes >= REMEMBERED_BYTES_MIN;
      this.#isWhole = false;
      this.#added.reset();
      this.log.coder.encode(value, this.#added, "nested");
      this.#state.put(this.number, this.#added);
      this.#storedBytes = this.#added.length;
      this.#changes = this.log.sizeOf(value);
      if (wasRemembered && this.#storedBytes < REMEMBERED_BYTES_MIN) {
        this.#state.remember(this.number, undefined, 0);
      }
    } else {
      this.#state.append(this.number, this.#added, this.#canWait);
      this.#storedBytes += this.#added.length;
    }
    this.#added.reset();
    if (this.#storedBytes >= REMEMBERED_BYTES_MIN) {
      const loaded: ChangedValue<V> = { value, changes: this.#changes };
      this.#state.remember(this.number, loaded, this.#storedBytes);
    }
  }

  #load(): void {
    this.#isLoaded = true;
    if (this.#isCleared || !this.#state.get(this.number, reader)) {
      this.#storedBytes = 0;
      this.#value = this.log.create();
      this.#changes = 0;
      return;
    }
    this.#storedBytes = reader.remaining;
    if (this.#storedBytes >= REMEMBERED_BYTES_MIN) {
      const remembered = this.#state.recall(this.number) as ChangedValue<V> | undefined;
      if (remembered !== undefined) {
        this.#value = remembered.value;
        this.#changes = remembered.changes;
        return;
      }
    }
    const { log } = this;
    const value = log.coder.decode(reader, "nested");
    this.#value = value;
    this.#changes = log.sizeOf(value) + applyChanges(log, value, reader);
  }
}
