/**
 * What happens to the tables, as bytes: the one home of how a change is written and read.
 *
 *     change = 1 | table | keyLength | valueLength | key | value                        put
 *            | 2 | table | keyLength | oldLength | addedLength | key | added            append
 *            | 3 | table | keyLength | key                                              delete
 *            | 4 | table | nameLength | name                                            a table's name
 *            | 5 | table | keyLength | frontLength | key | front                        the first bytes of a value
 *
 * Kind and table share a word of 4 bytes, big-endian, the kind in its lowest byte; each length is a word. What follows
 * is filled up to whole words, as in a block of the slab, so that a record is copied by words.
 *
 * Changes that are read again meet a state that may be ahead of them (see snapshot.ts), so each says what comes of it,
 * not what is to be done: an append names the length that it adds to, and a value that moves in memory is written as a
 * whole.
 */
import { type ByteReader, ByteWriter, CorruptBytesError } from "../model/bytes.js";
import type { Changes } from "./changes.js";
import { padded, type Slab } from "./slab.js";

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

  /** @param keyWord where the key begins, in `words`; the value is behind it, as in a block of the slab */
  put(table: number, words: Uint32Array, keyWord: number, keyLength: number, valueLength: number): void {
    const out = this.#writer ?? this.#nowhere();
    if (out !== undefined) writeRecord(out, table, words, keyWord, keyLength, valueLength);
  }

  patch(table: number, words: Uint32Array, keyWord: number, keyLength: number, front: ByteWriter): void {
    const out = this.#writer ?? this.#nowhere();
    if (out === undefined) return;
    writeHeader(out, PATCH, table, keyLength);
    out.writeWord(front.length);
    out.writeWords(words, keyWord, wordsFor(keyLength));
    out.writeWords(front.words, 0, wordsFor(front.length));
  }

  append(table: number, key: ByteWriter, oldLength: number, added: ByteWriter): void {
    const out = this.#writer ?? this.#nowhere();
    if (out === undefined) return;
    writeHeader(out, APPEND, table, key.length);
    out.writeWord(oldLength);
    out.writeWord(added.length);
    out.writeWords(key.words, 0, wordsFor(key.length));
    out.writeWords(added.words, 0, wordsFor(added.length));
  }

  delete(table: number, words: Uint32Array, keyWord: number, keyLength: number): void {
    const out = this.#writer ?? this.#nowhere();
    if (out === undefined) return;
    writeHeader(out, DELETE, table, keyLength);
    out.writeWords(words, keyWord, wordsFor(keyLength));
  }

  #nowhere(): undefined {
    if (!this.isReplaying)
      throw new Error("state changed outside of a bundle: the change belongs to no commit");
  }
}

/** The record at an address of a slab as a put. */
export function writeRecordAt(out: ByteWriter, slab: Slab, address: number): void {
  writeRecord(
    out,
    slab.owner(address),
    slab.words(address),
    slab.keyWord(address),
    slab.keyLength(address),
    slab.valueLength(address),
  );
}

/** A record as a put. Parameters as for `put`. */
function writeRecord(
  out: ByteWriter,
  table: number,
  words: Uint32Array,
  keyWord: number,
  keyLength: number,
  valueLength: number,
): void {
  writeHeader(out, PUT, table, keyLength);
  out.writeWord(valueLength);
  out.writeWords(words, keyWord, wordsFor(keyLength) + wordsFor(valueLength));
}

export function writeName(out: ByteWriter, table: number, name: string): void {
  const bytes = Buffer.from(name);
  writeHeader(out, NAME, table, bytes.length);
  out.writeBytes(bytes);
  for (let i = bytes.length; i < padded(bytes.length); i++) out.writeByte(0);
}

function writeHeader(out: ByteWriter, kind: number, table: number, length: number): void {
  out.writeWord((table << 8) | kind);
  out.writeWord(length);
}

function wordsFor(length: number): number {
  return padded(length) >>> 2;
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
    const kindAndTable = changes.readWord();
    const kind = kindAndTable & 0xff;
    const number = kindAndTable >>> 8;
    const keyLength = changes.readWord();
    if (kind === NAME) {
      readInto(key, changes, keyLength);
      target.nameTable(number, key.view().toString());
      continue;
    }
    const table = target.byNumber(number);
    switch (kind) {
      case PUT: {
        const valueLength = changes.readWord();
        readInto(key, changes, keyLength);
        readInto(value, changes, valueLength);
        table.put(key, value);
        break;
      }
      case APPEND: {
        const oldLength = changes.readWord();
        const addedLength = changes.readWord();
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
        const frontLength = changes.readWord();
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
  const at = from.skip(padded(count));
  writer.reset();
  writer.writeBytes(from.buffer, at, at + count);
}
