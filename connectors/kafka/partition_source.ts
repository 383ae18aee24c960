/**
 * A partition to read and the offsets meant: the element of the Kafka read.
 *
 *     string topic | varint partition | range of the log
 */
import { type ByteReader, type ByteWriter, type Coder, registerCoder } from "@order-payment-stream/beam";

import { type LogRange, logRangeCoder } from "./log_range.js";

export interface PartitionSource {
  readonly topic: string;
  readonly partition: number;
  readonly range: LogRange;
}

const SOURCE_URN = "beam:coder:ts:kafka_partition:v2";
/** With a range that knows no log. */
const SOURCE_URN_V1 = "beam:coder:ts:kafka_partition:v1";

export const partitionSourceCoder: Coder<PartitionSource> = {
  isDeterministic: true,
  encode({ topic, partition, range }: PartitionSource, out: ByteWriter) {
    out.writeString(topic);
    out.writeVarint(partition);
    logRangeCoder.encode(range, out, "nested");
  },
  decode(input: ByteReader) {
    return {
      topic: input.readString(),
      partition: input.readVarint(),
      range: logRangeCoder.decode(input, "nested"),
    };
  },
  toProto: () => ({ spec: { urn: SOURCE_URN, payload: new Uint8Array() }, componentCoderIds: [] }),
};

registerCoder(SOURCE_URN, () => partitionSourceCoder, SOURCE_URN_V1);
