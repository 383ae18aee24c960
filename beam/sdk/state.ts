/**
 * The state cells that a StatefulDoFn can declare, and what it sees of them. Cells belong to one key and window; all
 * access is synchronous, since the cells of a key are at hand before user code runs.
 * Source: beam_runner_api.proto, StateSpec.
 */
import type { ByteReader, ByteWriter } from "../model/bytes.js";
import type { Coder } from "../model/coders/coder.js";
import type { CombineFn } from "./combine_fn.js";

/** One value, or none. */
export interface ValueState<T> {
  read(): T | undefined;
  write(value: T): void;
  clear(): void;
}

/** A growing collection in no particular order. Adding reads nothing. */
export interface BagState<T> {
  /** Everything added, in a fresh array. */
  read(): T[];
  add(value: T): void;
  isEmpty(): boolean;
  clear(): void;
}

/** A map for a few entries: it is read and written as a whole. */
export interface MapState<K, V> {
  get(key: K): V | undefined;
  set(key: K, value: V): void;
  delete(key: K): void;
  /** All entries, in a fresh array. */
  entries(): [K, V][];
  isEmpty(): boolean;
  clear(): void;
}

/**
 * Any number of values under each of its keys, in no particular order. Putting reads nothing. Source:
 * beam_fn_api.proto, StateKey.MultimapUserState.
 */
export interface MultimapState<K, V> {
  /** Everything put under this key, in a fresh array. */
  get(key: K): V[];
  put(key: K, value: V): void;
  /** Removes all values of this key. */
  delete(key: K): void;
  /** The keys that have values, in a fresh array. */
  keys(): K[];
  isEmpty(): boolean;
  clear(): void;
}

/** A value and the whole number that it is sorted by. */
export interface Sorted<T> {
  readonly sortKey: number;
  readonly value: T;
}

/**
 * Values in the order of their sort keys: whole numbers of 53 bits, such as timestamps in ms. Adding reads nothing;
 * clearing a range rewrites the rest. Source: beam_fn_api.proto, StateKey.OrderedListUserState.
 */
export interface OrderedListState<T> {
  add(sortKey: number, value: T): void;
  /** Everything, in a fresh array; equal sort keys in no particular order. */
  read(): Sorted<T>[];
  /** Values with sort keys from `min` up to, but not including, `limit`. */
  readRange(min: number, limit: number): Sorted<T>[];
  /** Removes values with sort keys from `min` up to, but not including, `limit`. */
  clearRange(min: number, limit: number): void;
  isEmpty(): boolean;
  clear(): void;
}

/**
 * A value that is stored as an earlier value and the changes since. A change costs its own size, however large the
 * value is; now and then the whole value is stored instead of its changes.
 */
export interface ChangelogState<V, C> {
  /** The value, at first an empty one. Only `add` changes it. */
  read(): V;
  /**
   * Shows `look` the bytes of the value, which it reads up to their end: so little of a value is known without reading
   * all of it. Only a small value that is stored whole, and that this element has neither read nor changed, has such
   * bytes. False: it has not, and what was looked at says nothing.
   */
  peek(look: (bytes: ByteReader) => void): boolean;
  /**
   * After `peek` has told that there are such bytes: stores those that `write` writes in their place.
   * @param write as the changelog's coder would, nested
   */
  replace(write: (bytes: ByteWriter) => void): void;
  /**
   * Applies a change, and stores it.
   * @param canWait it need not be stored before the next change is, or `clear`: where storing costs a request to a
   *   runner, it waits for that. When the worker ends before, or forgets the key, it is as if the change was never made.
   */
  add(change: C, canWait?: boolean): void;
  clear(): void;
}

/** How a value is made from its changes. */
export interface Changelog<V, C> {
  /** The coder of the whole value. A value state with this coder may become a changelog in kept state. */
  readonly coder: Coder<V>;
  readonly changeCoder: Coder<C>;
  create(): V;
  /**
   * Changes the value. It must depend only on its arguments, since it is applied again when the value is read back.
   */
  apply(value: V, change: C): void;
  /** The approximate least number of changes that make this value. */
  sizeOf(value: V): number;
}

/** What is stored up to the reader's limit, and about how many changes it took. */
export function readChangelog<V, C>(log: Changelog<V, C>, input: ByteReader): { value: V; changes: number } {
  const value = log.coder.decode(input, "nested");
  return { value, changes: log.sizeOf(value) + applyChanges(log, value, input) };
}

/** Applies the changes up to the reader's limit, and tells how many there were. */
export function applyChanges<V, C>(log: Changelog<V, C>, value: V, input: ByteReader): number {
  let changes = 0;
  while (input.remaining > 0) {
    log.apply(value, log.changeCoder.decode(input, "nested"));
    changes++;
  }
  return changes;
}

