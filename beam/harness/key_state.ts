/** What a bundle knows of one key and window of a stateful transform: its cells, and the timers that it changed. */
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
export class KeyState {
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

  timer(family: string, tag: string): ChangedTimer | undefined {
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
