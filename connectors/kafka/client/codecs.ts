/**
 * Unpacks the records of a batch. What comes out is bounded before it is allocated where the format tells its size, and
 * while it is unpacked otherwise: a megabyte of zstd may stand for gigabytes.
 *
 * Synchronous: a batch is unpacked when it is read and not when it arrives, so that of each partition one batch at most
 * is in memory at its full size.
 */
import zlib from "node:zlib";
import { snappyLength, tooLarge, unpackZstd, withLimit } from "@order-payment-stream/beam/io";
import { decompressFrameSync } from "lz4-napi";
import { uncompress } from "snappyjs";

/** By the number in a batch's attributes. */
export const CODEC_NAMES = ["none", "gzip", "snappy", "lz4", "zstd"] as const;

/** @throws Error that says why these bytes cannot be unpacked, or that there would be more than `maxBytes` */
export function unpack(codec: number, bytes: Buffer, maxBytes: number): Buffer {
  switch (codec) {
    case 1:
      return withLimit(maxBytes, () => zlib.gunzipSync(bytes, { maxOutputLength: maxBytes }));
    case 2:
      return unpackSnappy(bytes, maxBytes);
    case 3:
      return unpackLz4(bytes, maxBytes);
    case 4:
      return unpackZstd(bytes, maxBytes);
    default:
      throw new Error(`codec ${codec} is not known`);
  }
}

/**
 * One snappy block, as librdkafka writes it, or blocks in the framing of Java's SnappyOutputStream:
 *
 *   magic 8 bytes, version int32, compatible version int32, [length int32, block]
 *
 * A block begins with its unpacked length.
 */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]);
const XERIAL_HEADER_BYTES = 16;

function unpackSnappy(bytes: Buffer, maxBytes: number): Buffer {
  if (!bytes.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) return unpackBlock(bytes, maxBytes);
  const blocks: Buffer[] = [];
  let room = maxBytes;
  for (let at = XERIAL_HEADER_BYTES; at < bytes.length; ) {
    if (at + 4 > bytes.length) throw new Error("a snappy block is cut off");
    const length = bytes.readInt32BE(at);
    at += 4;
    if (length < 0 || at + length > bytes.length) throw new Error("a snappy block is cut off");
    const block = unpackBlock(bytes.subarray(at, at + length), room, maxBytes);
    blocks.push(block);
    room -= block.length;
    at += length;
  }
  return blocks.length === 1 ? blocks[0]! : Buffer.concat(blocks);
}

function unpackBlock(block: Buffer, room: number, maxBytes = room): Buffer {
  if (snappyLength(block) > room) throw tooLarge(maxBytes);
  return uncompress(block);
}

/**
 * The frame tells how large each block is at most; their sum is above the true size by less than one block.
 *
 *   magic uint32, flags int8, block size int8, content size? uint64, checksum int8,
 *   [size uint32 (highest bit: not compressed), block, checksum? uint32], 0 uint32, checksum? uint32;  little-endian
 *
 * Source: https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
 */
const LZ4_MAGIC = 0x184d2204;
const LZ4_BLOCK_CHECKSUM = 0x10;
const LZ4_CONTENT_SIZE = 0x08;
const LZ4_NOT_COMPRESSED = 0x8000_0000;
/** A byte of a compressed block stands for so many at most. */
const LZ4_RATIO_MAX = 255;

function unpackLz4(bytes: Buffer, maxBytes: number): Buffer {
  if (bytes.length < 11 || bytes.readUInt32LE(0) !== LZ4_MAGIC) throw new Error("it is no lz4 frame");
  const flags = bytes[4]!;
  const sizeCode = (bytes[5]! >> 4) & 7;
  if (sizeCode < 4) throw new Error("an lz4 frame with an unknown block size");
  const blockMax = 2 ** (8 + 2 * sizeCode);
  const blockTrailer = flags & LZ4_BLOCK_CHECKSUM ? 4 : 0;
  let total = 0;
  for (let at = flags & LZ4_CONTENT_SIZE ? 15 : 7; ; ) {
    if (at + 4 > bytes.length) throw new Error("the lz4 frame ends early");
    const size = bytes.readUInt32LE(at);
    if (size === 0) break;
    const stored = size & ~LZ4_NOT_COMPRESSED;
    total += size >= LZ4_NOT_COMPRESSED ? stored : Math.min(blockMax, stored * LZ4_RATIO_MAX);
    at += 4 + stored + blockTrailer;
  }
  if (total > maxBytes + blockMax) throw tooLarge(maxBytes);
  const records = decompressFrameSync(bytes);
  if (records.length > maxBytes) throw tooLarge(maxBytes);
  return records;
}