/** The inputs of a CombineFn, combined into one accumulator as they are added. */
export interface CombiningState<I, O> {
  add(input: I): void;
  /** The output for everything that was added; without inputs, that of an empty accumulator. */
  read(): O;
  isEmpty(): boolean;
  clear(): void;
}

/** What `valueState` declares. */
export interface ValueStateSpec<T> {
  readonly kind: "value";
  readonly coder: Coder<T>;
}
/** What `bagState` declares. */
export interface BagStateSpec<T> {
  readonly kind: "bag";
  readonly coder: Coder<T>;
}
/** What `mapState` declares. */
export interface MapStateSpec<K, V> {
  readonly kind: "map";
  readonly keyCoder: Coder<K>;
  readonly valueCoder: Coder<V>;
}
/** What `combiningState` declares. */
export interface CombiningStateSpec<I, O> {
  readonly kind: "combining";
  readonly combineFn: CombineFn<I, any, O, any>;
}
/** What `multimapState` declares. */
export interface MultimapStateSpec<K, V> {
  readonly kind: "multimap";
  readonly keyCoder: Coder<K>;
  readonly valueCoder: Coder<V>;
}
/** What `orderedListState` declares. */
export interface OrderedListStateSpec<T> {
  readonly kind: "orderedList";
  readonly coder: Coder<T>;
}
/** What `changelogState` declares. */
export interface ChangelogStateSpec<V, C> {
  readonly kind: "changelog";
  readonly log: Changelog<V, C>;
}
/** A declared cell of state. */
export type StateSpec =
  | ValueStateSpec<any>
  | BagStateSpec<any>
  | MapStateSpec<any, any>
  | MultimapStateSpec<any, any>
  | OrderedListStateSpec<any>
  | CombiningStateSpec<any, any>
  | ChangelogStateSpec<any, any>;
/** The cells of a StatefulDoFn, by name. */
export type StateSpecs = Readonly<Record<string, StateSpec>>;

/** What `ctx.state` holds for each declared cell. */
export type StateCells<S extends StateSpecs> = {
  readonly [N in keyof S]: S[N] extends ValueStateSpec<infer T>
    ? ValueState<T>
    : S[N] extends BagStateSpec<infer T>
      ? BagState<T>
      : S[N] extends MapStateSpec<infer K, infer V>
        ? MapState<K, V>
        : S[N] extends CombiningStateSpec<infer I, infer O>
          ? CombiningState<I, O>
          : S[N] extends MultimapStateSpec<infer K, infer V>
            ? MultimapState<K, V>
            : S[N] extends OrderedListStateSpec<infer T>
              ? OrderedListState<T>
              : S[N] extends ChangelogStateSpec<infer V, infer C>
                ? ChangelogState<V, C>
                : never;
};

/** Declares a cell that holds one value, or none. */
export function valueState<T>(coder: Coder<T>): ValueStateSpec<T> {
  return { kind: "value", coder };
}

/** Declares a cell that values are added to. */
export function bagState<T>(coder: Coder<T>): BagStateSpec<T> {
  return { kind: "bag", coder };
}

/** Declares a cell that is a map. The key coder must be deterministic: entries are found by their encoded key. */
export function mapState<K, V>(keyCoder: Coder<K>, valueCoder: Coder<V>): MapStateSpec<K, V> {
  if (!keyCoder.isDeterministic) throw new TypeError("mapState needs a deterministic key coder");
  return { kind: "map", keyCoder, valueCoder };
}

/** Declares a cell that combines what is added to it with a CombineFn. */
export function combiningState<I, O>(combineFn: CombineFn<I, any, O, any>): CombiningStateSpec<I, O> {
  return { kind: "combining", combineFn };
}

/**
 * Declares a cell that is a multimap. The key coder must be deterministic: values are found by their encoded key. Not
 * every runner keeps such cells (see docs/runners.md).
 */
export function multimapState<K, V>(keyCoder: Coder<K>, valueCoder: Coder<V>): MultimapStateSpec<K, V> {
  if (!keyCoder.isDeterministic) throw new TypeError("multimapState needs a deterministic key coder");
  return { kind: "multimap", keyCoder, valueCoder };
}

/** Declares a cell whose values are sorted. Not every runner keeps such cells (see docs/runners.md). */
export function orderedListState<T>(coder: Coder<T>): OrderedListStateSpec<T> {
  return { kind: "orderedList", coder };
}

/** Declares a cell whose value is stored as its changes. */
export function changelogState<V, C>(log: Changelog<V, C>): ChangelogStateSpec<V, C> {
  return { kind: "changelog", log };
}
