/**
 * Finds the record batches in the bytes of a fetch answer. Only headers are read here, records are left to RecordCursor.
 *
 *   record set => record batch *, the last one may be cut off
 *   record batch (magic 2), big-endian =>
 *      0 base offset           int64       27 base timestamp  int64, ms
 *      8 length of what follows int32      35 max timestamp   int64, ms
 *     12 leader epoch          int32       43 producer id     int64
 *     16 magic                 int8        51 producer epoch  int16
 *     17 CRC-32C of the rest   uint32      53 base sequence   int32
 *     21 attributes            int16       57 record count    int32
 *     23 last offset delta     int32       61 records, compressed as a whole
 *   attributes: bits 0-2 codec, 3 LogAppendTime, 4 transactional, 5 control batch
 *
 * Source: https://kafka.apache.org/documentation/#recordbatch. A batch may begin below the offset that was asked for,
 * and compaction may have removed records from it, or all of them.
 */
import { crc32c } from "@order-payment-stream/beam/io";
import { readInt64 } from "./int64.js";
import { RecordFormatError } from "./kafka_errors.js";
import type { Anchor, BatchHeader } from "./log_identity.js";

const LENGTH_AT = 8;
const LENGTH_COUNTS_FROM = 12;
const LEADER_EPOCH_AT = 12;
const MAGIC_AT = 16;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;
const LAST_OFFSET_DELTA_AT = 23;
const BASE_TIMESTAMP_AT = 27;
const MAX_TIMESTAMP_AT = 35;
const PRODUCER_ID_AT = 43;
const RECORD_COUNT_AT = 57;
const RECORDS_AT = 61;

const CODEC_MASK = 0x07;
const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;

const NO_BATCHES: readonly RecordBatch[] = [];

/** A record of nothing: length, attributes, timestamp, offset, key, value, headers. */
const SMALLEST_RECORD_BYTES = 7;

/** Records [recordsStart, recordsEnd) of `buffer`. */
export interface RecordBatch {
  readonly buffer: Buffer;
  readonly recordsStart: number;
  readonly recordsEnd: number;
  readonly recordCount: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly baseTimestampMs: number;
  /** The time of all records where the broker sets it; otherwise -1. */
  readonly logAppendTimeMs: number;
  readonly leaderEpoch: number;
  /** CRC-32C of the batch as it was stored. */
  readonly checksum: number;
  /** 0: readable as it is. Otherwise it is unpacked first, see codecs.ts. */
  readonly codec: number;
}

/** A transaction of this producer that began at this offset and was aborted. */
export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
}

export interface RecordSet {
  /** Batches that may hold wanted records, in order; without control batches and aborted transactions. */
  readonly batches: readonly RecordBatch[];
  /** Where to fetch next: behind the last complete batch, whatever it held. */
  readonly nextOffset: number;
  /** Of the last complete batch, whatever it held; undefined: there was none. */
  readonly anchor: Anchor | undefined;
  /** The latest time of a record in these batches, by the clock of who wrote it; -1: none. */
  readonly latestTimestampMs: number;
}

/**
 * @param fetchOffset first offset wanted
 * @param aborted the fetch answer's transactions, in any order
 * @throws RecordFormatError when the first batch is none. What comes before a later one is good, and the next fetch
 *   begins with that one.
 */
