import { type ByteReader, type ByteWriter, CorruptBytesError } from "../bytes.js";
import type { Coder, CoderIds, Context } from "./coder.js";
import { coderProto } from "./coder_proto.js";
import { CoderUrn } from "./urns.js";
import { wrongType } from "./wrong_type.js";

/**
 *     00 false | 01 true
 */
export class BoolCoder implements Coder<boolean> {
  static readonly INSTANCE = new BoolCoder();
  readonly isDeterministic = true;

  encode(value: boolean, out: ByteWriter, _context: Context): void {
    if (typeof value !== "boolean") throw wrongType("bool", "a boolean", value);
    out.writeByte(value ? 1 : 0);
  }

  decode(input: ByteReader, _context: Context): boolean {
    const byte = input.readByte();
    if (byte > 1) throw new CorruptBytesError(`the byte ${byte} is no boolean`);
    return byte === 1;
  }

  toProto(ids: CoderIds) {
    return coderProto(CoderUrn.BOOL, ids);
  }
}
