/** What a bundle knows of one key and window of a stateful transform: its cells, and the timers that it changed. */
import type { StateOfKey, TimerToFire } from "../exec/keyed_state.js";
import type { ByteReader, ByteWriter } from "../model/bytes.js";
import type { TimestampMs } from "../model/timestamps.js";

const NO_BYTES = Buffer.alloc(0);

/** One state cell of one key. The runner has `sent` bytes of it, unless it must be cleared first. */
export class Cell {
  bytes: Buffer = NO_BYTES;
  length = 0;
  /** How many of `bytes` the runner has. */
  sent = 0;
  /** The runner has something that is gone here. */
  mustClear = false;
  /** What was made of the bytes, if somebody wants it back. */
  decoded: unknown;
  #isAtRunner = false;

  get isDirty(): boolean {
    return this.mustClear || this.length > this.sent;
  }

  /** Takes over the bytes. */
  load(bytes: Buffer): void {
    this.bytes = bytes;
    this.length = bytes.length;
    this.sent = bytes.length;
    this.decoded = undefined;
    this.mustClear = false;
    this.#isAtRunner = bytes.length > 0;
  }

  append(source: Buffer, count: number): void {
    const needed = this.length + count;
    if (needed > this.bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, this.length * 2));
      this.bytes.copy(grown, 0, 0, this.length);
      this.bytes = grown;
    }
    source.copy(this.bytes, this.length, 0, count);
    this.length = needed;
  }

  replace(source: Buffer, count: number): void {
    // What the runner has is overwritten, not changed: the old bytes may be on their way to it.
    const bytes = Buffer.allocUnsafe(count);
    source.copy(bytes, 0, 0, count);
    this.bytes = bytes;
    this.length = count;
    this.sent = 0;
    this.mustClear = this.#isAtRunner;
  }

  clear(): void {
    this.bytes = NO_BYTES;
    this.length = 0;
    this.sent = 0;
    this.mustClear = this.#isAtRunner;
  }

  /** The runner has everything. */
  markSent(): void {
    this.sent = this.length;
    this.mustClear = false;
    this.#isAtRunner = this.length > 0;
  }
}

/** One multimap cell of one key: a cell for each map key, by the bytes of that as a string. */
export type MultimapCells = Map<string, Cell>;

/** The bundle that has a key: whatever changes of the key is told to it. */
export interface KeyOwner {
  /** A family of timers, by its number. */
  readonly families: readonly TimerFamily[];
  /** @param bytes that the change adds, about */
  changing(state: KeyState, bytes: number): void;
}

export interface TimerFamily {
  readonly name: string;
  readonly isEventTime: boolean;
}

/** What a bundle did to a timer last. */
export interface ChangedTimer {
  readonly family: string;
  readonly tag: string;
  readonly isEventTime: boolean;
  isSet: boolean;
  fireTimestamp: TimestampMs;
  outputTimestamp: TimestampMs;
}

/** An object for each key and window that a bundle touches, not for each element. */
export class KeyState implements StateOfKey {
  /** The bundle that it is in; undefined in the cache. */
  owner: KeyOwner | undefined;
  /** One for each family and tag; undefined when the bundle changed none. */
  timers: ChangedTimer[] | undefined;
  isChanged = false;
  /** Of the cache: those put back after and before this one. */
  newer: KeyState | undefined;
  older: KeyState | undefined;
  /** What the cache counts it as, and under which scope. */
  cachedBytes = 0;
  scope = "";

  constructor(
    /** Encoded key and window, as a string of bytes. */
    readonly id: string,
    readonly key: Buffer,
    readonly window: Buffer,
    readonly cells: readonly Cell[],
    readonly multimaps: readonly MultimapCells[],
  ) {}

  get(cell: number, out: ByteReader): boolean {
    return pointAt(this.cells[cell]!, out);
  }

  put(cell: number, { buffer, length }: ByteWriter): void {
    this.#changing(length);
    this.cells[cell]!.replace(buffer, length);
  }

  append(cell: number, { buffer, length }: ByteWriter): void {
    this.#changing(length);
    this.cells[cell]!.append(buffer, length);
  }

  delete(cell: number): void {
    this.#changing(0);
    this.cells[cell]!.clear();
  }

  recall(cell: number): unknown {
    return this.cells[cell]!.decoded;
  }

