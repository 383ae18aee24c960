/**
 * A hash table from bytes to bytes in a Slab. Open addressing with linear probing over 256 segments that grow each by
 * itself, so that no single insertion pays for moving the whole table.
 *
 * Keys and values are handed in as ByteWriters and read through ByteReaders: nothing is allocated on any path. What a
 * reader shows is valid until the next change of the table.
 */
import type { ByteReader, ByteWriter } from "../model/bytes.js";
import { HEADER_BYTES, type Slab } from "./slab.js";

const SEGMENT_COUNT = 256;
const SEGMENT_SHIFT = 24;
const FIRST_CAPACITY = 8;

interface Segment {
  /** Parallel arrays of a power of two; address 0 = empty slot. */
  hashes: Uint32Array;
  addresses: Uint32Array;
  count: number;
}

export class ByteTable {
  readonly #segments: (Segment | undefined)[] = new Array(SEGMENT_COUNT).fill(undefined);
  #size = 0;

  /** @param owner this table's number in the slab, from 1 */
  constructor(
    readonly slab: Slab,
    readonly owner: number,
  ) {}

  get size(): number {
    return this.#size;
  }

  /** Address of the record with this key, or 0. */
  find(key: Uint8Array, keyLength: number): number {
    const hash = hashBytes(key, keyLength);
    const segment = this.#segments[hash >>> SEGMENT_SHIFT];
    if (segment === undefined) return 0;
    const slot = this.#slotOf(segment, hash, key, keyLength);
    return segment.addresses[slot]!;
  }

  /** Points `out` at the value of this key. False when there is none. */
  get(key: ByteWriter, out: ByteReader): boolean {
    const address = this.find(key.buffer, key.length);
    if (address === 0) return false;
    this.readValue(address, out);
    return true;
  }

  has(key: ByteWriter): boolean {
    return this.find(key.buffer, key.length) !== 0;
  }

  readValue(address: number, out: ByteReader): void {
    const { slab } = this;
    const start = slab.keyAt(address) + slab.keyLength(address);
    out.reset(slab.bytes(address), start, start + slab.valueLength(address));
  }

  readKey(address: number, out: ByteReader): void {
    const { slab } = this;
    const start = slab.keyAt(address);
    out.reset(slab.bytes(address), start, start + slab.keyLength(address));
  }

  /** Sets the value. Returns the record's address, which is valid until the record is deleted or outgrows its block. */
  put(key: ByteWriter, value: ByteWriter): number {
    const { slab } = this;
    const hash = hashBytes(key.buffer, key.length);
    let segment = this.#segmentFor(hash);
    let slot = this.#slotOf(segment, hash, key.buffer, key.length);
    let address = segment.addresses[slot]!;
    if (address !== 0 && key.length + value.length > slab.capacity(address)) {
      slab.release(address);
      address = 0;
      segment.addresses[slot] = this.#write(key, value);
      return segment.addresses[slot]!;
    }
    if (address !== 0) {
      slab.setValueLength(address, value.length);
      copy(value.buffer, 0, value.length, slab.bytes(address), slab.keyAt(address) + key.length);
      return address;
    }
    if ((segment.count + 1) * 4 > segment.addresses.length * 3) {
      segment = this.#grow(hash >>> SEGMENT_SHIFT, segment);
      slot = this.#slotOf(segment, hash, key.buffer, key.length);
    }
    address = this.#write(key, value);
    segment.hashes[slot] = hash;
    segment.addresses[slot] = address;
    segment.count++;
    this.#size++;
    return address;
  }

  /** Adds `value` behind what is there. A block that must grow grows by half, so that appending stays linear. */
  append(key: ByteWriter, value: ByteWriter): void {
    const { slab } = this;
    const hash = hashBytes(key.buffer, key.length);
    const segment = this.#segmentFor(hash);
    const slot = this.#slotOf(segment, hash, key.buffer, key.length);
    const address = segment.addresses[slot]!;
    if (address === 0) {
      this.put(key, value);
      return;
    }
    const oldLength = slab.valueLength(address);
    const newLength = oldLength + value.length;
    let target = address;
    if (key.length + newLength > slab.capacity(address)) {
      target = slab.allocate(this.owner, key.length, newLength + (newLength >>> 1));
      copy(
        slab.bytes(address),
        slab.keyAt(address),
        slab.keyAt(address) + key.length + oldLength,
        slab.bytes(target),
        slab.keyAt(target),
      );
      slab.release(address);
      segment.addresses[slot] = target;
    }
    slab.setValueLength(target, newLength);
    copy(value.buffer, 0, value.length, slab.bytes(target), slab.keyAt(target) + key.length + oldLength);
  }

