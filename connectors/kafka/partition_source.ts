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

/** Where a partition stands, from the bytes of its restriction in a state. */
export interface KeptPosition {
  readonly topic: string;
  readonly partition: number;
  /** Offset of the next record. */
  readonly position: number;
}

/**
 * Reads where a partition stands from a state.
 * @param input stands at an element of the Kafka read, with its restriction behind it
 */
export function readKeptPosition(input: ByteReader): KeptPosition {
  const { topic, partition } = partitionSourceCoder.decode(input, "nested");
  return { topic, partition, position: logRangeCoder.decode(input, "nested").start };
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
