/**
 * Dead letters between steps. They are few and of many shapes, so they travel as BSON: length int32 | document. They
 * travel without what would be cut at their end anyhow.
 */
import { type ByteReader, type ByteWriter, leafCoder } from "@order-payment-stream/beam";
import { BSON } from "mongodb";
import type { DeadLetter } from "./dead_letter.js";
import { cutDeadLetter } from "./dead_letter_cuts.js";

export const deadLetterCoder = leafCoder<DeadLetter>(
  "order-payment-stream:coder:dead_letter:v1",
  (deadLetter: DeadLetter, out: ByteWriter) => {
    out.writeBytes(BSON.serialize({ deadLetter: cutDeadLetter(deadLetter) }, { ignoreUndefined: true }));
  },
  (input: ByteReader) => {
    const length = input.buffer.readInt32LE(input.position);
    const bytes = input.readView(length);
    const { deadLetter } = BSON.deserialize(bytes, { promoteBuffers: true });
    // In state from before it was kept.
    if (deadLetter.reason !== "SINK_REJECTED") deadLetter.log ??= "";
    return deadLetter as DeadLetter;
  },
);
