/**
 * The state cells of a stateful DoFn, bound to the key and window of the element at hand. A cell reads its bytes when
 * it is first asked, and writes back once, after the element: code that writes three times stores one value.
 */
import { ByteReader, ByteWriter } from "../model/bytes.js";
import type { Coder } from "../model/coders/coder.js";
import { LengthPrefixCoder } from "../model/coders/length_prefix_coder.js";
import type { AnyCombineFn } from "../sdk/combine_fn.js";
import {
  type BagState,
  type Changelog,
  type ChangelogState,
  type CombiningState,
  type MapState,
  type MultimapState,
  type OrderedListState,
  readChangelog,
  type Sorted,
  type StateSpec,
  type ValueState,
} from "../sdk/state.js";
import type { OperatorContext } from "./operator.js";
import type { ChangelogTable, MultimapTable, StateTable } from "./services.js";

export interface StateCell {
  /** Turns to another key: the writer's bytes are the encoded key and window, and stay until the next `flush`. */
  bind(key: ByteWriter): void;
  /** Writes what changed. */
  flush(): void;
  clear(): void;
}

/** The cell that a StatefulDoFn declares under a name. */
export function createCell(
  name: string,
  spec: StateSpec,
  { services, transformId }: Pick<OperatorContext, "services" | "transformId">,
): StateCell {
  switch (spec.kind) {
    case "value":
      return new ValueCell(spec.coder, services.stateTable(transformId, name));
    case "bag":
      return new BagCell(spec.coder, services.stateTable(transformId, name));
    case "map":
      return new MapCell(spec.keyCoder, spec.valueCoder, services.stateTable(transformId, name));
    case "combining":
      return new CombiningCell(spec.combineFn, services.stateTable(transformId, name));
    case "multimap": {
      const table = services.multimapTable(transformId, name, spec.keyCoder);
      return new MultimapCell(spec.keyCoder, spec.valueCoder, table);
    }
    case "changelog":
      return new ChangelogCell(spec.log, services.changelogTable(transformId, name));
    case "orderedList":
      return new OrderedListCell(spec.coder, services.stateTable(transformId, name, "orderedList"));
  }
}

// Coding runs to its end before another cell's begins, so one reader and one writer serve all cells.
const reader = new ByteReader();
const writer = new ByteWriter();

class ValueCell<T> implements StateCell, ValueState<T> {
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

class CombiningCell implements StateCell, CombiningState<unknown, unknown> {
  readonly #accumulator: ValueCell<unknown>;

  constructor(
    private readonly combineFn: AnyCombineFn,
    table: StateTable,
  ) {
    this.#accumulator = new ValueCell(combineFn.accumulatorCoder, table);
  }

  bind(key: ByteWriter): void {
    this.#accumulator.bind(key);
  }

  add(input: unknown): void {
    const accumulator = this.#accumulator.read() ?? this.combineFn.createAccumulator();
    this.#accumulator.write(this.combineFn.addInput(accumulator, input));
  }

  read(): unknown {
    return this.combineFn.extractOutput(this.#accumulator.read() ?? this.combineFn.createAccumulator());
  }

  isEmpty(): boolean {
    return this.#accumulator.read() === undefined;
  }

  clear(): void {
    this.#accumulator.clear();
  }

  flush(): void {
    this.#accumulator.flush();
  }
}

class BagCell<T> implements StateCell, BagState<T> {
  #key!: ByteWriter;
  #isCleared = false;
  /** What this element added, encoded. */
  readonly #added = new ByteWriter(64);

  constructor(
    private readonly coder: Coder<T>,
    private readonly table: StateTable,
  ) {}

  bind(key: ByteWriter): void {
    this.#key = key;
    this.#isCleared = false;
    this.#added.reset();
  }

