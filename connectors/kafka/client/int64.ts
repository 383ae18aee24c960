/** Kafka's signed 64-bit numbers, big-endian, without a BigInt: exact up to 2^53, far above any offset, time or producer id. */

const UINT32 = 2 ** 32;

export function readInt64(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at) * UINT32 + buffer.readUInt32BE(at + 4);
}

/** Returns where it ends. */
export function writeInt64(value: number, buffer: Buffer, at: number): number {
  buffer.writeInt32BE(Math.floor(value / UINT32), at);
  return buffer.writeUInt32BE(value >>> 0, at + 4);
}
