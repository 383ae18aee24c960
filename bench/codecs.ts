/**
 * `make bench-codecs`: how fast each codec unpacks a batch of typical records, on one core, in MiB of records a
 * second. For zstd on a Node that cannot write it, there is no figure.
 */
import zlib from "node:zlib";
import { compressFrameSync } from "lz4-napi";
import { compress } from "snappyjs";
import { unpack } from "../connectors/kafka/client/codecs.js";

const ROUNDS = 5;
const ROUND_MS = 300;
const MIB = 1 << 20;

const records = Buffer.concat(
  Array.from({ length: 8_000 }, (_, i) =>
    Buffer.from(
      `{"order_id":"o${i}","customer_id":"customer_${(i * 7919) % 1000}","amount":${(i * 31) % 9999}}`,
    ),
  ),
);
const { zstdCompressSync } = zlib as unknown as { zstdCompressSync?: (bytes: Buffer) => Buffer };
const packed = [
  ["gzip", 1, zlib.gzipSync(records)],
  ["snappy", 2, compress(records)],
  ["lz4", 3, compressFrameSync(records)],
  ["zstd", 4, zstdCompressSync?.(records)],
] as const;

for (const [name, codec, bytes] of packed) {
  if (bytes === undefined) continue;
  const rates = Array.from({ length: ROUNDS }, () => {
    const startedAt = performance.now();
    let unpacked = 0;
    while (performance.now() - startedAt < ROUND_MS) unpacked += unpack(codec, bytes, 64 * MIB).length;
    return unpacked / MIB / ((performance.now() - startedAt) / 1000);
  }).sort((a, b) => a - b);
  const ratio = (records.length / bytes.length).toFixed(1);
  console.log(`${name.padEnd(6)} ${Math.round(rates[ROUNDS >> 1]!)} MiB/s of records, packed ${ratio} : 1`);
}
