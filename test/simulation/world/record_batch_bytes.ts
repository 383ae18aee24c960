/** Record batches as a broker keeps them. Grammar: connectors/kafka/client/record_batch.ts and buffered_records.ts. */
import { gzipSync } from "node:zlib";
import { crc32c } from "../../../beam/platform/crc32c.js";

export interface BatchRecord {
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

export interface BatchKind {
  /** -1: none. */
  readonly producerId: number;
  readonly isTransactional: boolean;
  /** Ends a transaction. */
  readonly isControl: boolean;
  readonly isGzipped: boolean;
}

export const PLAIN: BatchKind = {
  producerId: -1,
  isTransactional: false,
  isControl: false,
  isGzipped: false,
};

export const HEADER_BYTES = 61;
const CRC_COVERS_FROM = 21;

export function recordBatchBytes(
  baseOffset: number,
  records: readonly BatchRecord[],
  { producerId, isTransactional, isControl, isGzipped }: BatchKind,
  leaderEpoch: number,
): Buffer {
  const baseTimestampMs = records[0]!.timestampMs;
  const plain = Buffer.concat(records.map((record, index) => recordBytes(record, index, baseTimestampMs)));
  const body = isGzipped ? gzipSync(plain) : plain;
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeBigInt64BE(BigInt(baseOffset), 0);
  header.writeInt32BE(HEADER_BYTES - 12 + body.length, 8);
  header.writeInt32BE(leaderEpoch, 12);
  header.writeInt8(2, 16);
  header.writeInt16BE((isGzipped ? 1 : 0) | (isTransactional ? 0x10 : 0) | (isControl ? 0x20 : 0), 21);
  header.writeInt32BE(records.length - 1, 23);
  header.writeBigInt64BE(BigInt(baseTimestampMs), 27);
  header.writeBigInt64BE(BigInt(Math.max(...records.map(({ timestampMs }) => timestampMs))), 35);
  header.writeBigInt64BE(BigInt(producerId), 43);
  header.writeInt16BE(0, 51);
  header.writeInt32BE(-1, 53);
  header.writeInt32BE(records.length, 57);
  const bytes = Buffer.concat([header, body]);
  bytes.writeUInt32BE(crc32c(bytes, CRC_COVERS_FROM, bytes.length), 17);
  return bytes;
}

function recordBytes({ timestampMs, key, value }: BatchRecord, index: number, baseMs: number): Buffer {
  const parts = [
    Buffer.from([0]),
    varint(timestampMs - baseMs),
    varint(index),
    ...field(key),
    ...field(value),
    varint(0),
  ];
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([varint(length), ...parts]);
}

function field(bytes: Buffer | null): Buffer[] {
  return bytes === null ? [varint(-1)] : [varint(bytes.length), bytes];
}

/** Zig-zag, seven bits a byte, lowest first. */
function varint(value: number): Buffer {
  let rest = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n));
  const bytes: number[] = [];
  do {
    const bits = Number(rest & 0x7fn);
    rest >>= 7n;
    bytes.push(rest === 0n ? bits : bits | 0x80);
  } while (rest !== 0n);
  return Buffer.from(bytes);
}
