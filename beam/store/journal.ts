/**
 * What happens to the tables, as bytes: the one home of how a change is written and read.
 *
 *     change = 1 | table | keyLength | valueLength | key | padding | value              put
 *            | 2 | table | keyLength | oldLength | addedLength | key | added            append
 *            | 3 | table | keyLength | key                                              delete
 *            | 4 | table | name                                                         a table's name
 *            | 5 | table | keyLength | frontLength | key | front                        the first bytes of a value
 *
 * All numbers are varints, a name is a string; the padding is as in a block of the slab, so that a record is written in
 * one go. Changes that are read again meet a state that may be ahead of them (see
 * snapshot.ts), so each says what comes of it, not what is to be done: an append names the length that it adds to, and
 * a value that moves in memory is written as a whole.
 */
import { type ByteReader, ByteWriter, CorruptBytesError } from "../model/bytes.js";
import type { Changes } from "./changes.js";
import { padded } from "./slab.js";

/** Goes up with every change of how they are written: the files of a store say it, and a newer one is refused. */
export const FORMAT = 2;

const PUT = 1;
const APPEND = 2;
const DELETE = 3;
const NAME = 4;
const PATCH = 5;

/** A list that has grown beyond this gives its memory back once it was written. */
const BYTES_KEPT_MAX = 1 << 22;
/** Lists whose memory is kept for others. */
const LISTS_KEPT_MAX = 16;

export class ChangeList implements Changes {
  readonly writer = new ByteWriter(1 << 16);

  get bytes(): number {
    return this.writer.length;
  }
}

/** Notes down changes in the list of the turn that makes them. */
export class Journal {
  /** What comes now is read from a file: it is known there. */
  isReplaying = true;
  #writer: ByteWriter | undefined;
  readonly #idle: ChangeList[] = [];

  newList(): ChangeList {
    return this.#idle.pop() ?? new ChangeList();
  }

  /** The list was written, or never will be: its memory may serve another. */
  recycle(list: ChangeList): void {
    list.writer.reset();
    if (list.writer.buffer.length <= BYTES_KEPT_MAX && this.#idle.length < LISTS_KEPT_MAX) {
      this.#idle.push(list);
    }
  }

  /** Undefined: nothing may change from now on. */
  noteIn(list: ChangeList | undefined): void {
    this.#writer = list?.writer;
  }

  patch(table: number, bytes: Buffer, keyAt: number, keyLength: number, front: ByteWriter): void {
    const out = this.#writer ?? this.#nowhere();
    if (out === undefined) return;
    out.writeByte(PATCH);
    out.writeVarint(table);
    out.writeVarint(keyLength);
    out.writeVarint(front.length);
    out.writeBytes(bytes, keyAt, keyAt + keyLength);
    out.writeBytes(front.buffer, 0, front.length);
  }

  append(table: number, key: ByteWriter, oldLength: number, added: ByteWriter): void {
    const out = this.#writer ?? this.#nowhere();
    if (out === undefined) return;
    out.writeByte(APPEND);
    out.writeVarint(table);
    out.writeVarint(key.length);
    out.writeVarint(oldLength);
    out.writeVarint(added.length);
    out.writeBytes(key.buffer, 0, key.length);
    out.writeBytes(added.buffer, 0, added.length);
  }

  /** Key and value lie in `bytes` as in a block of the slab. */
  put(
    table: number,
    bytes: Buffer,
    keyAt: number,
    keyLength: number,
    valueAt: number,
    valueLength: number,
  ): void {
    const out = this.#writer ?? this.#nowhere();
    if (out !== undefined) writeRecord(out, table, bytes, keyAt, keyLength, valueAt, valueLength);
  }

  delete(table: number, bytes: Buffer, keyAt: number, keyLength: number): void {
    const out = this.#writer ?? this.#nowhere();
    if (out === undefined) return;
    out.writeByte(DELETE);
    out.writeVarint(table);
    out.writeVarint(keyLength);
    out.writeBytes(bytes, keyAt, keyAt + keyLength);
  }

  #nowhere(): undefined {
    if (!this.isReplaying)
      throw new Error("state changed outside of a bundle: the change belongs to no commit");
  }
}

/** A record as a put; key and value lie in `bytes` as in a block of the slab. */
export function writeRecord(
  out: ByteWriter,
  table: number,
  bytes: Buffer,
  keyAt: number,
  keyLength: number,
  valueAt: number,
  valueLength: number,
): void {
  out.writeByte(PUT);
  out.writeVarint(table);
  out.writeVarint(keyLength);
  out.writeVarint(valueLength);
  out.writeBytes(bytes, keyAt, valueAt + valueLength);
}

export function writeName(out: ByteWriter, table: number, name: string): void {
  out.writeByte(NAME);
  out.writeVarint(table);
  out.writeString(name);
}

/** What the changes of one table are applied to; the writers serve the next change too. */
export interface ReplayTable {
  put(key: ByteWriter, value: ByteWriter): unknown;
  appendAt(key: ByteWriter, oldLength: number, added: ByteWriter): void;
  patchOf(key: ByteWriter, front: ByteWriter): void;
  delete(key: ByteWriter): unknown;
}

/** The tables that changes are applied to. */
export interface ReplayTarget {
  /** Throws for a number that no name was given to. */
  byNumber(table: number): ReplayTable;
  nameTable(table: number, name: string): void;
}

const key = new ByteWriter(256);
const value = new ByteWriter(1024);

/** Applies changes up to the reader's limit. Throws CorruptBytesError for bytes that are none. */
export function replay(changes: ByteReader, target: ReplayTarget): void {
  while (changes.remaining > 0) {
    const kind = changes.readByte();
    const number = changes.readVarint();
    if (kind === NAME) {
      target.nameTable(number, changes.readString());
      continue;
    }
    const table = target.byNumber(number);
    const keyLength = changes.readVarint();
    switch (kind) {
      case PUT: {
        const valueLength = changes.readVarint();
        readInto(key, changes, keyLength);
        changes.skip(padded(keyLength) - keyLength);
        readInto(value, changes, valueLength);
        table.put(key, value);
        break;
      }
      case APPEND: {
        const oldLength = changes.readVarint();
        const addedLength = changes.readVarint();
        readInto(key, changes, keyLength);
        readInto(value, changes, addedLength);
        table.appendAt(key, oldLength, value);
        break;
      }
      case DELETE:
        readInto(key, changes, keyLength);
        table.delete(key);
        break;
      case PATCH: {
        const frontLength = changes.readVarint();
        readInto(key, changes, keyLength);
        readInto(value, changes, frontLength);
        table.patchOf(key, value);
        break;
      }
      default:
        throw new CorruptBytesError(`change of kind ${kind}`);
    }
  }
}

function readInto(writer: ByteWriter, from: ByteReader, count: number): void {
  const at = from.skip(count);
  writer.reset();
  writer.writeBytes(from.buffer, at, at + count);
}
