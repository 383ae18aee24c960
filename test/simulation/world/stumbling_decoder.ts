/** Makes the product's own decoder fail at some values as it would by a bug of ours that nobody has found. */
import type { RecordCursor } from "../../../connectors/kafka/client/kafka_client.js";
import { recordDecoder } from "../../../connectors/kafka/record_decoder.js";
import { ORDER_DECODER } from "../../../transforms/decode.js";
import { STUMBLING_BLOCK } from "../scenario.js";

/** The decoders of both topics are of one class. */
interface Decoder {
  decodeBytes(buffer: Buffer, start: number, end: number): unknown;
  decode(record: RecordCursor, ...more: unknown[]): unknown;
}

/** Returns a function that takes it out again. */
export function plantStumblingBlock(): () => void {
  const prototype: Decoder = Object.getPrototypeOf(
    recordDecoder(ORDER_DECODER, { timeoutMs: 1, maxAheadOfClockMs: 1 }),
  );
  const { decode } = prototype;
  prototype.decode = function (record, ...more) {
    const { buffer, valueStart, valueEnd } = record;
    if (valueStart < 0 || valueEnd - valueStart !== STUMBLING_BLOCK.length)
      return decode.call(this, record, ...more);
    if (STUMBLING_BLOCK.compare(buffer, valueStart, valueEnd) !== 0)
      return decode.call(this, record, ...more);
    const { decodeBytes } = this;
    this.decodeBytes = () => {
      throw new TypeError("undefined is not a function");
    };
    try {
      return decode.call(this, record, ...more);
    } finally {
      this.decodeBytes = decodeBytes;
    }
  };
  return () => {
    prototype.decode = decode;
  };
}
