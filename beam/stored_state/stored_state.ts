/**
 * State and timers of one transform in tables of the store, of whichever key was entered. Each processor of a stage has
 * one of these over the same tables; what was decoded of large changelogs is remembered for the table, and not for the
 * processor that asks, since each of them changes the table.
 */
import type { TimedRecords } from "../engine/timed_records.js";
import type { KeyedState, StateOfKey } from "../exec/keyed_state.js";
import type { TimedCell } from "../exec/timed_cell.js";
import type { ByteReader, ByteWriter } from "../model/bytes.js";
import type { TimeDomain } from "../model/timer.js";
import type { TimestampMs } from "../model/timestamps.js";
import { LeastRecentlyUsed } from "../platform/least_recently_used.js";
import type { ByteTable } from "../store/byte_table.js";
import { StoredMultimap } from "./stored_multimap.js";

/** One cell of all keys: a table, or records with room for a timer. */
interface StoredCell {
  get(key: ByteWriter, out: ByteReader): boolean;
  put(key: ByteWriter, value: ByteWriter): unknown;
  append(key: ByteWriter, added: ByteWriter): unknown;
  delete(key: ByteWriter): unknown;
}

/** Of stored values; what is decoded of them takes about four times as much. */
const REMEMBERED_BYTES_MAX = 64 << 20;

/** A change behind a smaller value would make the table move, and the log repeat, all of it anyway. */
export const WHOLE_BELOW_BYTES = 512;

const remembered = new WeakMap<StoredCell, LeastRecentlyUsed<unknown>>();

/** The timers of one family, for all keys. */
export interface StoredTimers {
  set(key: ByteWriter, tag: string, fireAt: TimestampMs, outputTimestamp: TimestampMs): void;
  clear(key: ByteWriter, tag: string): void;
  /** Where those without a tag are, beside the state of their keys. */
  readonly records: TimedRecords | undefined;
}

/** Where a transform's tables are found. */
export interface StatePlaces {
  /** Of a cell, or of a part of a multimap: no declared name contains "~". */
  table(cell: string): ByteTable;
  /** @param beside a cell that has no table: the timers without a tag are in its records */
  timers(family: string, timeDomain: TimeDomain, beside?: TimedCell): StoredTimers;
}

/** What the parts of a multimap are called: of its map keys, and of their values. */
export const multimapParts = (name: string): [string, string] => [`${name}~keys`, `${name}~values`];

export class StoredState implements KeyedState, StateOfKey {
  readonly isAtHand = true;
  readonly wholeBelowBytes: number = WHOLE_BELOW_BYTES;
  readonly #names: string[] = [];
  /** By their numbers, once they were asked for. */
  readonly #cells: StoredCell[] = [];
  /** Of the cell that has timers beside it. */
  #records: TimedRecords | undefined;
  readonly #multimaps: StoredMultimap[] = [];
  readonly #timers: StoredTimers[] = [];
  #key!: ByteWriter;

  /** @param rememberedBytesMax of stored values of one cell, whose decoded form is kept */
  constructor(
    private readonly places: StatePlaces,
    private readonly rememberedBytesMax = REMEMBERED_BYTES_MAX,
  ) {}

  cell(name: string): number {
    return this.#names.push(name) - 1;
  }

  multimap(name: string): number {
    const [keys, values] = multimapParts(name);
    const { places } = this;
    return this.#multimaps.push(new StoredMultimap(places.table(keys), places.table(values))) - 1;
  }

  timers(family: string, timeDomain: TimeDomain, beside?: TimedCell): number {
    const timers = this.places.timers(family, timeDomain, beside);
    if (beside !== undefined) {
      this.#records = timers.records!;
      this.#cells[this.#names.indexOf(beside.cell)] = this.#records;
    }
    return this.#timers.push(timers) - 1;
  }

  enter(key: ByteWriter): StateOfKey {
    this.#records?.checkLeft();
    this.#key = key;
    return this;
  }

  mustEnter(key: ByteWriter): StateOfKey {
    return this.enter(key);
  }

  leave(): void {
    this.#records?.leave(this.#key);
  }

  arrive(): void {}

  get(cell: number, out: ByteReader): boolean {
    return this.#cell(cell).get(this.#key, out);
  }

  put(cell: number, value: ByteWriter): void {
    this.#cell(cell).put(this.#key, value);
  }

  append(cell: number, value: ByteWriter): void {
    this.#cell(cell).append(this.#key, value);
  }

  delete(cell: number): void {
    this.#cell(cell).delete(this.#key);
  }

  #cell(cell: number): StoredCell {
    return this.#cells[cell] ?? this.#find(cell);
  }

  #find(cell: number): StoredCell {
    const table = this.places.table(this.#names[cell]!);
    this.#cells[cell] = table;
    return table;
  }

  recall(cell: number): unknown {
    return this.#rememberedOf(cell).get(idOf(this.#key));
  }

  /** The largest value is remembered whatever its size: to read it back for each element would have no end. */
  remember(cell: number, value: unknown, bytes: number): void {
    const values = this.#rememberedOf(cell);
    if (value === undefined) {
      if (values.size > 0) values.delete(idOf(this.#key));
      return;
    }
    values.set(idOf(this.#key), value, bytes);
    while (values.bytes > this.rememberedBytesMax && values.size > 1) values.dropOldest();
  }

  mapKeys(multimap: number): Buffer[] {
    return this.#multimaps[multimap]!.keys(this.#key);
  }

  getMapped(multimap: number, mapKey: ByteWriter, out: ByteReader): boolean {
    return this.#multimaps[multimap]!.get(this.#key, mapKey, out);
  }

  appendMapped(multimap: number, mapKey: ByteWriter, value: ByteWriter): void {
    this.#multimaps[multimap]!.append(this.#key, mapKey, value);
  }

  deleteMapped(multimap: number, mapKey: ByteWriter): void {
    this.#multimaps[multimap]!.delete(this.#key, mapKey);
  }

  clearMultimap(multimap: number): void {
    this.#multimaps[multimap]!.clear(this.#key);
  }

  setTimer(family: number, tag: string, fireAt: TimestampMs, outputTimestamp: TimestampMs): void {
    this.#timers[family]!.set(this.#key, tag, fireAt, outputTimestamp);
  }

  clearTimer(family: number, tag: string): void {
    this.#timers[family]!.clear(this.#key, tag);
  }

  isSuperseded(): boolean {
    return false;
  }

  takeTimerBefore(): undefined {
    return undefined;
  }

  #rememberedOf(cell: number): LeastRecentlyUsed<unknown> {
    const table = this.#cell(cell);
    let values = remembered.get(table);
    if (values === undefined) {
      values = new LeastRecentlyUsed();
      remembered.set(table, values);
    }
    return values;
  }
}

function idOf({ buffer, length }: ByteWriter): string {
  return buffer.latin1Slice(0, length);
}
