import type { ByteReader, ByteWriter } from "../bytes.js";
import type { Coder, CoderIds, Context } from "./coder.js";
import { coderProto } from "./coder_proto.js";
import { CoderUrn } from "./urns.js";
import { wrongType } from "./wrong_type.js";

/**
 * Raw bytes. A decoded value is a copy: it outlives the buffer that it was read from and does not keep it alive.
 *
 *     nested: varint count | bytes
 *     outer:  bytes
 */
export class BytesCoder implements Coder<Uint8Array> {
  static readonly INSTANCE = new BytesCoder();
  readonly isDeterministic = true;

  encode(value: Uint8Array, out: ByteWriter, context: Context): void {
    if (!(value instanceof Uint8Array)) throw wrongType("bytes", "a Uint8Array", value);
    if (context === "nested") out.writeVarint(value.length);
    out.writeBytes(value);
  }

  decode(input: ByteReader, context: Context): Uint8Array {
    return input.readBytes(context === "nested" ? input.readVarint() : input.remaining);
  }

  toProto(ids: CoderIds) {
    return coderProto(CoderUrn.BYTES, ids);
  }
}
