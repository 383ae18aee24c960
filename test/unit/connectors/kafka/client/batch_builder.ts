/** Record batches as bytes, made by kafkajs's own encoders, so that nothing of ours checks itself. */
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const { RecordBatch } = require("kafkajs/src/protocol/recordBatch/v0");
const encodeRecord = require("kafkajs/src/protocol/recordBatch/record/v0");
const Long = require("kafkajs/src/utils/long");
const kafkaJsCrc32c: (bytes: Buffer) => number = require("kafkajs/src/protocol/recordBatch/crc32C");

export interface TestRecord {
  readonly offsetDelta: number;
  readonly timestampDelta?: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: Record<string, string>;
}

export interface TestBatch {
  readonly baseOffset?: number;
  readonly baseTimestampMs?: number;
  readonly maxTimestampMs?: number;
  readonly records: readonly TestRecord[];
  readonly lastOffsetDelta?: number;
  readonly gzip?: boolean;
  readonly producerId?: number;
  readonly transactional?: boolean;
  /** Ends a transaction. */
  readonly control?: boolean;
  readonly logAppendTime?: boolean;
}

const LOG_APPEND_TIME = 0x08;
const CONTROL = 0x20;

export async function batchBytes(batch: TestBatch): Promise<Buffer> {
  const { baseOffset = 0, baseTimestampMs = 1_700_000_000_000, records } = batch;
  const encoder = await RecordBatch({
    compression: batch.gzip ? 1 : 0,
    firstOffset: Long.fromValue(baseOffset),
    firstTimestamp: baseTimestampMs,
    maxTimestamp: batch.maxTimestampMs ?? baseTimestampMs,
    lastOffsetDelta: batch.lastOffsetDelta ?? Math.max(0, ...records.map(({ offsetDelta }) => offsetDelta)),
    transactional: batch.transactional ?? false,
    producerId: Long.fromValue(batch.producerId ?? -1),
    records: records.map((record) =>
      encodeRecord({ ...record, timestampDelta: Long.fromValue(record.timestampDelta ?? 0) }),
    ),
  });
  const bytes = Buffer.from(encoder.buffer);
  const flags = (batch.logAppendTime ? LOG_APPEND_TIME : 0) | (batch.control ? CONTROL : 0);
  bytes.writeInt16BE(bytes.readInt16BE(21) | flags, 21);
  return sealed(bytes);
}

/** Corrects the checksum after a change. */
export function sealed(bytes: Buffer): Buffer {
  bytes.writeUInt32BE(kafkaJsCrc32c(bytes.subarray(21)) >>> 0, 17);
  return bytes;
}

/** Records with these values, keys k0, k1, …, and offsets in a row. */
export function recordsOf(...values: string[]): TestRecord[] {
  return values.map((value, i) => ({ offsetDelta: i, key: Buffer.from(`k${i}`), value: Buffer.from(value) }));
}

/** The control batch that a broker writes at the end of a transaction. */
export function markerBytes(baseOffset: number, producerId: number, commit: boolean): Promise<Buffer> {
  const key = Buffer.from([0, 0, 0, commit ? 1 : 0]);
  const records = [{ offsetDelta: 0, key, value: Buffer.alloc(6) }];
  return batchBytes({ baseOffset, producerId, transactional: true, control: true, records });
}