export function readRecordSet(
  buffer: Buffer,
  start: number,
  end: number,
  fetchOffset: number,
  aborted: readonly AbortedTransaction[],
  verifyChecksums: boolean,
): RecordSet {
  // Nearly all answers of quiet partitions.
  if (start === end)
    return { batches: NO_BATCHES, nextOffset: fetchOffset, anchor: undefined, latestTimestampMs: -1 };
  const batches: RecordBatch[] = [];
  const isAborted = aborted.length > 0 ? new AbortedProducers(aborted) : undefined;
  let nextOffset = fetchOffset;
  let latestTimestampMs = -1;
  let lastBatchAt = -1;
  let previousOffset = -1;

  const damage = (message: string): void => {
    if (nextOffset === fetchOffset) throw new RecordFormatError(message);
  };

  for (let at = start; at + MAGIC_AT < end; ) {
    const magic = buffer[at + MAGIC_AT]!;
    if (magic !== 2) {
      damage(
        magic < 2
          ? `message format v${magic}, which Kafka wrote before 0.11, at about offset ${nextOffset}; v2 is needed`
          : `unknown record batch magic ${magic} at about offset ${nextOffset}`,
      );
      break;
    }
    const length = buffer.readInt32BE(at + LENGTH_AT);
    if (length < RECORDS_AT - LENGTH_COUNTS_FROM) {
      damage(`record batch of impossible length ${length} at about offset ${nextOffset}`);
      break;
    }
    const batchEnd = at + LENGTH_COUNTS_FROM + length;
    if (batchEnd > end) break;

    const baseOffset = readInt64(buffer, at);
    const lastOffset = baseOffset + buffer.readInt32BE(at + LAST_OFFSET_DELTA_AT);
    if (
      verifyChecksums &&
      crc32c(buffer, at + ATTRIBUTES_AT, batchEnd) !== buffer.readUInt32BE(at + CRC_AT)
    ) {
      damage(`record batch at about offset ${nextOffset} does not match its checksum`);
      break;
    }
    const attributes = buffer.readInt16BE(at + ATTRIBUTES_AT);
    const recordCount = buffer.readInt32BE(at + RECORD_COUNT_AT);
    const codec = attributes & CODEC_MASK;
    // The base offset is not covered by the checksum; that batches come in order is.
    const isBehind = baseOffset > previousOffset;
    previousOffset = lastOffset;
    if (
      baseOffset < 0 ||
      lastOffset < baseOffset ||
      !isBehind ||
      !Number.isSafeInteger(lastOffset) ||
      recordCount < 0
    ) {
      damage(
        `record batch with impossible offsets ${baseOffset} to ${lastOffset} or count ${recordCount} at about offset ${nextOffset}`,
      );
      break;
    }

    const hidden =
      isAborted?.next(
        readInt64(buffer, at + PRODUCER_ID_AT),
        lastOffset,
        (attributes & TRANSACTIONAL) !== 0,
        (attributes & CONTROL) !== 0,
      ) ?? false;
    if (!hidden && (attributes & CONTROL) === 0 && recordCount > 0 && lastOffset >= fetchOffset) {
      const maxTimestampMs = readInt64(buffer, at + MAX_TIMESTAMP_AT);
      if (maxTimestampMs > latestTimestampMs) latestTimestampMs = maxTimestampMs;
      batches.push({
        buffer,
        recordsStart: at + RECORDS_AT,
        recordsEnd: batchEnd,
        recordCount,
        baseOffset,
        lastOffset,
        baseTimestampMs: readInt64(buffer, at + BASE_TIMESTAMP_AT),
        logAppendTimeMs: attributes & LOG_APPEND_TIME ? maxTimestampMs : -1,
        leaderEpoch: buffer.readInt32BE(at + LEADER_EPOCH_AT),
        checksum: buffer.readUInt32BE(at + CRC_AT),
        codec,
      });
    }
    if (lastOffset >= nextOffset) nextOffset = lastOffset + 1;
    lastBatchAt = at;
    at = batchEnd;
  }
  const anchor = lastBatchAt < 0 ? undefined : anchorOf(readBatchHeader(buffer, lastBatchAt, end)!);
  return { batches, nextOffset, anchor, latestTimestampMs };
}

/** Undefined: the header is not whole, or of another format. */
export function readBatchHeader(buffer: Buffer, at: number, end: number): BatchHeader | undefined {
  if (at + RECORDS_AT > end || buffer[at + MAGIC_AT] !== 2) return undefined;
  const baseOffset = readInt64(buffer, at);
  return {
    baseOffset,
    lastOffset: baseOffset + buffer.readInt32BE(at + LAST_OFFSET_DELTA_AT),
    leaderEpoch: buffer.readInt32BE(at + LEADER_EPOCH_AT),
    checksum: buffer.readUInt32BE(at + CRC_AT),
    recordCount: buffer.readInt32BE(at + RECORD_COUNT_AT),
  };
}

function anchorOf({ baseOffset, lastOffset, leaderEpoch, checksum }: BatchHeader): Anchor {
  return { offset: lastOffset, baseOffset, leaderEpoch, checksum };
}

/** @throws RecordFormatError when so many records cannot be in so few bytes */
export function checkCount(recordCount: number, bytes: number, baseOffset: number): void {
  if (recordCount * SMALLEST_RECORD_BYTES > bytes) {
    throw new RecordFormatError(
      `record batch at offset ${baseOffset} has ${recordCount} records in ${bytes} bytes`,
    );
  }
}

/**
 * Which producers are inside an aborted transaction while the batches of one fetch answer go by in order. A producer
 * comes in at its transaction's first offset and goes out with the control batch that ends it.
 */
class AbortedProducers {
  readonly #comingUp: AbortedTransaction[];
  #next = 0;
  readonly #inside = new Set<number>();

  constructor(aborted: readonly AbortedTransaction[]) {
    this.#comingUp = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset);
  }

  /** Takes note of the next batch; true: it belongs to an aborted transaction. */
  next(producerId: number, lastOffset: number, isTransactional: boolean, isControl: boolean): boolean {
    while (this.#next < this.#comingUp.length && this.#comingUp[this.#next]!.firstOffset <= lastOffset) {
      this.#inside.add(this.#comingUp[this.#next++]!.producerId);
    }
    if (!isTransactional) return false;
    if (isControl) {
      this.#inside.delete(producerId);
      return false;
    }
    return this.#inside.has(producerId);
  }
}
