/**
 * An offset range; an open end is Infinity.
 *
 *     varint start | bool has an end | varint end, if it has one
 */
import type { ByteReader, ByteWriter } from "../model/bytes.js";
import type { Coder } from "../model/coders/coder.js";
import { registerCoder } from "../model/coders/registry.js";
import type { OffsetRange } from "./offset_range.js";

const URN = "beam:coder:ts:offset_range:v1";

/** The `restrictionCoder` of a splittable DoFn over offset ranges. */
export const offsetRangeCoder: Coder<OffsetRange> = {
  isDeterministic: true,
  encode({ start, end }: OffsetRange, out: ByteWriter) {
    out.writeVarint(start);
    out.writeByte(end === Number.POSITIVE_INFINITY ? 0 : 1);
    if (end !== Number.POSITIVE_INFINITY) out.writeVarint(end);
  },
  decode(input: ByteReader) {
    const start = input.readVarint();
    return { start, end: input.readByte() === 0 ? Number.POSITIVE_INFINITY : input.readVarint() };
  },
  toProto: () => ({ spec: { urn: URN, payload: new Uint8Array() }, componentCoderIds: [] }),
};

registerCoder(URN, () => offsetRangeCoder);
