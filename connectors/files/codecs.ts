/**
 * The codecs of Avro's container files. What comes out is bounded before it is allocated where the format tells its
 * size, and while it is unpacked otherwise. Source: https://avro.apache.org/docs/1.12.0/specification/#required-codecs
 */
import zlib from "node:zlib";
import { snappyLength, tooLarge, unpackZstd, withLimit } from "@order-payment-stream/beam/io";
import { compress, uncompress } from "snappyjs";

/**
 * How the blocks of an Avro container are compressed. Source: Avro specification, Object Container Files, Required
 * Codecs.
 */
export type AvroCodec = "null" | "deflate" | "snappy" | "zstandard";
/** All codecs that can be read; zstandard can be written with Node 22.15 and later only. */
export const AVRO_CODECS = ["null", "deflate", "snappy", "zstandard"] as const satisfies readonly AvroCodec[];

/** Whether a container with this codec can be read. */
export const isAvroCodec = (name: string): name is AvroCodec =>
  (AVRO_CODECS as readonly string[]).includes(name);

/** Since Node 22.15. */
const native = zlib as unknown as { zstdCompressSync?: (bytes: Uint8Array) => Buffer };

/** Why this Node cannot write a codec; undefined when it can. */
export function whyNoCodec(codec: AvroCodec): string | undefined {
  return codec === "zstandard" && native.zstdCompressSync === undefined
    ? "zstandard is written by Node 22.15 or newer"
    : undefined;
}

/** @throws Error that says why these bytes cannot be unpacked, or that there would be more than `maxBytes` */
export function unpackBlock(codec: AvroCodec, bytes: Buffer, maxBytes: number): Buffer {
  switch (codec) {
    case "null":
      if (bytes.length > maxBytes) throw tooLarge(maxBytes);
      return bytes;
    case "deflate":
      return withLimit(maxBytes, () => zlib.inflateRawSync(bytes, { maxOutputLength: maxBytes }));
    case "snappy":
      return unpackSnappy(bytes, maxBytes);
    case "zstandard":
      return unpackZstd(bytes, maxBytes);
  }
}

export function packBlock(codec: AvroCodec, bytes: Buffer): Buffer {
  switch (codec) {
    case "null":
      return bytes;
    case "deflate":
      return zlib.deflateRawSync(bytes);
    case "snappy": {
      const checksum = Buffer.alloc(4);
      checksum.writeUInt32BE(zlib.crc32(bytes));
      return Buffer.concat([compress(bytes), checksum]);
    }
    case "zstandard":
      if (native.zstdCompressSync === undefined) throw new Error(whyNoCodec(codec));
      return native.zstdCompressSync(bytes);
  }
}

/** A snappy block, which begins with its unpacked length, and behind it the CRC-32 of what comes out, big-endian. */
function unpackSnappy(bytes: Buffer, maxBytes: number): Buffer {
  if (bytes.length < 5) throw new Error("it is too short for snappy and its checksum");
  const block = bytes.subarray(0, -4);
  if (snappyLength(block) > maxBytes) throw tooLarge(maxBytes);
  const unpacked = uncompress(block);
  const [expected, found] = [bytes.readUInt32BE(bytes.length - 4), zlib.crc32(unpacked)];
  if (found !== expected) throw new Error(`its checksum is ${hex(found)} and should be ${hex(expected)}`);
  return Buffer.from(unpacked.buffer, unpacked.byteOffset, unpacked.length);
}

const hex = (checksum: number): string => checksum.toString(16).padStart(8, "0");
