/** Dead letters between steps. They are few and of many shapes, so they travel as BSON: length int32 | document. */

import type { ByteReader, ByteWriter } from "@order-payment-stream/beam";
import { BSON } from "mongodb";
import type { DeadLetter } from "./dead_letter.js";
import { leafCoder } from "./event_coders.js";

export const deadLetterCoder = leafCoder<DeadLetter>(
  "order-payment-stream:coder:dead_letter:v1",
  (deadLetter: DeadLetter, out: ByteWriter) => {
    out.writeBytes(BSON.serialize({ deadLetter }, { ignoreUndefined: true }));
  },
  (input: ByteReader) => {
    const length = input.buffer.readInt32LE(input.position);
    const bytes = input.readView(length);
    return BSON.deserialize(bytes, { promoteBuffers: true }).deadLetter as DeadLetter;
  },
);
