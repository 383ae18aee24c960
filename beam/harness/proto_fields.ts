/** Fields of protobuf messages that are written and read without a message object: for what goes out by the thousand. */
import type { ByteReader, ByteWriter } from "../model/bytes.js";

const LENGTH_DELIMITED = 2;

/** The tag of a field that has a length in front: bytes, a text or a message. */
export class FieldTag {
  readonly bytes: Buffer;

  constructor(number: number) {
    const bytes: number[] = [];
    let left = number * 8 + LENGTH_DELIMITED;
    for (; left > 0x7f; left >>>= 7) bytes.push((left & 0x7f) | 0x80);
    bytes.push(left);
    this.bytes = Buffer.from(bytes);
  }

  write(out: ByteWriter): void {
    const { bytes } = this;
    if (bytes.length === 1) out.writeByte(bytes[0]!);
    else out.writeBytes(bytes);
  }
}

/** A field without bytes is left out, as in proto3. */
export function writeBytesField(out: ByteWriter, tag: FieldTag, bytes: Uint8Array): void {
  if (bytes.length === 0) return;
  tag.write(out);
  out.writeVarint(bytes.length);
  out.writeBytes(bytes);
}

/** The same of the characters `text[start, end)`, a byte each. */
export function writeLatin1Field(
  out: ByteWriter,
  tag: FieldTag,
  text: string,
  start: number,
  end: number,
): void {
  if (start === end) return;
  tag.write(out);
  out.writeVarint(end - start);
  out.writeLatin1(text, start, end);
}

export function lengthOfBytesField(tag: FieldTag, { length }: Uint8Array): number {
  return lengthOfField(tag, length);
}

/** @param length of what it holds, in bytes */
export function lengthOfField(tag: FieldTag, length: number): number {
  return length === 0 ? 0 : tag.bytes.length + lengthOfVarint(length) + length;
}

/** Of a number below 2^31. */
export function lengthOfVarint(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  return value < 0x1000_0000 ? 4 : 5;
}

/** Moves past a field of which the tag was read. Throws a CorruptBytesError for one that is none. */
export function skipField(input: ByteReader, tag: number): void {
  switch (tag & 7) {
    case 0:
      input.readBigVarint();
      return;
    case 1:
      input.skip(8);
      return;
    case 5:
      input.skip(4);
      return;
    default:
      input.skip(input.readVarint());
  }
}
