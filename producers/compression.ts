/**
 * What batches are compressed with. kafkajs has gzip; the others are registered with it here: snappy in the framing of
 * Java's clients, lz4 in frames with independent blocks, which Java's insists on, and zstd where Node has it.
 */
import zlib from "node:zlib";
import kafkajs, { CompressionTypes } from "kafkajs";
import { compressFrameSync } from "lz4-napi";
import { compress as compressSnappy } from "snappyjs";

export const COMPRESSIONS = ["none", "gzip", "snappy", "lz4", "zstd"] as const;
export type Compression = (typeof COMPRESSIONS)[number];

const TYPES: Readonly<Record<Compression, CompressionTypes>> = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
};

/** Since Node 22.15. */
const zstdCompressSync = (zlib as unknown as { zstdCompressSync?: (bytes: Buffer) => Buffer })
  .zstdCompressSync;

/** Why this Node cannot write it; undefined: it can. */
export function whyNoCompression(compression: Compression): string | undefined {
  if (compression !== "zstd" || zstdCompressSync !== undefined) return undefined;
  return `writing zstd needs Node 22.15 or newer, and this is ${process.version}`;
}

/** For a producer's `send`. */
export function compressionType(compression: Compression): CompressionTypes {
  register("snappy", snappyFrames);
  register("lz4", (bytes) => compressFrameSync(bytes));
  if (zstdCompressSync !== undefined) register("zstd", zstdCompressSync);
  return TYPES[compression];
}

function register(compression: Compression, pack: (bytes: Buffer) => Buffer): void {
  const codecs = kafkajs.CompressionCodecs as Record<number, unknown>;
  codecs[TYPES[compression]] = () => ({
    compress: async ({ buffer }: { buffer: Buffer }) => pack(buffer),
    decompress: async () => {
      throw new Error("a producer reads nothing");
    },
  });
}

const SNAPPY_BLOCK_BYTES = 32 * 1024;
/** Magic, version 1, compatible with version 1. */
const SNAPPY_HEADER = Buffer.from("82534e41505059000000000100000001", "hex");

function snappyFrames(bytes: Buffer): Buffer {
  const parts: Buffer[] = [SNAPPY_HEADER];
  for (let at = 0; at < bytes.length; at += SNAPPY_BLOCK_BYTES) {
    const block = compressSnappy(bytes.subarray(at, at + SNAPPY_BLOCK_BYTES));
    const length = Buffer.alloc(4);
    length.writeInt32BE(block.length);
    parts.push(length, block);
  }
  return Buffer.concat(parts);
}
