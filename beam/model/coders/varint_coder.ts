/**
 * Whole numbers, as `number` or as `bigint`. Both write the same bytes.
 *
 *     64-bit two's complement, seven bits per byte, lowest first, high bit set on all but the last byte.
 *     -1 takes ten bytes.
 */
import type { ByteReader, ByteWriter } from "../bytes.js";
import type { Coder, CoderIds, Context } from "./coder.js";
import { coderProto } from "./coder_proto.js";
import { CoderUrn } from "./urns.js";
import { wrongType } from "./wrong_type.js";

/** Numbers between -(2^53 - 1) and 2^53 - 1; numbers beyond are refused in both directions. -0 becomes 0. */
export class VarintCoder implements Coder<number> {
  static readonly INSTANCE = new VarintCoder();
  readonly isDeterministic = true;

  encode(value: number, out: ByteWriter, _context: Context): void {
    if (!Number.isSafeInteger(value)) throw unsafe(value);
    out.writeVarint(value);
  }

  decode(input: ByteReader, _context: Context): number {
    return input.readVarint();
  }

  toProto(ids: CoderIds) {
    return coderProto(CoderUrn.VARINT, ids);
  }
}

/** All 64-bit integers, as `bigint`. */
export class Varint64Coder implements Coder<bigint> {
  static readonly INSTANCE = new Varint64Coder();
  /**
   * To other SDKs this is a plain varint, and they ignore the payload of one. Ours needs it to give `bigint` values
   * when the coder is read back from the pipeline proto.
   */
  static readonly PAYLOAD = new TextEncoder().encode("bigint");
  readonly isDeterministic = true;

  encode(value: bigint, out: ByteWriter, _context: Context): void {
    if (typeof value !== "bigint") throw wrongType("varint64", "a bigint", value);
    if (BigInt.asIntN(64, value) !== value) {
      throw wrongType("varint64", "a bigint within 64 bits", value, "one beyond");
    }
    out.writeBigVarint(value);
  }

  decode(input: ByteReader, _context: Context): bigint {
    return input.readBigVarint();
  }

  toProto(ids: CoderIds) {
    return coderProto(CoderUrn.VARINT, ids, [], Varint64Coder.PAYLOAD);
  }
}

function unsafe(value: unknown): TypeError {
  const expected = "a whole number within 53 bits";
  return typeof value === "number"
    ? wrongType("varint", expected, value, Number.isInteger(value) ? "one beyond" : "one with a fraction")
    : wrongType("varint", expected, value);
}
