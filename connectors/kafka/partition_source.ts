/**
 * A partition to read and the offsets meant: the element of the Kafka read.
 *
 *     string topic | varint partition | offset range
 */
import {
  type ByteReader,
  type ByteWriter,
  type Coder,
  type OffsetRange,
  offsetRangeCoder,
  registerCoder,
} from "@order-payment-stream/beam";

export interface PartitionSource {
  readonly topic: string;
  readonly partition: number;
  readonly range: OffsetRange;
}

const SOURCE_URN = "beam:coder:ts:kafka_partition:v1";

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

registerCoder(SOURCE_URN, () => partitionSourceCoder);
