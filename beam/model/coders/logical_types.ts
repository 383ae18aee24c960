/**
 * Logical types of rows: what they look like in memory.
 *
 *     millis_instant                     TimestampMs
 *     int53 (of this SDK alone)          number: a whole one that a double holds exactly
 *     decimal                            Decimal
 *     fixed_char, fixed_bytes            text or bytes, padded to the length with blanks or zeros
 *     var_char, var_bytes                text or bytes, up to the length
 *     timestamp                          {seconds: bigint, subseconds: number}, 10^-precision seconds each
 *     every other (micros_instant, date) its representation: the meaning is the reader's business
 *
 * Lengths of text count UTF-16 units, as in Java. Source: schema.proto, LogicalTypes; the Java and Python SDKs.
 */
import { type ByteReader, type ByteWriter, CorruptBytesError } from "../bytes.js";
import type { TimestampMs } from "../timestamps.js";
import type { FieldCodec } from "./coder.js";
import { DecimalCodec } from "./decimal.js";
import { readInstant, writeInstant } from "./instant.js";
import type { LogicalFieldType } from "./schema.js";
import { VarintCoder } from "./varint_coder.js";
import { wrongType } from "./wrong_type.js";

const PREFIX = "beam:logical_type:";
export const MILLIS_INSTANT_URN = `${PREFIX}millis_instant:v1`;
export const INT53_URN = "beam:ts:logical_type:int53:v1";

/** The codec of a logical type, given that of its representation. */
export function logicalTypeCodec(type: LogicalFieldType, representation: FieldCodec<any>): FieldCodec<any> {
  switch (type.urn) {
    case MILLIS_INSTANT_URN:
      return new InstantCodec();
    case INT53_URN:
      return VarintCoder.INSTANCE;
    case `${PREFIX}decimal:v1`:
      return new DecimalCodec();
    case `${PREFIX}fixed_char:v1`:
      return new BoundedCodec(type, representation, (text: string, length) => text.padEnd(length));
    case `${PREFIX}fixed_bytes:v1`:
      return new BoundedCodec(type, representation, padBytes);
    case `${PREFIX}var_char:v1`:
    case `${PREFIX}var_bytes:v1`:
      return new BoundedCodec(type, representation);
    case `${PREFIX}timestamp:v1`:
      return new FractionCodec(type, representation);
    default:
      return representation;
  }
}

function padBytes(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length >= length) return bytes;
  const padded = Buffer.alloc(length);
  padded.set(bytes);
  return padded;
}

function argumentOf(type: LogicalFieldType): number {
  if (type.argument === undefined) throw new Error(`the logical type ${type.urn} needs an int32 argument`);
  return type.argument;
}

/** Not the int64 varint that the schema says: 8 bytes, as an instant (see instant.ts). */
class InstantCodec implements FieldCodec<TimestampMs> {
  readonly isDeterministic = true;

  encode(value: TimestampMs, out: ByteWriter): void {
    writeInstant(value, out);
  }

  decode(input: ByteReader): TimestampMs {
    return readInstant(input);
  }
}

/** Text or bytes with a greatest length. */
class BoundedCodec<T extends string | Uint8Array> implements FieldCodec<T> {
  readonly isDeterministic = true;
  private readonly length: number;

  constructor(
    private readonly type: LogicalFieldType,
    private readonly representation: FieldCodec<T>,
    private readonly pad?: (value: T, length: number) => T,
  ) {
    this.length = argumentOf(type);
  }

  encode(value: T, out: ByteWriter, context: "nested" | "outer"): void {
    if (value?.length > this.length) {
      throw wrongType(`row ${this.type.urn}`, `a length up to ${this.length}`, value, `${value.length}`);
    }
    this.representation.encode(this.padded(value), out, context);
  }

  decode(input: ByteReader, context: "nested" | "outer"): T {
    const value = this.representation.decode(input, context);
    if (value.length > this.length) {
      throw new CorruptBytesError(
        `a ${this.type.urn} of length ${value.length}, at most ${this.length} allowed`,
      );
    }
    return this.padded(value);
  }

  private padded(value: T): T {
    const hasLength = typeof value === "string" || value instanceof Uint8Array;
    return this.pad !== undefined && hasLength ? this.pad(value, this.length) : value;
  }
}

interface Fraction {
  readonly seconds: bigint;
  readonly subseconds: number;
}

/** Seconds, rounded down, and the rest in units of 10^-precision seconds. */
class FractionCodec implements FieldCodec<Fraction> {
  readonly isDeterministic = true;
  private readonly unitsPerSecond: number;

  constructor(
    private readonly type: LogicalFieldType,
    private readonly representation: FieldCodec<Fraction>,
  ) {
    this.unitsPerSecond = 10 ** argumentOf(type);
  }

  encode(value: Fraction, out: ByteWriter, context: "nested" | "outer"): void {
    if (!this.isWithinSecond(value)) {
      throw wrongType(
        `row ${this.type.urn}`,
        `subseconds from 0 to ${this.unitsPerSecond - 1}`,
        value,
        "others",
      );
    }
    this.representation.encode(value, out, context);
  }

  decode(input: ByteReader, context: "nested" | "outer"): Fraction {
    const value = this.representation.decode(input, context);
    if (!this.isWithinSecond(value))
      throw new CorruptBytesError(`a timestamp with ${value.subseconds} subseconds`);
    return value;
  }

  private isWithinSecond(value: Fraction): boolean {
    return value?.subseconds >= 0 && value.subseconds < this.unitsPerSecond;
  }
}