  /** True when there was such a record. */
  delete(key: Uint8Array, keyLength: number): boolean {
    const hash = hashBytes(key, keyLength);
    const segment = this.#segments[hash >>> SEGMENT_SHIFT];
    if (segment === undefined) return false;
    const slot = this.#slotOf(segment, hash, key, keyLength);
    const address = segment.addresses[slot]!;
    if (address === 0) return false;
    this.slab.release(address);
    this.#vacate(segment, slot);
    segment.count--;
    this.#size--;
    return true;
  }

  /** Calls `visit` with the address of each record, in no particular order. The table must not change meanwhile. */
  forEach(visit: (address: number) => void): void {
    for (const segment of this.#segments) {
      if (segment === undefined) continue;
      for (const address of segment.addresses) if (address !== 0) visit(address);
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

  /** The slot that holds this key, or the empty one where it belongs. */
  #slotOf(segment: Segment, hash: number, key: Uint8Array, keyLength: number): number {
    const { hashes, addresses } = segment;
    const mask = addresses.length - 1;
    let slot = hash & mask;
    for (;;) {
      const address = addresses[slot]!;
      if (address === 0) return slot;
      if (hashes[slot] === hash && this.#keyEquals(address, key, keyLength)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #keyEquals(address: number, key: Uint8Array, keyLength: number): boolean {
    const { slab } = this;
    if (slab.keyLength(address) !== keyLength) return false;
    const bytes = slab.bytes(address);
    const start = slab.keyAt(address);
    for (let i = 0; i < keyLength; i++) if (bytes[start + i] !== key[i]) return false;
    return true;
  }

  #write(key: ByteWriter, value: ByteWriter): number {
    const { slab } = this;
    const address = slab.allocate(this.owner, key.length, value.length);
    const bytes = slab.bytes(address);
    const start = slab.keyAt(address);
    copy(key.buffer, 0, key.length, bytes, start);
    copy(value.buffer, 0, value.length, bytes, start + key.length);
    return address;
  }

  #grow(number: number, old: Segment): Segment {
    const grown = newSegment(old.addresses.length * 2);
    const mask = grown.addresses.length - 1;
    for (let i = 0; i < old.addresses.length; i++) {
      const address = old.addresses[i]!;
      if (address === 0) continue;
      const hash = old.hashes[i]!;
      let slot = hash & mask;
      while (grown.addresses[slot] !== 0) slot = (slot + 1) & mask;
      grown.addresses[slot] = address;
      grown.hashes[slot] = hash;
    }
    grown.count = old.count;
    this.#segments[number] = grown;
    return grown;
  }

  /** Empties a slot and moves back what had been pushed past it, so that no probe ever needs a tombstone. */
  #vacate(segment: Segment, emptied: number): void {
    const { hashes, addresses } = segment;
    const mask = addresses.length - 1;
    let hole = emptied;
    let slot = hole;
    for (;;) {
      slot = (slot + 1) & mask;
      const address = addresses[slot]!;
      if (address === 0) break;
      const home = hashes[slot]! & mask;
      if (((slot - home) & mask) >= ((slot - hole) & mask)) {
        addresses[hole] = address;
        hashes[hole] = hashes[slot]!;
        hole = slot;
      }
    }
    addresses[hole] = 0;
  }
}

/** Bytes of memory that a record with these lengths takes, for estimates. */
export function recordBytes(keyLength: number, valueLength: number): number {
  return HEADER_BYTES + keyLength + valueLength;
}

function newSegment(capacity: number): Segment {
  return { hashes: new Uint32Array(capacity), addresses: new Uint32Array(capacity), count: 0 };
}

/** FNV-1a with the finalizer of MurmurHash3: the low bits choose the slot, the high bits the segment. */
function hashBytes(bytes: Uint8Array, length: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** A loop beats the call into native code for the short ranges that nearly all records are. */
function copy(source: Buffer, start: number, end: number, target: Buffer, at: number): void {
  if (end - start > 64) {
    source.copy(target, at, start, end);
    return;
  }
  let to = at;
  for (let i = start; i < end; i++) target[to++] = source[i]!;
}
