/**
 * The queue of fetched batches of one partition, and the cursor that reads it: one object for both, reused for every
 * record, so that reading allocates nothing.
 *
 *   record => length varint, attributes int8, timestamp delta varlong, offset delta varint,
 *             key length varint, key, value length varint, value, headers (skipped by the length)
 *   varint, varlong: zig-zag, seven bits a byte, lowest first; length -1 = null
 *
 * Source: https://kafka.apache.org/documentation/#record.
 */
import type { RecordCursor } from "./kafka_client.js";
import { RecordFormatError } from "./kafka_errors.js";
import type { RecordBatch } from "./record_batch.js";

const NOTHING = Buffer.alloc(0);

export class BufferedRecords implements RecordCursor {
  offset = -1;
  batch: RecordBatch | undefined;
  timestampMs = -1;
  buffer: Buffer = NOTHING;
  keyStart = -1;
  keyEnd = -1;
  valueStart = -1;
  valueEnd = -1;

  /** Bytes of the batches that are not read yet, the one being read included. */
  bufferedBytes = 0;

  private queue: RecordBatch[] = [];
  private queueHead = 0;
  private unreadInBatch = 0;
  private recordAt = 0;
  /** Where the record that `next` stepped to begins. */
  private recordStart = 0;
  private batchEnd = 0;
  private baseOffset = 0;
  private baseTimestampMs = 0;
  private logAppendTimeMs = -1;
  private allowance = 0;
  private nextOffset: number;
  /** Where the varint reader stands. */
  private at = 0;

  /**
   * @param firstOffset records below are skipped
   * @param name of the partition, for messages
   */
  constructor(
    private readonly firstOffset: number,
    private readonly name: string,
  ) {
    this.nextOffset = firstOffset;
  }

  /** True: `next` would find no record in the buffer. */
  get isExhausted(): boolean {
    return this.unreadInBatch === 0 && this.queueHead === this.queue.length;
  }

  /** One more than the last offset handed out. */
  get position(): number {
    return this.nextOffset;
  }

  push(batches: readonly RecordBatch[]): void {
    for (const batch of batches) {
      this.queue.push(batch);
      this.bufferedBytes += batch.recordsEnd - batch.recordsStart;
    }
  }

  /** Lets `next` step `maxRecords` times from here on. */
  allow(maxRecords: number): void {
    this.allowance = maxRecords;
    if (this.unreadInBatch === 0) this.leaveBatch();
  }

  /** Forgets all records and their memory. */
  clear(): void {
    this.queue = [];
    this.queueHead = 0;
    this.unreadInBatch = 0;
    this.batch = undefined;
    this.bufferedBytes = 0;
    this.allowance = 0;
    this.buffer = NOTHING;
  }

  next(): boolean {
    if (this.allowance <= 0) return false;
    for (;;) {
      if (this.unreadInBatch === 0 && !this.enterNextBatch()) return false;
      const { buffer } = this;
      this.at = this.recordAt;
      this.recordStart = this.recordAt;
      const length = this.readVarint();
      const end = this.at + length;
      if (length < 0 || end > this.batchEnd) this.failAtRecord();
      this.at++; // attributes, unused
      const timestampDelta = this.readVarlong();
      const offset = this.baseOffset + this.readVarint();

      const keyLength = this.readVarint();
      const keyStart = this.at;
      if (keyLength > 0) this.at += keyLength;
      const valueLength = this.readVarint();
      const valueStart = this.at;
      const valueEnd = valueLength > 0 ? valueStart + valueLength : valueStart;
      if (valueEnd > end || buffer.length < end) this.failAtRecord();

      this.recordAt = end;
      this.unreadInBatch--;
      if (offset < this.firstOffset) continue;

      this.offset = offset;
      this.nextOffset = offset + 1;
      this.timestampMs =
        this.logAppendTimeMs >= 0 ? this.logAppendTimeMs : this.baseTimestampMs + timestampDelta;
      this.keyStart = keyLength < 0 ? -1 : keyStart;
      this.keyEnd = keyLength < 0 ? -1 : keyStart + keyLength;
      this.valueStart = valueLength < 0 ? -1 : valueStart;
      this.valueEnd = valueLength < 0 ? -1 : valueEnd;
      this.allowance--;
      return true;
    }
  }

  unread(): void {
    this.recordAt = this.recordStart;
    this.unreadInBatch++;
    this.nextOffset = this.offset;
    this.allowance++;
  }

  private enterNextBatch(): boolean {
    this.leaveBatch();
    if (this.queueHead === this.queue.length) return false;
    const batch = this.queue[this.queueHead++]!;
    if (this.queueHead === this.queue.length) {
      this.queue.length = 0;
      this.queueHead = 0;
    }
    this.batch = batch;
    this.buffer = batch.buffer;
    this.unreadInBatch = batch.recordCount;
    this.recordAt = batch.recordsStart;
    this.batchEnd = batch.recordsEnd;
    this.baseOffset = batch.baseOffset;
    this.baseTimestampMs = batch.baseTimestampMs;
    this.logAppendTimeMs = batch.logAppendTimeMs;
    return true;
  }

  private leaveBatch(): void {
    if (this.batch === undefined) return;
    this.bufferedBytes -= this.batch.recordsEnd - this.batch.recordsStart;
    this.batch = undefined;
  }

  private readVarint(): number {
    const { buffer } = this;
    let byte = buffer[this.at++]!;
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1);
    let value = byte & 0x7f;
    for (let shift = 7; shift <= 28; shift += 7) {
      byte = buffer[this.at++]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1);
    }
    return this.failAtRecord();
  }

  private readVarlong(): number {
    const { buffer } = this;
    let byte = buffer[this.at++]!;
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1);
    let value = byte & 0x7f;
    for (let shift = 7; shift <= 21; shift += 7) {
      byte = buffer[this.at++]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1);
    }
    // Above 28 bits the sum is kept as a double: exact up to 2^53.
    let weight = 2 ** 28;
    for (let i = 4; i < 10; i++) {
      byte = buffer[this.at++]!;
      value += (byte & 0x7f) * weight;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
      weight *= 128;
    }
    return this.failAtRecord();
  }

  /** The cursor stays in front of the record: each further `next` fails again. */
  private failAtRecord(): never {
    const after = this.nextOffset - 1;
    throw new RecordFormatError(
      `${this.name}: malformed record after offset ${after}, in the batch that starts at ${this.baseOffset}`,
    );
  }
}
