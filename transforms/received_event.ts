/**
 * An event with where it was read: the join needs the place if it has to refuse the event, and the partition's
 * watermark to tell whether an earlier event of the same id still stands.
 *
 *     event | watermark f64 | empty string | log string | topic string | partition varint | offset varint
 *           | timestamp f64 | key: 0, or 1 varint length bytes | value: the same
 *
 * Version 1 had no log, and the topic in place of the empty string.
 */

import { type ByteReader, type ByteWriter, type Coder, leafCoder } from "@order-payment-stream/beam";
import type { TopicPartition } from "@order-payment-stream/kafka";

import type { Order, Payment } from "../schemas/events.js";
import { readOrder, readPayment, writeOrder, writePayment } from "./event_coders.js";

/** The length of an empty string. */
const NO_TOPIC = 0;

/** One object for an event on its way: key and value stay where they were fetched to until somebody asks. */
export class ReceivedEvent<E> {
  constructor(
    readonly event: E,
    /** Of the event's partition, as the records before it left it. */
    readonly partitionWatermark: number,
    readonly from: TopicPartition,
    readonly offset: number,
    /** Kafka's, ms. */
    readonly timestamp: number,
    private readonly buffer: Buffer,
    private readonly keyStart: number,
    private readonly keyEnd: number,
    private readonly valueStart: number,
    private readonly valueEnd: number,
  ) {}

  /** As received. */
  get key(): Buffer | null {
    return this.keyStart < 0 ? null : this.buffer.subarray(this.keyStart, this.keyEnd);
  }

  /** As received. */
  get value(): Buffer | null {
    return this.valueStart < 0 ? null : this.buffer.subarray(this.valueStart, this.valueEnd);
  }
}

function receivedEventCoder<E>(
  name: string,
  write: (event: E, out: ByteWriter) => void,
  read: (input: ByteReader) => E,
): Coder<ReceivedEvent<E>> {
  return leafCoder(
    `${name}:v2`,
    (received, out) => {
      write(received.event, out);
      out.writeDouble(received.partitionWatermark);
      out.writeByte(NO_TOPIC);
      out.writeString(received.from.log);
      out.writeString(received.from.topic);
      out.writeVarint(received.from.partition);
      out.writeVarint(received.offset);
      out.writeDouble(received.timestamp);
      writeNullableBytes(received.key, out);
      writeNullableBytes(received.value, out);
    },
    (input) => {
      const event = read(input);
      const watermark = input.readDouble();
      const topicOfV1 = input.readString();
      const log = topicOfV1 === "" ? input.readString() : "";
      const topic = topicOfV1 === "" ? input.readString() : topicOfV1;
      const from = { topic, partition: input.readVarint(), log };
      const offset = input.readVarint();
      const timestamp = input.readDouble();
      const { buffer } = input;
      const [keyStart, keyEnd] = skipNullableBytes(input);
      const [valueStart, valueEnd] = skipNullableBytes(input);
      // Copied: the reader's buffer is used again.
      const start = keyStart < 0 ? Math.max(valueStart, 0) : keyStart;
      const end = Math.max(keyEnd, valueEnd, start);
      const bytes = Buffer.from(buffer.subarray(start, end));
      const at = (position: number): number => (position < 0 ? -1 : position - start);
      return new ReceivedEvent(
        event,
        watermark,
        from,
        offset,
        timestamp,
        bytes,
        at(keyStart),
        at(keyEnd),
        at(valueStart),
        at(valueEnd),
      );
    },
    `${name}:v1`,
  );
}

function writeNullableBytes(bytes: Uint8Array | null, out: ByteWriter): void {
  if (bytes === null) {
    out.writeByte(0);
    return;
  }
  out.writeByte(1);
  out.writeVarint(bytes.length);
  out.writeBytes(bytes);
}

/** Start and end in the reader's buffer; -1 for null. */
function skipNullableBytes(input: ByteReader): [number, number] {
  if (input.readByte() === 0) return [-1, -1];
  const length = input.readVarint();
  const start = input.skip(length);
  return [start, start + length];
}

export const receivedOrderCoder = receivedEventCoder<Order>(
  "order-payment-stream:coder:received_order",
  writeOrder,
  readOrder,
);
export const receivedPaymentCoder = receivedEventCoder<Payment>(
  "order-payment-stream:coder:received_payment",
  writePayment,
  readPayment,
);
