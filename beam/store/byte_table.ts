/**
 * A hash table from bytes to bytes in a Slab. Open addressing with linear probing over 64 segments that grow each by
 * itself, so that no single insertion pays for moving the whole table.
 *
 * Keys and values are handed in as ByteWriters and read through ByteReaders: nothing is allocated on any path. What a
 * reader shows is valid until the next change of the table. With a journal, each change is noted there as well.
 */
import { type ByteReader, ByteWriter } from "../model/bytes.js";
import type { Journal } from "./journal.js";
import { copyWords, hashOf } from "./record_bytes.js";
import type { Slab } from "./slab.js";

const SEGMENT_COUNT = 64;
const SEGMENT_SHIFT = 26;
const FIRST_CAPACITY = 8;
const SMALL_VALUE_BYTES = 512;
/** A block larger than this takes what it must; a Slab has a limit. */
const ROOM_MAX = 60 << 20;
const NO_FRONT = new ByteWriter(1);

interface Segment {
  /** { hash, address } for each of a power of two of slots; address 0 = empty. Side by side, to share a cache line. */
  slots: Uint32Array;
  count: number;
}

/** Where `swap` has left a record: its address, negated for a new one. */
export type Swapped = number & { readonly __brand: "Swapped" };

/** The address of the record. */
export function addressOf(swapped: Swapped): number {
  return Math.abs(swapped);
}

/** Whether there was no record before. */
export function isNewRecord(swapped: Swapped): boolean {
  return swapped < 0;
}

/** A table from bytes to bytes: see the head of this file. */
export class ByteTable {
  readonly #segments: (Segment | undefined)[] = new Array(SEGMENT_COUNT).fill(undefined);
  #size = 0;

  /** @param owner this table's number in the slab, from 1 */
  constructor(
    readonly slab: Slab,
    readonly owner: number,
    private readonly journal?: Journal,
  ) {}

  get size(): number {
    return this.#size;
  }

  /** Address of the record with this key, or 0. */
  find(key: ByteWriter): number {
    const hash = hashOf(key);
    const segment = this.#segments[hash >>> SEGMENT_SHIFT];
    if (segment === undefined) return 0;
    return segment.slots[this.#slotOf(segment, hash, key) + 1]!;
  }

  /** Points `out` at the value of this key. False when there is none. */
  get(key: ByteWriter, out: ByteReader): boolean {
    const address = this.find(key);
    if (address === 0) return false;
    this.readValue(address, out);
    return true;
  }

  has(key: ByteWriter): boolean {
    return this.find(key) !== 0;
  }

  readValue(address: number, out: ByteReader): void {
    const { slab } = this;
    const start = slab.valueAt(address);
    out.reset(slab.bytes(address), start, start + slab.valueLength(address));
  }

  readKey(address: number, out: ByteReader): void {
    const { slab } = this;
    const start = slab.keyAt(address);
    out.reset(slab.bytes(address), start, start + slab.keyLength(address));
  }

  /**
   * Sets the value: `front` and `value`, one behind the other. Returns the record's address, which is valid until the
   * record is deleted or outgrows its block.
   */
  put(key: ByteWriter, value: ByteWriter, front: ByteWriter = NO_FRONT): number {
    const { slab } = this;
    const hash = hashOf(key);
    const segment = this.#segmentFor(hash);
    const slot = this.#slotOf(segment, hash, key);
    let address = segment.slots[slot + 1]!;
    if (address === 0) {
      address = this.#insert(segment, slot, hash, key, value, front);
    } else if (front.length + value.length > slab.valueCapacity(address)) {
      slab.release(address);
      address = this.#write(hash, key, value, front);
      segment.slots[slot + 1] = address;
    } else {
      this.#writeValue(address, value, front);
    }
    this.#notePut(address);
    return address;
  }

  /** As `put` for the record at an address that `find` or `put` gave for this key: nothing is looked up. */
  putAt(address: number, key: ByteWriter, value: ByteWriter, front: ByteWriter): number {
    const { slab } = this;
    if (front.length + value.length <= slab.valueCapacity(address)) {
      this.#writeValue(address, value, front);
      this.#notePut(address);
      return address;
    }
    const hash = slab.hash(address);
    const { slots } = this.#segments[hash >>> SEGMENT_SHIFT]!;
    const slot = slotOfAddress(slots, hash, address);
    slab.release(address);
    const moved = this.#write(hash, key, value, front);
    slots[slot + 1] = moved;
    this.#notePut(moved);
    return moved;
  }

  #writeValue(address: number, value: ByteWriter, front: ByteWriter): void {
    const { slab } = this;
    slab.setValueLength(address, front.length + value.length);
    const bytes = slab.bytes(address);
    const words = slab.words(address);
    const start = slab.valueAt(address);
    copyWords(front, bytes, words, start);
    copyWords(value, bytes, words, start + front.length);
  }