  remember(cell: number, value: unknown): void {
    this.cells[cell]!.decoded = value;
  }

  mapKeys(multimap: number): Buffer[] {
    const keys: Buffer[] = [];
    for (const [mapKey, { length }] of this.multimaps[multimap]!) {
      if (length > 0) keys.push(Buffer.from(mapKey, "latin1"));
    }
    return keys;
  }

  getMapped(multimap: number, mapKey: ByteWriter, out: ByteReader): boolean {
    const cell = this.multimaps[multimap]!.get(idOf(mapKey));
    return cell !== undefined && pointAt(cell, out);
  }

  appendMapped(multimap: number, mapKey: ByteWriter, { buffer, length }: ByteWriter): void {
    this.#changing(length);
    const cells = this.multimaps[multimap]!;
    const id = idOf(mapKey);
    let cell = cells.get(id);
    if (cell === undefined) {
      cell = new Cell();
      cells.set(id, cell);
    }
    cell.append(buffer, length);
  }

  deleteMapped(multimap: number, mapKey: ByteWriter): void {
    this.#changing(0);
    this.multimaps[multimap]!.get(idOf(mapKey))?.clear();
  }

  /** One by one: Prism clears another key when it is asked to clear all. */
  clearMultimap(multimap: number): void {
    this.#changing(0);
    for (const cell of this.multimaps[multimap]!.values()) cell.clear();
  }

  setTimer(family: number, tag: string, fireTimestamp: TimestampMs, outputTimestamp: TimestampMs): void {
    this.#changeTimer(family, tag, true, fireTimestamp, outputTimestamp);
  }

  clearTimer(family: number, tag: string): void {
    this.#changeTimer(family, tag, false, 0, 0);
  }

  isSuperseded(family: string, tag: string): boolean {
    return this.#timer(family, tag) !== undefined;
  }

  takeTimerBefore(limit: TimestampMs): TimerToFire | undefined {
    if (this.timers === undefined) return undefined;
    let first: ChangedTimer | undefined;
    for (const timer of this.timers) {
      if (!timer.isSet || !timer.isEventTime || timer.fireTimestamp >= limit) continue;
      if (first === undefined || timer.fireTimestamp < first.fireTimestamp) first = timer;
    }
    if (first === undefined) return undefined;
    // The runner may know it from an earlier bundle; it must not fire it again.
    first.isSet = false;
    return { ...first };
  }

  #changing(bytes: number): void {
    this.owner!.changing(this, bytes);
  }

  #changeTimer(
    family: number,
    tag: string,
    isSet: boolean,
    fireTimestamp: TimestampMs,
    outputTimestamp: TimestampMs,
  ): void {
    this.#changing(0);
    const { name, isEventTime } = this.owner!.families[family]!;
    const known = this.#timer(name, tag);
    if (known !== undefined) {
      known.isSet = isSet;
      known.fireTimestamp = fireTimestamp;
      known.outputTimestamp = outputTimestamp;
      return;
    }
    const timer = { family: name, tag, isEventTime, isSet, fireTimestamp, outputTimestamp };
    if (this.timers === undefined) this.timers = [timer];
    else this.timers.push(timer);
  }

  #timer(family: string, tag: string): ChangedTimer | undefined {
    return this.timers?.find((timer) => timer.family === family && timer.tag === tag);
  }

  get bytes(): number {
    let bytes = OVERHEAD_BYTES + this.id.length * 2;
    for (const { length, decoded } of this.cells) {
      bytes += decoded === undefined ? length : length * (1 + DECODED_FACTOR);
    }
    for (const multimap of this.multimaps) {
      for (const [mapKey, { length }] of multimap) bytes += ENTRY_OVERHEAD_BYTES + mapKey.length + length;
    }
    return bytes;
  }
}

/** Of the objects around a key's bytes, roughly. */
const OVERHEAD_BYTES = 512;
/** What is decoded takes so many times the memory of its bytes, roughly. */
const DECODED_FACTOR = 4;
const ENTRY_OVERHEAD_BYTES = 128;

function pointAt({ bytes, length }: Cell, out: ByteReader): boolean {
  if (length === 0) return false;
  out.reset(bytes, 0, length);
  return true;
}

function idOf({ buffer, length }: ByteWriter): string {
  return buffer.latin1Slice(0, length);
}
