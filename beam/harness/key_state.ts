/** What a bundle knows of one key and window of a stateful transform: its cells, and the timers that it changed. */
import type { StateOfKey, TimerToFire } from "../exec/keyed_state.js";
import type { ByteReader, ByteWriter } from "../model/bytes.js";
import type { TimestampMs } from "../model/timestamps.js";

const NO_BYTES = Buffer.alloc(0);

/** Timers of a key that are looked for one by one. */
const LISTED_TIMERS_MAX = 16;
/** What larger cells take is memory of their own. */
const SLAB_BYTES = 16 << 10;
const IN_SLAB_BYTES_MAX = SLAB_BYTES / 4;
/** A Buffer for each cell would be most of what a small cell takes. */
let slab = NO_BYTES;
let slabAt = 0;

/** One state cell of one key. The runner has `sent` bytes of it, unless it must be cleared first. */
export class Cell {
  /** Its bytes are those from `start` to `start + length`; others' are around them. */
  bytes: Buffer = NO_BYTES;
  start = 0;
  length = 0;
  /** How many of its bytes the runner has. */
  sent = 0;
  /** The runner has something that is gone here. */
  mustClear = false;
  /** What was made of the bytes, if somebody wants it back. */
  decoded: unknown;
  #capacity = 0;
  #isAtRunner = false;
  /** What the runner has not is of no use to it before the next change. */
  #canWait = false;

  /** @param isLog what the runner has of it is not kept here, once something was made of it */
  constructor(private readonly isLog = false) {}

  /** What was made of its bytes is all that there is of them here. */
  get isPinned(): boolean {
    return this.isLog && this.decoded !== undefined;
  }

  get isDirty(): boolean {
    return this.mustClear || (this.length > this.sent && !this.#canWait);
  }

  /** Copies `source[start, end)`. */
  load(source: Buffer, start: number, end: number): void {
    this.length = end - start;
    if (this.length > 0) {
      this.#reserve(this.length);
      source.copy(this.bytes, this.start, start, end);
    }
    this.sent = this.length;
    this.decoded = undefined;
    this.mustClear = false;
    this.#canWait = false;
    this.#isAtRunner = this.length > 0;
  }

  append(source: Buffer, count: number, canWait = false): void {
    this.#canWait = canWait && !this.isDirty;
    const needed = this.length + count;
    if (needed > this.#capacity) {
      const { bytes, start, length } = this;
      this.#reserve(length === 0 ? count : Math.max(needed, length * 2));
      bytes.copy(this.bytes, this.start, start, start + length);
    }
    source.copy(this.bytes, this.start + this.length, 0, count);
    this.length = needed;
  }

  replace(source: Buffer, count: number): void {
    // Somebody may still look at the bytes that were here.
    this.#reserve(count);
    source.copy(this.bytes, this.start, 0, count);
    this.length = count;
    this.sent = 0;
    this.mustClear = this.#isAtRunner;
    this.#canWait = false;
  }

  clear(): void {
    this.bytes = NO_BYTES;
    this.start = 0;
    this.#capacity = 0;
    this.length = 0;
    this.sent = 0;
    this.mustClear = this.#isAtRunner;
    this.#canWait = false;
  }

  remember(value: unknown): void {
    this.decoded = value;
    if (!this.isDirty) this.#dropSent();
  }

  /** The runner has everything. */
  markSent(): void {
    this.#isAtRunner = this.length > 0 || (this.#isAtRunner && !this.mustClear);
    this.sent = this.length;
    this.mustClear = false;
    this.#canWait = false;
    this.#dropSent();
  }

  #dropSent(): void {
    if (!this.isPinned) return;
    this.bytes = NO_BYTES;
    this.start = 0;
    this.#capacity = 0;
    this.length = 0;
    this.sent = 0;
  }

  #reserve(count: number): void {
    this.#capacity = count;
    if (count > IN_SLAB_BYTES_MAX) {
      this.bytes = Buffer.allocUnsafeSlow(count);
      this.start = 0;
      return;
    }
    if (slabAt + count > slab.length) {
      slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      slabAt = 0;
    }
    this.bytes = slab;
    this.start = slabAt;
    slabAt += count;
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
  /** Another of the same key. */
  next: ChangedTimer | undefined;
}

