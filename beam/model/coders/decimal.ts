import { type ByteReader, type ByteWriter, CorruptBytesError } from "../bytes.js";
import type { FieldCodec } from "./coder.js";
import { wrongType } from "./wrong_type.js";

/** `unscaled` × 10^-`scale`, exactly. 1.0 and 1.00 are different values. `scale`: 32 bits, signed. */
export interface Decimal {
  readonly unscaled: bigint;
  readonly scale: number;
}

/** Far more digits than any money or measure has; keeps forged bytes from making huge numbers. */
const UNSCALED_BYTES_MAX = 4096;

/**
 * Decimal numbers inside of rows. As Java's BigDecimalCoder.
 *
 *     scale, varint of the unsigned 32 bits | varint count of bytes | unscaled: two's complement, big endian, shortest
 */
export class DecimalCodec implements FieldCodec<Decimal> {
  readonly isDeterministic = true;

  encode(value: Decimal, out: ByteWriter): void {
    if (typeof value?.unscaled !== "bigint" || (value.scale | 0) !== value.scale) {
      throw wrongType("row decimal", "a {unscaled: bigint, scale: int32}", value);
    }
    const { unscaled, scale } = value;
    const count = byteCount(unscaled);
    if (count > UNSCALED_BYTES_MAX) {
      throw wrongType("row decimal", `up to ${UNSCALED_BYTES_MAX} bytes`, value, `${count}`);
    }
    out.writeVarint(scale >>> 0);
    out.writeVarint(count);
    const hex = BigInt.asUintN(count * 8, unscaled)
      .toString(16)
      .padStart(count * 2, "0");
    out.writeBytes(Buffer.from(hex, "hex"));
  }

  decode(input: ByteReader): Decimal {
    const scale = input.readVarint();
    if (scale < -(2 ** 31) || scale >= 2 ** 32) throw new CorruptBytesError(`the decimal scale ${scale}`);
    const count = input.readVarint();
    if (count < 1 || count > UNSCALED_BYTES_MAX) throw new CorruptBytesError(`a decimal of ${count} bytes`);
    const unsigned = BigInt(`0x${input.readView(count).toString("hex")}`);
    return { unscaled: BigInt.asIntN(count * 8, unsigned), scale: scale | 0 };
  }
}

/** Bytes of the shortest two's complement form. */
function byteCount(value: bigint): number {
  const magnitude = value < 0n ? -value - 1n : value;
  // One bit more than the magnitude has, for the sign; zero has no bits.
  const bits = magnitude === 0n ? 0 : bitLength(magnitude);
  return (bits >> 3) + 1;
}

function bitLength(magnitude: bigint): number {
  const hex = magnitude.toString(16);
  return (hex.length - 1) * 4 + (32 - Math.clz32(Number.parseInt(hex[0]!, 16)));
}
