/**
 * A point in time, alone or inside of windows, windowed values and timers.
 *
 *     8 bytes, big endian: milliseconds since the epoch, 64-bit two's complement, with the sign bit flipped
 *
 * So bytes sort as the times do. Times beyond 2^53 ms, the special instants among them, are not all exact as numbers:
 * the special ones keep their exact wire value, the others come out as the nearest number.
 * Source: beam_runner_api.proto, StandardCoders WINDOWED_VALUE and BeamConstants.
 */
import type { ByteReader, ByteWriter } from "../bytes.js";
import {
  GLOBAL_WINDOW_MAX,
  GLOBAL_WINDOW_MAX_WIRE,
  MAX_TIMESTAMP,
  MAX_TIMESTAMP_WIRE,
  MIN_TIMESTAMP,
  MIN_TIMESTAMP_WIRE,
  type TimestampMs,
} from "../timestamps.js";
import { wrongType } from "./wrong_type.js";

const TWO_TO_32 = 0x100000000;
/** Times whose high word is in [-SAFE_HIGH, SAFE_HIGH) fit 53 bits. */
const SAFE_HIGH = 0x200000;
const SIGN_BIT = -(2n ** 63n);

/** Times before MIN_TIMESTAMP or after MAX_TIMESTAMP are written as those. */
export function writeInstant(timestamp: TimestampMs, out: ByteWriter): void {
  if (!Number.isSafeInteger(timestamp)) {
    writeWireInstant(instantToWire(timestamp), out);
    return;
  }
  out.reserve(8);
  const { buffer } = out;
  const at = out.length;
  const high = Math.floor(timestamp / TWO_TO_32);
  const low = timestamp - high * TWO_TO_32;
  buffer[at] = (high >>> 24) ^ 0x80;
  buffer[at + 1] = high >>> 16;
  buffer[at + 2] = high >>> 8;
  buffer[at + 3] = high;
  buffer[at + 4] = low >>> 24;
  buffer[at + 5] = low >>> 16;
  buffer[at + 6] = low >>> 8;
  buffer[at + 7] = low;
  out.length = at + 8;
}

/** Reads what `writeInstant` wrote, in ms; throws a CorruptBytesError when the bytes end early. */
export function readInstant(input: ByteReader): TimestampMs {
  const at = input.skip(8);
  const { buffer } = input;
  const high =
    ((buffer[at]! ^ 0x80) << 24) | (buffer[at + 1]! << 16) | (buffer[at + 2]! << 8) | buffer[at + 3]!;
  if (high >= -SAFE_HIGH && high < SAFE_HIGH) {
    const low = (buffer[at + 4]! << 24) | (buffer[at + 5]! << 16) | (buffer[at + 6]! << 8) | buffer[at + 7]!;
    return high * TWO_TO_32 + (low >>> 0);
  }
  input.position = at;
  return instantFromWire(readWireInstant(input));
}

/** As `writeInstant`, for exact milliseconds. */
export function writeWireInstant(millis: bigint, out: ByteWriter): void {
  out.writeInt64(millis ^ SIGN_BIT);
}

/** As `readInstant`, exact. */
export function readWireInstant(input: ByteReader): bigint {
  return input.readInt64() ^ SIGN_BIT;
}

/** The exact milliseconds that a time stands for. */
export function instantToWire(timestamp: TimestampMs): bigint {
  if (!Number.isInteger(timestamp)) {
    const expected = "whole milliseconds";
    throw typeof timestamp === "number"
      ? wrongType("instant", expected, timestamp, "a number with a fraction, NaN or infinity")
      : wrongType("instant", expected, timestamp);
  }
  if (timestamp <= MIN_TIMESTAMP) return MIN_TIMESTAMP_WIRE;
  if (timestamp >= MAX_TIMESTAMP) return MAX_TIMESTAMP_WIRE;
  if (timestamp === GLOBAL_WINDOW_MAX) return GLOBAL_WINDOW_MAX_WIRE;
  return BigInt(timestamp);
}

/** The time nearest to exact milliseconds; what lies beyond the special instants becomes those. */
export function instantFromWire(millis: bigint): TimestampMs {
  if (millis <= MIN_TIMESTAMP_WIRE) return MIN_TIMESTAMP;
  if (millis >= MAX_TIMESTAMP_WIRE) return MAX_TIMESTAMP;
  return Number(millis);
}