  read(): T[] {
    const values: T[] = [];
    if (!this.#isCleared && this.table.get(this.#key, reader)) this.#decodeAll(values);
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
    return this.#added.length === 0 && (this.#isCleared || !this.table.get(this.#key, reader));
  }

  clear(): void {
    this.#isCleared = true;
    this.#added.reset();
  }

  flush(): void {
    if (this.#isCleared) {
      this.table.delete(this.#key);
      this.#isCleared = false;
    }
    if (this.#added.length > 0) {
      this.table.append(this.#key, this.#added);
      this.#added.reset();
    }
  }
}

/** All entries in one record: key, value, key, value, …; found by their encoded keys. */
class MapCell<K, V> implements StateCell, MapState<K, V> {
  #key!: ByteWriter;
  #entries: Map<string, [K, V]> | undefined;
  #isDirty = false;

  constructor(
    private readonly keyCoder: Coder<K>,
    private readonly valueCoder: Coder<V>,
    private readonly table: StateTable,
  ) {}

  bind(key: ByteWriter): void {
    this.#key = key;
    this.#entries = undefined;
    this.#isDirty = false;
  }

  #loaded(): Map<string, [K, V]> {
    if (this.#entries === undefined) {
      this.#entries = new Map();
      if (this.table.get(this.#key, reader)) {
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
      this.table.delete(this.#key);
      return;
    }
    writer.reset();
    for (const [key, value] of entries.values()) {
      this.keyCoder.encode(key, writer, "nested");
      this.valueCoder.encode(value, writer, "nested");
    }
    this.table.put(this.#key, writer);
  }
}

/** Each change is in the table at once: it touches one map key. */
class MultimapCell<K, V> implements StateCell, MultimapState<K, V> {
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

/** In the table in the order of its coming; it is sorted when it is read. */
class OrderedListCell<T> implements StateCell, OrderedListState<T> {
  readonly #coder: LengthPrefixCoder<T>;
  #key!: ByteWriter;
  /** What is in the table and what was added; undefined until somebody asks. */
  #values: Sorted<T>[] | undefined;
  #isSorted = false;
  /** `#values` is to replace what is in the table. */
  #isRewritten = false;
  /** What this element added, encoded. */
  readonly #added = new ByteWriter(64);

  constructor(
    coder: Coder<T>,
    private readonly table: StateTable,
  ) {
    this.#coder = new LengthPrefixCoder(coder);
  }

  bind(key: ByteWriter): void {
    this.#key = key;
    this.#values = undefined;
    this.#isRewritten = false;
    this.#added.reset();
  }

  add(sortKey: number, value: T): void {
    if (!Number.isSafeInteger(sortKey)) throw new TypeError(`an ordered list: ${sortKey} is no sort key`);
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
      if (writer.length === 0) this.table.delete(this.#key);
      else this.table.put(this.#key, writer);
    } else if (this.#added.length > 0) {
      this.table.append(this.#key, this.#added);
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
      if (this.table.get(this.#key, reader)) this.#decodeAll(this.#values);
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

/** A value of which less is stored is read anew for each element, which costs less than to remember it. */
const REMEMBERED_BYTES_MIN = 2048;
/** So many changes are stored without a look at how many would do. */
const CHANGES_MIN = 32;
/** A smaller value is stored whole: a change behind it would make the table move, and the log repeat, all of it anyway. */
const CHANGES_FROM_BYTES = 512;

interface ChangedValue<V> {
  readonly value: V;
  /** About how many changes reading it back applies. */
  changes: number;
}

/**
 * A small value as a whole; a larger one as it was at some time, and the changes behind it. A large value is not read
 * back for each element: the table remembers it beside its bytes.
 */
class ChangelogCell<V, C> implements StateCell, ChangelogState<V, C> {
  #key!: ByteWriter;
  #loaded: ChangedValue<V> | undefined;
  /** Of what is in the table. */
  #storedBytes = 0;
  #isCleared = false;
  /** Changed by this element, and so small that it is stored whole. */
  #isWhole = false;
  /** What this element added, encoded. */
  readonly #added = new ByteWriter(256);

  constructor(
    private readonly log: Changelog<V, C>,
    private readonly table: ChangelogTable,
  ) {}

  bind(key: ByteWriter): void {
    this.#key = key;
    this.#loaded = undefined;
    this.#isCleared = false;
    this.#isWhole = false;
    this.#added.reset();
  }

  read(): V {
    this.#loaded ??= this.#load();
    return this.#loaded.value;
  }

  add(change: C): void {
    this.#loaded ??= this.#load();
    this.log.apply(this.#loaded.value, change);
    if (this.#storedBytes < CHANGES_FROM_BYTES) {
      this.#isWhole = true;
      return;
    }
    this.log.changeCoder.encode(change, this.#added, "nested");
    this.#loaded.changes++;
  }

  clear(): void {
    this.#isCleared = true;
    this.#isWhole = false;
    this.#loaded = { value: this.log.create(), changes: 0 };
    this.#added.reset();
    this.#storedBytes = 0;
  }

  flush(): void {
    if (this.#isCleared) {
      this.#isCleared = false;
      this.table.delete(this.#key);
      this.table.remember(this.#key, undefined, 0);
    }
    if (!this.#isWhole && this.#added.length === 0) return;
    const loaded = this.#loaded!;
    const isLong = loaded.changes > CHANGES_MIN && loaded.changes > 2 * this.log.sizeOf(loaded.value);
    if (this.#isWhole || isLong) {
      const wasRemembered = this.#storedBytes >= REMEMBERED_BYTES_MIN;
      this.#isWhole = false;
      this.#added.reset();
      this.log.coder.encode(loaded.value, this.#added, "nested");
      this.table.put(this.#key, this.#added);
      this.#storedBytes = this.#added.length;
      loaded.changes = this.log.sizeOf(loaded.value);
      if (wasRemembered && this.#storedBytes < REMEMBERED_BYTES_MIN) {
        this.table.remember(this.#key, undefined, 0);
      }
    } else {
      this.table.append(this.#key, this.#added);
      this.#storedBytes += this.#added.length;
    }
    this.#added.reset();
    if (this.#storedBytes >= REMEMBERED_BYTES_MIN) {
      this.table.remember(this.#key, loaded, this.#storedBytes);
    }
  }

  #load(): ChangedValue<V> {
    if (!this.table.get(this.#key, reader)) {
      this.#storedBytes = 0;
      return { value: this.log.create(), changes: 0 };
    }
    this.#storedBytes = reader.remaining;
    if (this.#storedBytes >= REMEMBERED_BYTES_MIN) {
      const remembered = this.table.recall(this.#key);
      if (remembered !== undefined) return remembered as ChangedValue<V>;
    }
    return readChangelog(this.log, reader);
  }
}
