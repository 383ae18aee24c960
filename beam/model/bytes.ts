/**
 * ByteWriter and ByteReader: the two cursors that every coder works on. Both are reused, so that coding an element
 * allocates nothing but the value itself. After a CorruptBytesError a reader's position and limit are anywhere:
 * `reset` it.
 */
export { ByteReader, CorruptBytesError } from "./byte_reader.js";

const INITIAL_CAPACITY = 1024;
/** Words. For fewer a loop beats the call into native code, and makes nothing that must be collected. */
const COPIED_BY_LOOP_MAX = 64;

/** A growing buffer with a write position. */
export class ByteWriter {
  buffer: Buffer;
  /**
   * The same memory, for code that copies, compares or hashes many bytes. The bytes after `length` are undefined.
   */
  words: Uint32Array;
  /** Number of bytes written. */
  length = 0;
  /** A hash of the first `hashedLength` bytes, cached for look-ups by this writer's bytes; -1: none. */
  hash = 0;
  hashedLength = -1;

  constructor(capacity = INITIAL_CAPACITY) {
    this.buffer = wholeWords(capacity);
    this.words = wordsOf(this.buffer);
  }

  /** Clears the writer, and frees memory beyond `capacity` bytes. */
  shrink(capacity: number): void {
    this.reset();
    if (this.buffer.length <= capacity) return;
    this.buffer = wholeWords(INITIAL_CAPACITY);
    this.words = wordsOf(this.buffer);
  }

