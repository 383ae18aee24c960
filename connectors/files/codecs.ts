/**
 * The codecs of Avro's container files. What comes out is bounded before it is allocated where the format tells its
 * size, and while it is unpacked otherwise. Source: https://avro.apache.org/docs/1.12.0/specification/#required-codecs
 */
import zlib from "node:zlib";
import { Decompress } from "fzstd";
import { compress, uncompress } from "snappyjs";

/** How the blocks of an Avro container are packed. Source: Avro specification, Object Container Files, Required Codecs. */
export type AvroCodec = "null" | "deflate" | "snappy" | "zstandard";
/** All that can be read; zstandard is written with Node 22.15 and later alone. */
export const AVRO_CODECS = ["null", "deflate", "snappy", "zstandard"] as const satisfies readonly AvroCodec[];

/** Whether a container with this codec can be read. */
export const isAvroCodec = (name: string): name is AvroCodec =>
  (AVRO_CODECS as readonly string[]).includes(name);

/** Since Node 22.15. */
const native = zlib as unknown as {
  zstdCompressSync?: (bytes: Uint8Array) => Buffer;
  zstdDecompressSync?: (bytes: Uint8Array, options: { maxOutputLength: number }) => Buffer;
};

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

function tooLarge(maxBytes: number): Error {
  return new Error(`unpacked, it would be larger than ${maxBytes} bytes`);
}

/** zlib's own words for a size that is exceeded name neither. */
function withLimit(maxBytes: number, unpack: () => Buffer): Buffer {
  try {
    return unpack();
  } catch (error) {
    throw (error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE" ? tooLarge(maxBytes) : error;
  }
}

/** A snappy block, which begins with its unpacked length, and behind it the CRC-32 of what comes out, big-endian. */
function unpackSnappy(bytes: Buffer, maxBytes: number): Buffer {
  if (bytes.length < 5) throw new Error("it is too short for snappy and its checksum");
  const block = bytes.subarray(0, -4);
  const length = snappyLength(block);
  if (length > maxBytes) throw tooLarge(maxBytes);
  // A byte gives 64 at most: a length that cannot be is not allocated.
  if (length > block.length * 64) throw new Error("a snappy block is shorter than it says");
  const unpacked = uncompress(block);
  const [expected, found] = [bytes.readUInt32BE(bytes.length - 4), zlib.crc32(unpacked)];
  if (found !== expected) throw new Error(`its checksum is ${hex(found)} and should be ${hex(expected)}`);
  return Buffer.from(unpacked.buffer, unpacked.byteOffset, unpacked.length);
}

const hex = (checksum: number): string => checksum.toString(16).padStart(8, "0");

/** Seven bits a byte, lowest first. */
function snappyLength(block: Buffer): number {
  let length = 0;
  for (let i = 0, weight = 1; i < 5 && i < block.length; i++, weight *= 128) {
    length += (block[i]! & 0x7f) * weight;
    if (block[i]! < 0x80) return length;
  }
  throw new Error("a snappy block without a length");
}

const ZSTD_MAGIC = 0xfd2fb528;
/** zstd's own: beyond it a reader must be told to give so much memory. */
const ZSTD_WINDOW_MAX = 2 ** 27;

function unpackZstd(bytes: Buffer, maxBytes: number): Buffer {
  const { window, contentSize } = zstdHeader(bytes);
  if (contentSize > maxBytes) throw tooLarge(maxBytes);
  if (window > ZSTD_WINDOW_MAX) throw new Error(`a zstd frame that wants a window of ${window} bytes`);
  const { zstdDecompressSync } = native;
  if (zstdDecompressSync !== undefined) {
    const unpacked = withLimit(maxBytes, () => zstdDecompressSync(bytes, { maxOutputLength: maxBytes }));
    if (contentSize > 0 && unpacked.length < contentSize) throw new Error("the zstd frame ends early");
    return unpacked;
  }
  const chunks: Uint8Array[] = [];
  let total = 0;
  let isWhole = false;
  new Decompress((chunk, isLast) => {
    total += chunk.length;
    if (total > maxBytes) throw tooLarge(maxBytes);
    chunks.push(chunk);
    isWhole ||= isLast === true;
  }).push(bytes, true);
  if (!isWhole || total < contentSize) throw new Error("the zstd frame ends early");
  return Buffer.concat(chunks, total);
}

/** What a frame says of its size; source: RFC 8878, 3.1.1.1. Content size 0: not told. */
function zstdHeader(bytes: Buffer): { window: number; contentSize: number } {
  if (bytes.length < 6 || bytes.readUInt32LE(0) !== ZSTD_MAGIC) throw new Error("it is no zstd frame");
  const descriptor = bytes[4]!;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const log = 10 + (bytes[5]! >> 3);
  const window = isSingleSegment ? 0 : 2 ** log + 2 ** (log - 3) * (bytes[5]! & 7);
  const at = 5 + (isSingleSegment ? 0 : 1) + [0, 1, 2, 4][descriptor & 3]!;
  const size = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  if (at + size > bytes.length) throw new Error("the zstd frame ends early");
  if (size === 0) return { window, contentSize: 0 };
  if (size === 8) return { window, contentSize: Number(bytes.readBigUInt64LE(at)) };
  return { window, contentSize: bytes.readUIntLE(at, size) + (size === 2 ? 256 : 0) };
}
