/**
 * What the codecs of Kafka and of files have in common: nothing becomes larger than it may. Sizes are looked at before
 * anything is allocated where the format tells them, and while it is unpacked otherwise.
 */
import zlib from "node:zlib";

/** Since Node 22.15. */
const { zstdDecompressSync } = zlib as unknown as {
  zstdDecompressSync?: (bytes: Uint8Array, options: { maxOutputLength: number }) => Buffer;
};
/** zstd itself as WebAssembly: it becomes ready in a promise, and batches are unpacked in none. */
const zstdWasm = zstdDecompressSync === undefined ? await import("@bokuweb/zstd-wasm") : undefined;
await zstdWasm?.init();

/** That bytes would be larger than `maxBytes`, unpacked. */
export function tooLarge(maxBytes: number): Error {
  return new Error(`unpacked, it would be larger than ${maxBytes} bytes`);
}

/** Runs a function of Node's zlib that is told `maxBytes`: its own words for a size that is exceeded name neither. */
export function withLimit(maxBytes: number, unpack: () => Buffer): Buffer {
  try {
    return unpack();
  } catch (error) {
    throw (error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE" ? tooLarge(maxBytes) : error;
  }
}

/**
 * How large a snappy block is, unpacked: what it begins with, seven bits per byte, lowest first.
 *
 * @throws Error for a length that a block of this size cannot have: a byte gives 64 at most
 */
export function snappyLength(block: Buffer): number {
  let length = 0;
  for (let i = 0, weight = 1; i < 5 && i < block.length; i++, weight *= 128) {
    length += (block[i]! & 0x7f) * weight;
    if (block[i]! >= 0x80) continue;
    if (length > block.length * 64) throw new Error("a snappy block is shorter than it says");
    return length;
  }
  throw new Error("a snappy block without a length");
}

const ZSTD_MAGIC = 0xfd2fb528;
/** zstd's own: beyond it a reader must be told to give so much memory. */
const ZSTD_WINDOW_MAX = 2 ** 27;

/**
 * Unpacks a zstd frame.
 *
 * @throws Error that says why it cannot be unpacked, that it ends early, or that there would be more than `maxBytes`
 */
export function unpackZstd(bytes: Buffer, maxBytes: number): Buffer {
  const { window, contentSize } = zstdHeader(bytes);
  if (contentSize > maxBytes) throw tooLarge(maxBytes);
  if (window > ZSTD_WINDOW_MAX) throw new Error(`a zstd frame that wants a window of ${window} bytes`);
  if (zstdDecompressSync !== undefined) {
    const unpacked = withLimit(maxBytes, () => zstdDecompressSync(bytes, { maxOutputLength: maxBytes }));
    if (unpacked.length < contentSize) throw endsEarly();
    return unpacked;
  }
  return unpackByWasm(bytes, maxBytes, contentSize);
}

/** zstd's error codes, as the WebAssembly tells them; source: zstd_errors.h. */
const DST_SIZE_TOO_SMALL = "-70";
const SRC_SIZE_WRONG = "-72";

function unpackByWasm(bytes: Buffer, maxBytes: number, contentSize: number): Buffer {
  try {
    const { buffer, byteOffset, length } = zstdWasm!.decompress(bytes, { defaultHeapSize: maxBytes });
    return Buffer.from(buffer, byteOffset, length);
  } catch (error) {
    const code = /-\d+$/.exec((error as Error).message)?.[0];
    if (code === DST_SIZE_TOO_SMALL && contentSize === 0) throw tooLarge(maxBytes);
    if (code === SRC_SIZE_WRONG) throw endsEarly();
    throw new Error(`the zstd frame is damaged (zstd's error ${code})`, { cause: error });
  }
}

const endsEarly = (): Error => new Error("the zstd frame ends early");

/** What a frame says of its size; source: RFC 8878, 3.1.1.1. Content size 0: not told. */
function zstdHeader(bytes: Buffer): { window: number; contentSize: number } {
  if (bytes.length < 6 || bytes.readUInt32LE(0) !== ZSTD_MAGIC) throw new Error("it is no zstd frame");
  const descriptor = bytes[4]!;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const log = 10 + (bytes[5]! >> 3);
  const window = isSingleSegment ? 0 : 2 ** log + 2 ** (log - 3) * (bytes[5]! & 7);
  const at = 5 + (isSingleSegment ? 0 : 1) + [0, 1, 2, 4][descriptor & 3]!;
  const size = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  if (at + size > bytes.length) throw endsEarly();
  if (size === 0) return { window, contentSize: 0 };
  if (size === 8) return { window, contentSize: Number(bytes.readBigUInt64LE(at)) };
  return { window, contentSize: bytes.readUIntLE(at, size) + (size === 2 ? 256 : 0) };
}
