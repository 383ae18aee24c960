import { type ByteReader, type ByteWriter, CorruptBytesError } from "../bytes.js";
import type { Coder, CoderIds, Context } from "./coder.js";
import { coderProto } from "./coder_proto.js";
import { CoderUrn } from "./urns.js";

/**
 * A value or null. `undefined` is written as null.
 *
 *     00 | 01 value, in the context of the whole
 */
export class NullableCoder<T> implements Coder<T | null> {
  readonly isDeterministic: boolean;

  constructor(readonly value: Coder<T>) {
    this.isDeterministic = value.isDeterministic;
  }

  encode(value: T | null | undefined, out: ByteWriter, context: Context): void {
    if (value === null || value === undefined) {
      out.writeByte(0);
      return;
    }
    out.writeByte(1);
    this.value.encode(value, out, context);
  }

  decode(input: ByteReader, context: Context): T | null {
    const byte = input.readByte();
    if (byte > 1) throw new CorruptBytesError(`the byte ${byte} tells neither null nor a value`);
    return byte === 0 ? null : this.value.decode(input, context);
  }

  toProto(ids: CoderIds) {
    return coderProto(CoderUrn.NULLABLE, ids, [this.value]);
  }
}
