/**
 * Whole byte strings for single values: keys of state and groups, payloads, tests. Streams of elements use a
 * ByteWriter or ByteReader of their own instead.
 */
import { ByteReader, ByteWriter, CorruptBytesError } from "../bytes.js";
import type { Coder, Context } from "./coder.js";

/** A writer that grew beyond this is not kept. */
const KEPT_CAPACITY_MAX = 1 << 20;

/** Kept between calls; taken away during one, since a coder may call `encodeToBytes` for a part of its value. */
let spare: ByteWriter | undefined;

/** The bytes of `value`, in memory of their own. */
export function encodeToBytes<T>(coder: Coder<T>, value: T, context: Context): Buffer {
  const writer = spare ?? new ByteWriter();
  spare = undefined;
  try {
    writer.reset();
    coder.encode(value, writer, context);
    return writer.toBytes();
  } finally {
    if (writer.buffer.length <= KEPT_CAPACITY_MAX) spare = writer;
  }
}

/** The value that is all of `bytes`. Throws CorruptBytesError when bytes are left over. */
export function decodeFromBytes<T>(coder: Coder<T>, bytes: Uint8Array, context: Context): T {
  const buffer = Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const reader = new ByteReader(buffer);
  const value = coder.decode(reader, context);
  if (reader.remaining !== 0) {
    throw new CorruptBytesError(`a value ends after ${reader.position} of ${buffer.length} bytes`);
  }
  return value;
}