  /** Replaces the first bytes of the value at an address that `find` or `put` gave. */
  patch(address: number, front: ByteWriter): void {
    const { slab } = this;
    const words = slab.words(address);
    this.journal?.patch(this.owner, words, slab.keyWord(address), slab.keyLength(address), front);
    copyWords(front, slab.bytes(address), words, slab.valueAt(address));
  }

  /**
   * For a change that is read again: as `patch`. Where the value is shorter, a later change replaces or deletes it (see
   * snapshot.ts).
   */
  patchOf(key: ByteWriter, front: ByteWriter): void {
    const address = this.find(key);
    if (address !== 0 && this.slab.valueLength(address) >= front.length) this.patch(address, front);
    else this.put(key, front);
  }

  /**
   * As `put`, for values that all have one length; leaves the old value, if there was one, in `value`.
   * What it returns is for `addressOf` and `isNewRecord`: it is a number, since this is called for each timer that is set.
   */
  swap(key: ByteWriter, value: ByteWriter): Swapped {
    const { slab } = this;
    const hash = hashOf(key);
    const segment = this.#segmentFor(hash);
    const slot = this.#slotOf(segment, hash, key);
    const address = segment.slots[slot + 1]!;
    if (address === 0) {
      const inserted = this.#insert(segment, slot, hash, key, value, NO_FRONT);
      this.#notePut(inserted);
      return -inserted as Swapped;
    }
    if (slab.valueLength(address) !== value.length) throw new Error("swap needs values of one length");
    const bytes = slab.bytes(address);
    const start = slab.valueAt(address);
    for (let i = 0; i < value.length; i++) {
      const old = bytes[start + i]!;
      bytes[start + i] = value.buffer[i]!;
      value.buffer[i] = old;
    }
    this.#notePut(address);
    return address as Swapped;
  }

