import { type ByteReader, type ByteWriter, CorruptBytesError } from "../bytes.js";
import type { Coder, CoderIds, Context } from "./coder.js";
import { coderProto } from "./coder_proto.js";
import { CoderUrn } from "./urns.js";

/**
 * A value behind its length, so that a runner which does not know its coder can step over it. Runners put this
 * around the coders they do not know: a key's bytes are then with the prefix, also in state requests.
 *
 *     varint count of bytes | value, outer
 */
export class LengthPrefixCoder<T> implements Coder<T> {
  readonly isDeterministic: boolean;

  constructor(readonly value: Coder<T>) {
    this.isDeterministic = value.isDeterministic;
  }

  encode(value: T, out: ByteWriter, _context: Context): void {
    const start = out.beginLengthPrefix();
    this.value.encode(value, out, "outer");
    out.endLengthPrefix(start);
  }

  decode(input: ByteReader, _context: Context): T {
    const count = input.readVarint();
    const { limit, position } = input;
    const end = position + count;
    if (count < 0 || end > limit) {
      throw new CorruptBytesError(`a length prefix says ${count} bytes, ${limit - position} are left`);
    }
    input.limit = end;
    const value = this.value.decode(input, "outer");
    if (input.position !== end) {
      throw new CorruptBytesError(
        `a length prefix says ${count} bytes, its value took ${input.position - position}`,
      );
    }
    input.limit = limit;
    return value;
  }

  toProto(ids: CoderIds) {
    return coderProto(CoderUrn.LENGTH_PREFIX, ids, [this.value]);
  }
}