  /** Clears the writer, and keeps its memory. */
  reset(): void {
    this.length = 0;
    this.hashedLength = -1;
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.buffer.length) return;
    const grown = wholeWords(Math.max(needed, this.buffer.length * 2));
    this.buffer.copy(grown, 0, 0, this.length);
    this.buffer = grown;
    this.words = wordsOf(grown);
  }

  writeByte(byte: number): void {
    if (this.length === this.buffer.length) this.reserve(1);
    this.buffer[this.length++] = byte;
  }

  /** Appends `source[start, end)`. */
  writeBytes(source: Uint8Array, start = 0, end = source.length): void {
    const count = end - start;
    this.reserve(count);
    if (count <= 48) {
      const { buffer } = this;
      let at = this.length;
      for (let i = start; i < end; i++) buffer[at++] = source[i]!;
    } else {
      this.buffer.set(
        start === 0 && end === source.length ? source : source.subarray(start, end),
        this.length,
      );
    }
    this.length += count;
  }

  /** Appends the characters `text[start, end)`, none above U+00FF, as one byte each. */
  writeLatin1(text: string, start: number, end: number): void {
    this.reserve(end - start);
    const { buffer } = this;
    let at = this.length;
    for (let i = start; i < end; i++) buffer[at++] = text.charCodeAt(i);
    this.length = at;
  }

  /**
   * A non-negative integer up to 2^53 - 1, or a negative one, as Beam's varint: 64-bit two's complement, seven bits
   * per byte, lowest first (negative values take ten bytes).
   */
  writeVarint(value: number): void {
    this.reserve(10);
    const { buffer } = this;
    let at = this.length;
    if (value >= 0 && value < 0x10000000) {
      let rest = value;
      while (rest > 0x7f) {
        buffer[at++] = (rest & 0x7f) | 0x80;
        rest >>>= 7;
      }
      buffer[at++] = rest;
    } else if (value >= 0) {
      let rest = value;
      while (rest > 0x7f) {
        buffer[at++] = (rest % 128) | 0x80;
        rest = Math.floor(rest / 128);
      }
      buffer[at++] = rest;
    } else {
      this.writeBigVarint(BigInt(value));
      return;
    }
    this.length = at;
  }

  /** Any 64-bit integer as Beam's varint (see `writeVarint`). */
  writeBigVarint(value: bigint): void {
    this.reserve(10);
    const { buffer } = this;
    let at = this.length;
    let rest = BigInt.asUintN(64, value);
    while (rest > 0x7fn) {
      buffer[at++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    buffer[at++] = Number(rest);
    this.length = at;
  }

  writeInt16(value: number): void {
    this.reserve(2);
    this.buffer.writeInt16BE(value, this.length);
    this.length += 2;
  }

  writeInt32(value: number): void {
    this.reserve(4);
    this.buffer.writeInt32BE(value, this.length);
    this.length += 4;
  }

  /** Four bytes, big-endian, of a number from 0 to 2^32 - 1. */
  writeWord(value: number): void {
    if (this.length + 4 > this.buffer.length) this.reserve(4);
    const { buffer } = this;
    const at = this.length;
    buffer[at] = value >>> 24;
    buffer[at + 1] = value >>> 16;
    buffer[at + 2] = value >>> 8;
    buffer[at + 3] = value;
    this.length = at + 4;
  }

  /** Appends the bytes of `source[start, start + count)`, as they are in memory, behind whole words. */
  writeWords(source: Uint32Array, start: number, count: number): void {
    if ((this.length & 3) !== 0) throw new Error(`words behind ${this.length} bytes`);
    if (this.length + count * 4 > this.buffer.length) this.reserve(count * 4);
    const { words } = this;
    const at = this.length >>> 2;
    if (count > COPIED_BY_LOOP_MAX) words.set(source.subarray(start, start + count), at);
    else for (let i = 0; i < count; i++) words[at + i] = source[start + i]!;
    this.length += count * 4;
  }

  writeInt64(value: bigint): void {
    this.reserve(8);
    this.buffer.writeBigInt64BE(value, this.length);
    this.length += 8;
  }

  writeFloat(value: number): void {
    this.reserve(4);
    this.buffer.writeFloatBE(value, this.length);
    this.length += 4;
  }

  writeDouble(value: number): void {
    this.reserve(8);
    this.buffer.writeDoubleBE(value, this.length);
    this.length += 8;
  }

  /** UTF-8 bytes with no length in front; a lone surrogate becomes U+FFFD. Returns their count. */
  writeUtf8(text: string): number {
    this.reserve(text.length * 3);
    const count = this.buffer.write(text, this.length, "utf8");
    this.length += count;
    return count;
  }

  /** Varint byte length, then the UTF-8 bytes. */
  writeString(text: string): void {
    // A short string's length fits one byte: write the text behind it first, then the length in front.
    if (text.length <= 42) {
      this.reserve(128);
      const { buffer } = this;
      const start = this.length + 1;
      // Byte by byte: for a short text the call into native code costs more than the text.
      let at = start;
      for (let i = 0; i < text.length; i++) {
        const code = text.charCodeAt(i);
        if (code > 0x7f) {
          at = start + buffer.write(text, start, "utf8");
          break;
        }
        buffer[at++] = code;
      }
      buffer[start - 1] = at - start;
      this.length = at;
    } else {
      this.writeVarint(Buffer.byteLength(text));
      this.writeUtf8(text);
    }
  }

  /**
   * Opens a block that is preceded by its length in bytes. Write the block, then call `endLengthPrefix` with the
   * number returned. Blocks may be nested.
   */
  beginLengthPrefix(): number {
    this.writeByte(0);
    return this.length;
  }

  /** Puts the varint length in front of what was written since `start`, moving it if one byte is not enough. */
  endLengthPrefix(start: number): void {
    const { length } = this;
    const count = length - start;
    if (count < 0x80) {
      this.buffer[start - 1] = count;
      return;
    }
    let prefix = 1;
    for (let rest = count; rest > 0x7f; rest = Math.floor(rest / 128)) prefix++;
    this.reserve(prefix);
    this.buffer.copyWithin(start - 1 + prefix, start, length);
    // The block is behind `length` for a moment; nothing grows the buffer here, since it holds 128 bytes at least.
    this.length = start - 1;
    this.writeVarint(count);
    this.length = length - 1 + prefix;
  }

  /** What was written, as a view that the next write may overwrite. */
  view(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  /** What was written, as a copy. */
  toBytes(): Buffer {
    return Buffer.from(this.view());
  }
}

function wholeWords(bytes: number): Buffer {
  return Buffer.allocUnsafeSlow((bytes + 3) & ~3);
}

function wordsOf({ buffer, byteOffset, length }: Buffer): Uint32Array {
  return new Uint32Array(buffer, byteOffset, length >>> 2);
}
