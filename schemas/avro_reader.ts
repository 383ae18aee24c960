/**
 * Reads Avro's binary encoding from a stretch of a buffer. It never throws: the first fault is kept and the
 * remaining reads go on harmlessly, so that a decoder checks once, at the end. One instance is reused for
 * every record.
 *
 *   long, int = zigzag, then base-128 groups, lowest first, high bit = more follow (1–10 bytes; int 1–5)
 *   string    = long byte length, then that many bytes of UTF-8
 */
import { isUtf8 } from "node:buffer";
import { asciiText } from "@order-payment-stream/beam";
import { type Malformed, undecodable } from "./malformed.js";

export class AvroReader {
  private buffer: Buffer = Buffer.alloc(0);
  private at = 0;
  private end = 0;
  private fault: Malformed | undefined;
  private isLost = false;

  /** Starts over at `buffer[at, end)`; the caller guarantees 0 ≤ at ≤ end ≤ buffer.length. */
  reset(buffer: Buffer, at: number, end: number): void {
    this.buffer = buffer;
    this.at = at;
    this.end = end;
    this.fault = undefined;
    this.isLost = false;
  }

  /** The first fault of this record, if any; bytes left over are one. */
  finish(): Malformed | undefined {
    if (this.fault !== undefined) return this.fault;
    if (this.at === this.end) return undefined;
    return undecodable(`${this.end - this.at} bytes follow the Avro record`);
  }

  /** Where the next read begins; NaN when a fault has left it unknown where the next field is. */
  get position(): number {
    return this.isLost ? Number.NaN : this.at;
  }

  /** The first fault of this record, if any, whatever follows it. */
  get firstFault(): Malformed | undefined {
    return this.fault;
  }

  /** Exact up to ±2^53; beyond that rounded, but never back into that range. NaN after a fault. */
  long(field: string): number {
    const { buffer } = this;
    const at = this.at;
    // The two lengths that events have nearly always, without a loop: one byte (a string's length, a small
    // amount) and six (a timestamp of the years 1970 to 2039).
    if (at < this.end) {
      const first = buffer[at]!;
      if (first < 0x80) {
        this.at = at + 1;
        return (first >>> 1) ^ -(first & 1);
      }
      if (at + 6 <= this.end) {
        const second = buffer[at + 1]!;
        const third = buffer[at + 2]!;
        const fourth = buffer[at + 3]!;
        const fifth = buffer[at + 4]!;
        const sixth = buffer[at + 5]!;
        if ((second & third & fourth & fifth & 0x80) !== 0 && sixth < 0x80) {
          this.at = at + 6;
          const low =
            (first & 0x7f) | ((second & 0x7f) << 7) | ((third & 0x7f) << 14) | ((fourth & 0x7f) << 21);
          const half = (low >>> 1) + ((fifth & 0x7f) | (sixth << 7)) * 2 ** 27;
          return (low & 1) === 0 ? half : -half - 1;
        }
      }
    }
    return this.anyLong(field);
  }

  /** The 64 bits are gathered as 28 + 28 + 8, each an exact 32-bit integer. */
  private anyLong(field: string): number {
    const { buffer, end } = this;
    let at = this.at;
    let low = 0;
    let middle = 0;
    let high = 0;
    for (let shift = 0; ; shift += 7) {
      if (at >= end) return this.fail(field, "ends early");
      const byte = buffer[at++]!;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift < 56) middle |= bits << (shift - 28);
      else if (shift === 56) high = bits;
      else if (bits <= 1) high |= bits << 7;
      else return this.fail(field, "is longer than 64 bits");
      if (byte < 0x80) break;
      if (shift === 63) return this.fail(field, "is longer than 64 bits");
    }
    this.at = at;
    const half = (low >>> 1) + middle * 2 ** 27 + high * 2 ** 55;
    return (low & 1) === 0 ? half : -half - 1;
  }

  /** A 32-bit integer; 0 after a fault. */
  int(field: string): number {
    const value = this.long(field);
    if (value === (value | 0)) return value | 0;
    this.fault ??= undecodable(`Avro field ${field} is longer than 32 bits`);
    return 0;
  }

  string(field: string): string {
    const { buffer } = this;
    const length = this.long(field);
    const start = this.at;
    if (!(length >= 0 && length <= this.end - start)) {
      this.fail(field, `has an impossible length, ${length}`);
      return "";
    }
    const end = start + length;
    this.at = end;
    // Four bytes a step: this check is a good part of what a record costs.
    let seen = 0;
    let i = start;
    for (const last = end - 3; i < last; i += 4) {
      seen |= buffer[i]! | buffer[i + 1]! | buffer[i + 2]! | buffer[i + 3]!;
    }
    for (; i < end; i++) seen |= buffer[i]!;
    if (seen < 0x80) return asciiText(buffer, start, end);
    if (isUtf8(buffer.subarray(start, end))) return buffer.toString("utf8", start, end);
    this.fault ??= undecodable(`Avro field ${field} is not valid UTF-8`);
    return "";
  }

  /** All 64 bits. Slow: for what a double cannot hold. 0 after a fault. */
  bigLong(field: string): bigint {
    const start = this.at;
    if (Number.isNaN(this.long(field))) return 0n;
    let bits = 0n;
    for (let i = this.at - 1; i >= start; i--) bits = (bits << 7n) | BigInt(this.buffer[i]! & 0x7f);
    return BigInt.asIntN(64, (bits >> 1n) ^ -(bits & 1n));
  }

  /** Steps over a value of `length` bytes. */
  skip(field: string, length: number): void {
    if (length >= 0 && length <= this.end - this.at) this.at += length;
    else this.fail(field, `has an impossible length, ${length}`);
  }

  /** Steps over a string or bytes. */
  skipBytes(field: string): void {
    this.skip(field, this.long(field));
  }

  /** Which branch of a union follows; -1 after a fault. */
  branch(field: string, count: number): number {
    const index = this.long(field);
    if (index >= 0 && index < count) return index;
    this.fail(field, `is of branch ${index} of a union that has ${count}`);
    return -1;
  }

  /** Steps over the blocks of an array or a map, whose entries `skipEntry` steps over. */
  skipBlocks(field: string, skipEntry: () => void): void {
    while (this.fault === undefined) {
      const count = this.long(field);
      if (count === 0) return;
      if (count < 0) {
        // The bytes of the block are told.
        this.skipBytes(field);
        continue;
      }
      for (let i = 0; i < count && this.fault === undefined; i++) {
        const before = this.at;
        skipEntry();
        // Entries of no bytes, however many, need no steps.
        if (this.at === before) break;
      }
    }
  }

  /** Keeps the first one. */
  fail(field: string, what: string): number {
    this.isLost = true;
    this.fault ??= undecodable(`Avro field ${field} ${what}`);
    return Number.NaN;
  }
}
