/**
 * A partition to read and the offsets meant: the element of the Kafka read.
 *
 *     string topic | varint partition | varint start | bool has an end | varint end, if it has one
 */
import type { ByteReader, ByteWriter } from "../../model/bytes.js";
import type { Coder } from "../../model/coders/coder.js";
import { registerCoder } from "../../model/coders/registry.js";
import type { OffsetRange } from "../../sdk/offset_range.js";

export interface PartitionSource {
  readonly topic: string;
  readonly partition: number;
  readonly range: OffsetRange;
}

const RANGE_URN = "beam:coder:ts:offset_range:v1";
const SOURCE_URN = "beam:coder:ts:kafka_partition:v1";

/** An open end is Infinity. */
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
  toProto: () => ({ spec: { urn: RANGE_URN, payload: new Uint8Array() }, componentCoderIds: [] }),
};

export const partitionSourceCoder: Coder<PartitionSource> = {
  isDeterministic: true,
  encode({ topic, partition, range }: PartitionSource, out: ByteWriter) {
    out.writeString(topic);
    out.writeVarint(partition);
    offsetRangeCoder.encode(range, out, "nested");
  },
  decode(input: ByteReader) {
    return {
      topic: input.readString(),
      partition: input.readVarint(),
      range: offsetRangeCoder.decode(input, "nested"),
    };
  },
  toProto: () => ({ spec: { urn: SOURCE_URN, payload: new Uint8Array() }, componentCoderIds: [] }),
};

registerCoder(RANGE_URN, () => offsetRangeCoder);
registerCoder(SOURCE_URN, () => partitionSourceCoder);
