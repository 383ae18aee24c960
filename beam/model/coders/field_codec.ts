/**
 * How the values of a row's fields are written. Not all of these are Beam coders with a URN: some types have bytes of
 * their own inside of rows. Always nested; null is handled outside, except inside arrays and maps.
 *
 *     byte:    1 byte, two's complement           float:   4 bytes, IEEE 754, big endian
 *     int16:   2 bytes, big endian                double:  8 bytes, IEEE 754, big endian
 *     int32:   varint of the unsigned 32 bits (-1 takes five bytes)
 *     int64:   varint                             string, bytes: varint count of bytes | bytes
 *     boolean: 00 | 01                            row: see row_coder.ts
 *     array, iterable: a sequence (sequence.ts)   map: int32 count | (key | value)*
 *     a nullable element, key or value: 00 | 01 value
 *
 * Source: beam_runner_api.proto, StandardCoders ROW; for byte, int16, float and int32 below 0 the Java and Python SDKs.
 */
import { type ByteReader, type ByteWriter, CorruptBytesError } from "../bytes.js";
import { BoolCoder } from "./bool_coder.js";
import { BytesCoder } from "./bytes_coder.js";
import type { Context, FieldCodec } from "./coder.js";
import { DoubleCoder } from "./double_coder.js";
import { logicalTypeCodec } from "./logical_types.js";
import type { AtomicKind, FieldType, Schema } from "./schema.js";
import { readSequence, writeSequence } from "./sequence.js";
import { StringUtf8Coder } from "./string_utf8_coder.js";
import { Varint64Coder } from "./varint_coder.js";
import { wrongType } from "./wrong_type.js";

/** The codec of a field's values that are not null. `rowCodec` makes that of a nested row. */
export function fieldCodec(type: FieldType, rowCodec: (schema: Schema) => FieldCodec<any>): FieldCodec<any> {
  switch (type.kind) {
    case "array":
    case "iterable":
      return new ArrayCodec(elementCodec(type.element, rowCodec));
    case "map":
      return new MapCodec(elementCodec(type.key, rowCodec), elementCodec(type.value, rowCodec));
    case "row":
      return rowCodec(type.schema);
    case "logical":
      return logicalTypeCodec(type, elementCodec(type.representation, rowCodec));
    default:
      return ATOMIC_CODECS[type.kind];
  }
}

function elementCodec(type: FieldType, rowCodec: (schema: Schema) => FieldCodec<any>): FieldCodec<any> {
  const codec = fieldCodec(type, rowCodec);
  return type.nullable ? new NullableCodec(codec) : codec;
}

/** Whole numbers from -2^(bits-1) to 2^(bits-1) - 1. */
class IntCodec implements FieldCodec<number> {
  readonly isDeterministic = true;
  private readonly limit: number;

  constructor(
    private readonly name: string,
    bits: number,
    private readonly write: (value: number, out: ByteWriter) => void,
    private readonly read: (input: ByteReader) => number,
  ) {
    this.limit = 2 ** (bits - 1);
  }

  encode(value: number, out: ByteWriter, _context: Context): void {
    if (!Number.isInteger(value) || value < -this.limit || value >= this.limit) {
      const expected = `a whole number from ${-this.limit} to ${this.limit - 1}`;
      throw typeof value === "number"
        ? wrongType(`row ${this.name}`, expected, value, "another number")
        : wrongType(`row ${this.name}`, expected, value);
    }
    this.write(value, out);
  }

  decode(input: ByteReader, _context: Context): number {
    return this.read(input);
  }
}

/** Numbers are rounded to the nearest of 32 bits. */
class FloatCodec implements FieldCodec<number> {
  readonly isDeterministic = false;

  encode(value: number, out: ByteWriter, _context: Context): void {
    if (typeof value !== "number") throw wrongType("row float", "a number", value);
    out.writeFloat(value);
  }

  decode(input: ByteReader, _context: Context): number {
    return input.readFloat();
  }
}

class ArrayCodec<T> implements FieldCodec<readonly T[]> {
  readonly isDeterministic: boolean;

  constructor(private readonly element: FieldCodec<T>) {
    this.isDeterministic = element.isDeterministic;
  }

  encode(values: readonly T[], out: ByteWriter, _context: Context): void {
    if (!Array.isArray(values)) throw wrongType("row array", "an array", values);
    writeSequence(values, this.element, out);
  }

  decode(input: ByteReader, _context: Context): readonly T[] {
    return readSequence(input, this.element) as readonly T[];
  }
}

/** Entries keep the order of insertion, so equal maps may differ in their bytes. */
class MapCodec<K, V> implements FieldCodec<ReadonlyMap<K, V>> {
  readonly isDeterministic = false;

  constructor(
    private readonly key: FieldCodec<K>,
    private readonly value: FieldCodec<V>,
  ) {}

  encode(map: ReadonlyMap<K, V>, out: ByteWriter, _context: Context): void {
    if (!(map instanceof Map)) throw wrongType("row map", "a Map", map);
    out.writeInt32(map.size);
    for (const [key, value] of map) {
      this.key.encode(key, out, "nested");
      this.value.encode(value, out, "nested");
    }
  }

  decode(input: ByteReader, _context: Context): ReadonlyMap<K, V> {
    const count = input.readInt32();
    if (count < 0) throw new CorruptBytesError(`a map of ${count} entries`);
    const map = new Map<K, V>();
    for (let i = 0; i < count; i++) {
      const key = this.key.decode(input, "nested");
      map.set(key, this.value.decode(input, "nested"));
    }
    return map;
  }
}

class NullableCodec<T> implements FieldCodec<T | null> {
  readonly isDeterministic: boolean;

  constructor(private readonly value: FieldCodec<T>) {
    this.isDeterministic = value.isDeterministic;
  }

  encode(value: T | null | undefined, out: ByteWriter, context: Context): void {
    const isPresent = value !== null && value !== undefined;
    BoolCoder.INSTANCE.encode(isPresent, out, context);
    if (isPresent) this.value.encode(value, out, context);
  }

  decode(input: ByteReader, context: Context): T | null {
    return BoolCoder.INSTANCE.decode(input, context) ? this.value.decode(input, context) : null;
  }
}

/** Python's and Java's int32 is a varint of 32 bits; one that was written with 64 is read too. */
function readInt32(input: ByteReader): number {
  const value = input.readVarint();
  if (value < -(2 ** 31) || value >= 2 ** 32) throw new CorruptBytesError(`the int32 ${value}`);
  return value | 0;
}

const ATOMIC_CODECS: Record<AtomicKind, FieldCodec<any>> = {
  byte: new IntCodec(
    "byte",
    8,
    (value, out) => out.writeByte(value & 0xff),
    (input) => (input.readByte() << 24) >> 24,
  ),
  int16: new IntCodec(
    "int16",
    16,
    (value, out) => out.writeInt16(value),
    (input) => input.readInt16(),
  ),
  int32: new IntCodec("int32", 32, (value, out) => out.writeVarint(value >>> 0), readInt32),
  int64: Varint64Coder.INSTANCE,
  float: new FloatCodec(),
  double: DoubleCoder.INSTANCE,
  string: StringUtf8Coder.INSTANCE,
  boolean: BoolCoder.INSTANCE,
  bytes: BytesCoder.INSTANCE,
};
