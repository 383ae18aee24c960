import { ByteWriter } from "../../model/bytes.js";
import { type Changelog, type ChangelogState, readChangelog } from "../../sdk/state.js";
import type { StateOfKey } from "../keyed_state.js";
import { reader } from "./scratch.js";
import type { StateCell } from "./state_cell.js";

/** A value of which less is stored is read anew for each element, which costs less than to remember it. */
const REMEMBERED_BYTES_MIN = 2048;
/** So many changes are stored without a look at how many would do. */
const CHANGES_MIN = 32;

interface ChangedValue<V> {
  readonly value: V;
  /** About how many changes reading it back applies. */
  changes: number;
}

/**
 * A small value as a whole; a larger one as it was at some time, and the changes behind it. A large value is not read
 * back for each element: it is remembered beside its bytes.
 */
export class ChangelogCell<V, C> implements StateCell, ChangelogState<V, C> {
  #state!: StateOfKey;
  #loaded: ChangedValue<V> | undefined;
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
    this.#loaded = undefined;
    this.#isCleared = false;
    this.#isWhole = false;
    this.#canWait = true;
    this.#added.reset();
  }

  read(): V {
    this.#loaded ??= this.#load();
    return this.#loaded.value;
  }

  add(change: C, canWait = false): void {
    this.#loaded ??= this.#load();
    this.log.apply(this.#loaded.value, change);
    if (this.#storedBytes === 0 || this.#storedBytes < this.wholeBelowBytes) {
      this.#isWhole = true;
      return;
    }
    this.#canWait &&= canWait;
    this.log.changeCoder.encode(change, this.#added, "nested");
    this.#loaded.changes++;
  }

  clear(): void {
    this.#isCleared = true;
    this.#isWhole = false;
    this.#loaded = undefined;
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
    const loaded = this.#loaded!;
    const isLong = loaded.changes > CHANGES_MIN && loaded.changes > 2 * this.log.sizeOf(loaded.value);
    if (this.#isWhole || isLong) {
      const wasRemembered = this.#storedBytes >= REMEMBERED_BYTES_MIN;
      this.#isWhole = false;
      this.#added.reset();
      this.log.coder.encode(loaded.value, this.#added, "nested");
      this.#state.put(this.number, this.#added);
      this.#storedBytes = this.#added.length;
      loaded.changes = this.log.sizeOf(loaded.value);
      if (wasRemembered && this.#storedBytes < REMEMBERED_BYTES_MIN) {
        this.#state.remember(this.number, undefined, 0);
      }
    } else {
      this.#state.append(this.number, this.#added, this.#canWait);
      this.#storedBytes += this.#added.length;
    }
    this.#added.reset();
    if (this.#storedBytes >= REMEMBERED_BYTES_MIN) {
      this.#state.remember(this.number, loaded, this.#storedBytes);
    }
  }

  #load(): ChangedValue<V> {
    if (this.#isCleared || !this.#state.get(this.number, reader)) {
      this.#storedBytes = 0;
      return { value: this.log.create(), changes: 0 };
    }
    this.#storedBytes = reader.remaining;
    if (this.#storedBytes >= REMEMBERED_BYTES_MIN) {
      const remembered = this.#state.recall(this.number);
      if (remembered !== undefined) return remembered as ChangedValue<V>;
    }
    return readChangelog(this.log, reader);
  }
}
