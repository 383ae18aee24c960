/**
 * Steps through the fields of a broker's answer; throws a RangeError at its end. Compact strings and arrays, and tagged
 * fields, are those of the protocol's flexible versions: https://kafka.apache.org/protocol#protocol_types.
 */
import { readInt64 } from "./int64.js";

const UUID_BYTES = 16;
const NO_UUID = Buffer.alloc(UUID_BYTES);

export class AnswerReader {
  lastSkipStart = 0;
  #at = 0;

  constructor(readonly payload: Buffer) {}

  int16(): number {
    this.#at += 2;
    return this.payload.readInt16BE(this.#at - 2);
  }

  int32(): number {
    this.#at += 4;
    return this.payload.readInt32BE(this.#at - 4);
  }

  int64(): number {
    this.#at += 8;
    return readInt64(this.payload, this.#at - 8);
  }

  string(): string {
    const end = this.skip(this.int16());
    return this.payload.toString("utf8", this.lastSkipStart, end);
  }

  /** Steps over bytes; a negative length, for null, is none. Returns where they end. */
  skip(length: number): number {
    this.lastSkipStart = this.#at;
    this.#at += Math.max(0, length);
    if (this.#at > this.payload.length) throw new RangeError("the answer ends early");
    return this.#at;
  }

  /** As Kafka's tools show it; the one of nothing is empty. */
  uuid(): string {
    const end = this.skip(UUID_BYTES);
    const bytes = this.payload.subarray(this.lastSkipStart, end);
    return bytes.equals(NO_UUID) ? "" : bytes.toString("base64url");
  }

  /** Lowest seven bits first. */
  uvarint(): number {
    let value = 0;
    for (let weight = 1; weight <= 2 ** 28; weight *= 128) {
      const byte = this.payload.readUInt8(this.#at++);
      value += (byte & 0x7f) * weight;
      if (byte < 0x80) return value;
    }
    throw new RangeError("a number is too long");
  }

  /** Null is the empty string. */
  compactString(): string {
    const end = this.skip(this.uvarint() - 1);
    return this.payload.toString("utf8", this.lastSkipStart, end);
  }

  compactArray<T>(item: () => T): T[] {
    const items: T[] = [];
    for (let count = this.uvarint() - 1; count > 0; count--) items.push(item());
    return items;
  }

  skipTaggedFields(): void {
    for (let count = this.uvarint(); count > 0; count--) {
      this.uvarint();
      this.skip(this.uvarint());
    }
  }
}