  #notePut(address: number): void {
    const { slab, journal } = this;
    if (journal === undefined) return;
    journal.put(
      this.owner,
      slab.words(address),
      slab.keyWord(address),
      slab.keyLength(address),
      slab.valueLength(address),
    );
  }

  /** A record for a key that has none; `slot` is the empty one that the search ended at. */
  #insert(
    segment: Segment,
    slot: number,
    hash: number,
    key: ByteWriter,
    value: ByteWriter,
    front: ByteWriter,
  ): number {
    let into = segment;
    let at = slot;
    if ((segment.count + 1) * 8 > segment.slots.length * 3) {
      into = this.#grow(hash >>> SEGMENT_SHIFT, segment);
      at = this.#slotOf(into, hash, key);
    }
    const address = this.#write(hash, key, value, front);
    into.slots[at] = hash;
    into.slots[at + 1] = address;
    into.count++;
    this.#size++;
    return address;
  }

  /**
   * Appends `value`. A block of some size that must grow grows by half, so that appending stays linear; a small one
   * has no more room than it needs, as most grow once or twice. Returns the record's address.
   */
  append(key: ByteWriter, value: ByteWriter): number {
    const { slab } = this;
    const hash = hashOf(key);
    const segment = this.#segmentFor(hash);
    const slot = this.#slotOf(segment, hash, key);
    const address = segment.slots[slot + 1]!;
    if (address === 0) return this.put(key, value);
    const oldLength = slab.valueLength(address);
    const newLength = oldLength + value.length;
    let target = address;
    if (newLength > slab.valueCapacity(address)) {
      const room = newLength < SMALL_VALUE_BYTES ? newLength : newLength + (newLength >>> 1);
      target = slab.allocate(this.owner, hash, key.length, Math.max(newLength, Math.min(room, ROOM_MAX)));
      slab
        .bytes(address)
        .copy(slab.bytes(target), slab.keyAt(target), slab.keyAt(address), slab.valueAt(address) + oldLength);
      slab.release(address);
      segment.slots[slot + 1] = target;
    }
    slab.setValueLength(target, newLength);
    copyWords(value, slab.bytes(target), slab.words(target), slab.valueAt(target) + oldLength);
    if (this.journal === undefined) return target;
    // A record that has moved may be missed by a snapshot under way, so it is written as a whole.
    if (target === address) this.journal.append(this.owner, key, oldLength, value);
    else this.#notePut(target);
    return target;
  }

  /**
   * For changes that are read again: leaves `oldLength` bytes of the value, and `added` behind them. Where the value is
   * shorter than that, a later change replaces or deletes it (see snapshot.ts), so what stands between is all the same.
   */
  appendAt(key: ByteWriter, oldLength: number, added: ByteWriter): void {
    const { slab } = this;
    const address = this.find(key);
    const length = address === 0 ? 0 : slab.valueLength(address);
    if (length > oldLength) {
      slab.setValueLength(address, oldLength);
    } else if (length < oldLength) {
      const gap = new ByteWriter(oldLength - length);
      gap.length = oldLength - length;
      gap.buffer.fill(0);
      this.append(key, gap);
    }
    this.append(key, added);
  }

  /** True when there was such a record. */
  delete(key: ByteWriter): boolean {
    const address = this.find(key);
    if (address === 0) return false;
    this.deleteAt(address);
    return true;
  }

  /** Deletes the record at an address that `find`, `put` or `swap` gave. */
  deleteAt(address: number): void {
    const { slab } = this;
    this.journal?.delete(this.owner, slab.words(address), slab.keyWord(address), slab.keyLength(address));
    const hash = slab.hash(address);
    const segment = this.#segments[hash >>> SEGMENT_SHIFT]!;
    const slot = slotOfAddress(segment.slots, hash, address);
    slab.release(address);
    this.#vacate(segment, slot);
    segment.count--;
    this.#size--;
  }

  /** Calls `visit` with the address of each record, in no particular order. The table must not change meanwhile. */
  forEach(visit: (address: number) => void): void {
    for (const segment of this.#segments) {
      if (segment === undefined) continue;
      const { slots } = segment;
      for (let slot = 1; slot < slots.length; slot += 2) if (slots[slot] !== 0) visit(slots[slot]!);
    }
  }

  #segmentFor(hash: number): Segment {
    const number = hash >>> SEGMENT_SHIFT;
    let segment = this.#segments[number];
    if (segment === undefined) {
      segment = newSegment(FIRST_CAPACITY);
      this.#segments[number] = segment;
    }
    return segment;
  }

  /** Index in `slots` of the slot that holds this key, or of the empty one where it belongs. */
  #slotOf(segment: Segment, hash: number, key: ByteWriter): number {
    const { slots } = segment;
    const mask = slots.length - 2;
    let slot = (hash << 1) & mask;
    for (;;) {
      const address = slots[slot + 1]!;
      if (address === 0) return slot;
      if (slots[slot] === hash && this.#keyEquals(address, key)) return slot;
      slot = (slot + 2) & mask;
    }
  }

  #keyEquals(address: number, { buffer, words, length }: ByteWriter): boolean {
    const { slab } = this;
    if (slab.keyLength(address) !== length) return false;
    const stored = slab.words(address);
    const at = slab.keyWord(address);
    const whole = length >>> 2;
    for (let i = 0; i < whole; i++) if (stored[at + i] !== words[i]) return false;
    const bytes = slab.bytes(address);
    const start = slab.keyAt(address);
    for (let i = whole << 2; i < length; i++) if (bytes[start + i] !== buffer[i]) return false;
    return true;
  }

  #write(hash: number, key: ByteWriter, value: ByteWriter, front: ByteWriter): number {
    const { slab } = this;
    const address = slab.allocate(this.owner, hash, key.length, front.length + value.length);
    const bytes = slab.bytes(address);
    const words = slab.words(address);
    const valueAt = slab.valueAt(address);
    // What is between the two goes to the log with them.
    if ((key.length & 3) !== 0) words[(valueAt >>> 2) - 1] = 0;
    copyWords(key, bytes, words, slab.keyAt(address));
    copyWords(front, bytes, words, valueAt);
    copyWords(value, bytes, words, valueAt + front.length);
    return address;
  }

  #grow(number: number, old: Segment): Segment {
    const slots = new Uint32Array(old.slots.length * 2);
    const mask = slots.length - 2;
    for (let i = 0; i < old.slots.length; i += 2) {
      const address = old.slots[i + 1]!;
      if (address === 0) continue;
      const hash = old.slots[i]!;
      let slot = (hash << 1) & mask;
      while (slots[slot + 1] !== 0) slot = (slot + 2) & mask;
      slots[slot] = hash;
      slots[slot + 1] = address;
    }
    const grown = { slots, count: old.count };
    this.#segments[number] = grown;
    return grown;
  }

  /** Empties a slot and moves back what had been pushed past it, so that no probe ever needs a tombstone. */
  #vacate({ slots }: Segment, emptied: number): void {
    const mask = slots.length - 2;
    let hole = emptied;
    let slot = hole;
    for (;;) {
      slot = (slot + 2) & mask;
      const address = slots[slot + 1]!;
      if (address === 0) break;
      const home = (slots[slot]! << 1) & mask;
      if (((slot - home) & mask) >= ((slot - hole) & mask)) {
        slots[hole] = slots[slot]!;
        slots[hole + 1] = address;
        hole = slot;
      }
    }
    slots[hole + 1] = 0;
  }
}

function newSegment(capacity: number): Segment {
  return { slots: new Uint32Array(capacity * 2), count: 0 };
}

/** Index in `slots` of the record at this address. */
function slotOfAddress(slots: Uint32Array, hash: number, address: number): number {
  const mask = slots.length - 2;
  let slot = (hash << 1) & mask;
  while (slots[slot + 1] !== address) slot = (slot + 2) & mask;
  return slot;
}