/** An encoded key, and the window of it behind, as a string of bytes: what a request about its state says. */
export interface KeyBytes {
  readonly id: string;
  /** Where the window begins. */
  readonly keyLength: number;
}

/** An object for each key and window that a bundle touches, not for each element. */
export class KeyState implements StateOfKey, KeyBytes {
  /** The bundle that it is in; undefined in the cache. */
  owner: KeyOwner | undefined;
  /** The first of one for each family and tag that the bundle changed, in the order in which they came. */
  timers: ChangedTimer | undefined;
  #lastTimer: ChangedTimer | undefined;
  #timerCount = 0;
  /** Where there are very many. */
  #timersByName: Map<string, ChangedTimer> | undefined;
  /** Its cells are at hand. */
  isLoaded = false;
  isChanged = false;
  /** Of the cache: those put back after and before this one. */
  newer: KeyState | undefined;
  older: KeyState | undefined;
  /** What the cache counts it as, and under which scope. */
  cachedBytes = 0;
  scope = "";

  constructor(
    readonly id: string,
    readonly keyLength: number,
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

  append(cell: number, { buffer, length }: ByteWriter, canWait?: boolean): void {
    this.#changing(length);
    this.cells[cell]!.append(buffer, length, canWait);
  }

  delete(cell: number): void {
    this.#changing(0);
    this.cells[cell]!.clear();
  }

  recall(cell: number): unknown {
    return this.cells[cell]!.decoded;
  }

  remember(cell: number, value: unknown): void {
    this.cells[cell]!.remember(value);
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
    let first: ChangedTimer | undefined;
    for (let { timers: timer } = this as KeyState; timer !== undefined; timer = timer.next) {
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
    this.#addTimer({
      family: name,
      tag,
      isEventTime,
      isSet,
      fireTimestamp,
      outputTimestamp,
      next: undefined,
    });
  }

  #addTimer(timer: ChangedTimer): void {
    if (this.#lastTimer === undefined) this.timers = timer;
    else this.#lastTimer.next = timer;
    this.#lastTimer = timer;
    this.#timerCount++;
    if (this.#timersByName !== undefined) {
      this.#timersByName.set(nameOf(timer.family, timer.tag), timer);
    } else if (this.#timerCount === LISTED_TIMERS_MAX) {
      this.#timersByName = new Map();
      for (let { timers: each } = this as KeyState; each !== undefined; each = each.next) {
        this.#timersByName.set(nameOf(each.family, each.tag), each);
      }
    }
  }

  #timer(family: string, tag: string): ChangedTimer | undefined {
    if (this.#timersByName !== undefined) return this.#timersByName.get(nameOf(family, tag));
    let { timers: timer } = this as KeyState;
    while (timer !== undefined && (timer.tag !== tag || timer.family !== family)) timer = timer.next;
    return timer;
  }

  forgetTimers(): void {
    if (this.timers === undefined) return;
    this.timers = undefined;
    this.#lastTimer = undefined;
    this.#timersByName = undefined;
    this.#timerCount = 0;
  }

  /** A cache must not let go of it. */
  get isPinned(): boolean {
    for (const { isPinned } of this.cells) if (isPinned) return true;
    return false;
  }

  /** Nothing is stored under it. */
  get isEmpty(): boolean {
    for (const { length } of this.cells) if (length > 0) return false;
    for (const { size } of this.multimaps) if (size > 0) return false;
    return true;
  }

  get bytes(): number {
    let bytes = OVERHEAD_BYTES + this.id.length;
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
const OVERHEAD_BYTES = 384;
/** What is decoded takes so many times the memory of its bytes, roughly. */
const DECODED_FACTOR = 4;
const ENTRY_OVERHEAD_BYTES = 128;

function nameOf(family: string, tag: string): string {
  return `${family}\0${tag}`;
}

function pointAt({ bytes, start, length }: Cell, out: ByteReader): boolean {
  if (length === 0) return false;
  out.reset(bytes, start, start + length);
  return true;
}

function idOf({ buffer, length }: ByteWriter): string {
  return buffer.latin1Slice(0, length);
}
