import type { ByteReader, ByteWriter } from "../bytes.js";
import type { Coder, CoderIds, Context } from "./coder.js";
import { coderProto } from "./coder_proto.js";
import { CoderUrn } from "./urns.js";
import { wrongType } from "./wrong_type.js";

/**
 * Any number. Not deterministic: 0 and -0 are equal and have different bytes, and a NaN has many.
 *
 *     8 bytes, IEEE 754, big endian
 */
export class DoubleCoder implements Coder<number> {
  static readonly INSTANCE = new DoubleCoder();
  readonly isDeterministic = false;

  encode(value: number, out: ByteWriter, _context: Context): void {
    if (typeof value !== "number") throw wrongType("double", "a number", value);
    out.writeDouble(value);
  }

  decode(input: ByteReader, _context: Context): number {
    return input.readDouble();
  }

  toProto(ids: CoderIds) {
    return coderProto(CoderUrn.DOUBLE, ids);
  }
}
