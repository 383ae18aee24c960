/** Makes the product's own decoder fail at some values as it would by a bug of ours that nobody has found. */
import type { RecordCursor } from "../../../connectors/kafka/client/kafka_client.js";
import { ORDER_DECODER } from "../../../transforms/decode.js";
import { STUMBLING_BLOCK } from "../scenario.js";

/** The decoders of both topics are of one class. */
interface Decoder {
  decode(record: RecordCursor, ...more: unknown[]): unknown;
}

let planted = 0;

/** Returns a function that takes it out again. Once is enough, whoever plants it beside. */
export function plantStumblingBlock(): () => void {
  if (planted++ > 0) return () => void planted--;
  const prototype: Decoder = Object.getPrototypeOf(
    ORDER_DECODER.create({ timeoutMs: 1, maxAheadOfClockMs: 1 }),
  );
  const { decode } = prototype;
  prototype.decode = function (record, ...more) {
    return decode.call(this, isStumblingBlock(record) ? stumbling(record) : record, ...more);
  };
  return () => {
    planted--;
    prototype.decode = decode;
  };
}

function isStumblingBlock({ buffer, valueStart, valueEnd }: RecordCursor): boolean {
  if (valueStart < 0 || valueEnd - valueStart !== STUMBLING_BLOCK.length) return false;
  return STUMBLING_BLOCK.compare(buffer, valueStart, valueEnd) === 0;
}

/** The first look at its bytes fails. */
function stumbling(record: RecordCursor): RecordCursor {
  let looks = 0;
  return Object.create(record, {
    buffer: {
      get() {
        if (++looks === 1) throw new TypeError("undefined is not a function");
        return record.buffer;
      },
    },
  });
}
