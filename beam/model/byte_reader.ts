/** How bytes are read that a ByteWriter wrote, or anybody else. */
import { isUtf8 } from "node:buffer";
import { asciiText } from "./ascii_text.js";

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);
/** How the decoder of UTF-8 shows a byte that it cannot read; also a character that a text may hold. */
const REPLACEMENT_CHARACTER = "\ufffd";

/** Thrown when input bytes end early or cannot be what the coder expects. */
export class CorruptBytesError extends Error {
  override readonly name = "CorruptBytesError";
}

/** A read position over `buffer[position, limit)`. Reading past `limit` throws CorruptBytesError. */
export class ByteReader {
  buffer: Buffer;
  position: number;
  limit: number;

  constructor(buffer: Buffer = Buffer.alloc(0), position = 0, limit: number = buffer.length) {
    this.buffer = buffer;
    this.position = position;
    this.limit = limit;
  }

  /** Points this reader at other bytes. */
  reset(buffer: Buffer, position = 0, limit: number = buffer.length): this {
    this.buffer = buffer;
    this.position = position;
    this.limit = limit;
    return this;
  }

  get remaining(): number {
    return this.limit - this.position;
  }

  /** Moves past `count` bytes and returns where they start. */
  skip(count: number): number {
    const at = this.position;
    if (count < 0 || at + count > this.limit) {
      throw new CorruptBytesError(`${count} more bytes expected, ${this.limit - at} left`);
    }
    this.position = at + count;
    return at;
  }

  readByte(): number {
    return this.buffer[this.skip(1)]!;
  }

  /** Beam's 64-bit varint, as a number; throws when it does not fit 53 bits. */
  readVarint(): number {
    const value = this.tryReadVarint();
    if (Number.isNaN(value)) {
      throw new CorruptBytesError(`the varint ${this.readBigVarint()} does not fit 53 bits`);
    }
    return value;
  }

  /** As `readVarint`, but NaN, and the position left alone, when the value does not fit 53 bits. */
  tryReadVarint(): number {
    const { buffer, limit } = this;
    let at = this.position;
    let value = 0;
    let scale = 1;
    // Seven bytes hold 49 bits; what is longer is rare.
    for (let count = 0; count < 7; count++) {
      if (at >= limit) throw new CorruptBytesError("a varint ends early");
      const byte = buffer[at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        this.position = at;
        return value;
      }
      scale *= 128;
    }
    const start = this.position;
    const big = this.readBigVarint();
    if (big <= MAX_SAFE && big >= -MAX_SAFE) return Number(big);
    this.position = start;
    return Number.NaN;
  }

  /** Beam's 64-bit varint, whole range. */
  readBigVarint(): bigint {
    const { buffer, limit } = this;
    let at = this.position;
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (at >= limit) throw new CorruptBytesError("a varint ends early");
      const byte = buffer[at++]!;
      if (shift === 63n && byte > 1) break;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.position = at;
        return BigInt.asIntN(64, value);
      }
    }
    throw new CorruptBytesError("a varint has more than 64 bits");
  }

  readInt16(): number {
    return this.buffer.readInt16BE(this.skip(2));
  }

  readInt32(): number {
    return this.buffer.readInt32BE(this.skip(4));
  }

  /** Four bytes, big-endian, as a number from 0 to 2^32 - 1. */
  readWord(): number {
    const at = this.skip(4);
    const { buffer } = this;
    return ((buffer[at]! << 24) | (buffer[at + 1]! << 16) | (buffer[at + 2]! << 8) | buffer[at + 3]!) >>> 0;
  }

  readInt64(): bigint {
    return this.buffer.readBigInt64BE(this.skip(8));
  }

  readFloat(): number {
    return this.buffer.readFloatBE(this.skip(4));
  }

  readDouble(): number {
    return this.buffer.readDoubleBE(this.skip(8));
  }

  /** `count` UTF-8 bytes as text; throws when they are not UTF-8. */
  readUtf8(count: number): string {
    const at = this.skip(count);
    const end = at + count;
    const { buffer } = this;
    let seen = 0;
    for (let i = at; i < end; i++) seen |= buffer[i]!;
    if (seen < 0x80) return asciiText(buffer, at, end);
    const text = buffer.toString("utf8", at, end);
    if (text.includes(REPLACEMENT_CHARACTER) && !isUtf8(buffer.subarray(at, end))) {
      throw new CorruptBytesError("a text is not valid UTF-8");
    }
    return text;
  }

  /** Varint byte length, then UTF-8. */
  readString(): string {
    return this.readUtf8(this.readVarint());
  }

  /** `count` bytes as a copy, which stays valid when the input is reused. */
  readBytes(count: number): Buffer {
    const at = this.skip(count);
    const copy = Buffer.allocUnsafe(count);
    this.buffer.copy(copy, 0, at, at + count);
    return copy;
  }

  /** `count` bytes as a view on the input. */
  readView(count: number): Buffer {
    const at = this.skip(count);
    return this.buffer.subarray(at, at + count);
  }
}
