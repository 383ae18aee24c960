/**
 * The queue of fetched batches of one partition, and the cursor that reads it: one object for both, reused for every
 * record, so that reading allocates nothing.
 *
 *   record => length varint, attributes int8, timestamp delta varlong, offset delta varint,
 *             key length varint, key, value length varint, value, headers (skipped by the length, unless one is wanted)
 *   headers => count varint, as often: name length varint, name, value length varint, value
 *   varint, varlong: zig-zag, seven bits per byte, lowest first; length -1 = null
 *
 * Source: https://kafka.apache.org/documentation/#record.
 */
import type { RecordCursor } from "./kafka_client.js";
import { UnreadableRecordsError } from "./kafka_errors.js";
import type { RecordBatch } from "./record_batch.js";
import type { BatchHolder, UnpackedBatches } from "./unpacked_batches.js";

const NOTHING = Buffer.alloc(0);

export class BufferedRecords implements RecordCursor, BatchHolder {
  offset = -1;
  batch: RecordBatch | undefined;
  timestampMs = -1;
  buffer: Buffer = NOTHING;
  keyStart = -1;
  keyEnd = -1;
  valueStart = -1;
  valueEnd = -1;
  headerStart = -1;
  headerEnd = -1;

  /** Bytes of the batches that are not read yet, the one being read included. */
  bufferedBytes = 0;

  private queue: RecordBatch[] = [];
  private queueHead = 0;
  private unreadInBatch = 0;
  /** Takes the place of `unreadInBatch` while the batch has to be opened again, or cannot be read. */
  private heldBack = 0;
  private failure: UnreadableRecordsError | undefined;
  private recordAt = 0;
  /** Where the record that `next` stepped to begins. */
  private recordStart = 0;
  /** Where its headers begin. */
  private headersAt = 0;
  private batchEnd = 0;
  private baseOffset = 0;
  private lastOffset = 0;
  private baseTimestampMs = 0;
  private logAppendTimeMs = -1;
  private allowance = 0;
  private nextOffset: number;
  /** Where the varint reader stands. */
  private at = 0;

  /**
   * @param firstOffset records below are skipped
   * @param name of the partition, for messages
   * @param onLeft called when a batch has been read, and does not count as buffered any more
   */
  constructor(
    private readonly firstOffset: number,
    private readonly name: string,
    private readonly unpacked: UnpackedBatches,
    private readonly onLeft: () => void = () => undefined,
  ) {
    this.nextOffset = firstOffset;
  }

  /** True: `next` would find no record in the buffer. */
  get isExhausted(): boolean {
    return this.unreadInBatch === 0 && this.heldBack === 0 && this.queueHead === this.queue.length;
  }

  /** One more than the last offset handed out. */
  get position(): number {
    return this.nextOffset;
  }

  push(batches: readonly RecordBatch[]): void {
    // Lets go of the answers that were read: a reader with a long log in front of it never comes to the end of the queue.
    this.queue.splice(0, this.queueHead);
    this.queueHead = 0;
    for (const batch of batches) {
      this.queue.push(batch);
      this.bufferedBytes += batch.recordsEnd - batch.recordsStart;
    }
  }

  /** Lets `next` step `maxRecords` times from here on. */
  allow(maxRecords: number): void {
    this.allowance = maxRecords;
    if (this.unreadInBatch === 0 && this.heldBack === 0) this.leaveBatch();
  }

  /** Forgets all records and their memory. */
  clear(): void {
    this.queue = [];
    this.queueHead = 0;
    this.unreadInBatch = 0;
    this.heldBack = 0;
    this.failure = undefined;
    this.leaveBatch();
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

      // Offsets that do not grow, or are not the batch's, are those of other records: reading on would lose some.
      const isBehind = offset < this.nextOffset && offset >= this.firstOffset;
      if (isBehind || offset < this.baseOffset || offset > this.lastOffset) this.failAtRecord();
      this.recordAt = end;
      this.headersAt = valueEnd;
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

  findHeader(name: Uint8Array): boolean {
    const { buffer, recordAt: end } = this;
    // As nearly every record has it.
    if (buffer[this.headersAt] === 0) return false;
    this.headerStart = -1;
    this.at = this.headersAt;
    const count = this.headerVarint(end);
    for (let i = 0; i < count; i++) {
      const nameLength = this.headerVarint(end);
      const nameStart = this.at;
      if (nameLength < 0 || nameLength > end - nameStart) break;
      this.at += nameLength;
      const valueLength = this.headerVarint(end);
      const valueStart = this.at;
      if (valueLength > end - valueStart) break;
      if (valueLength > 0) this.at += valueLength;
      if (!isSame(name, buffer, nameStart, nameLength)) continue;
      this.headerStart = valueLength < 0 ? -1 : valueStart;
      this.headerEnd = this.at;
    }
    return this.headerStart >= 0;
  }

  unread(): void {
    this.recordAt = this.recordStart;
    this.unreadInBatch++;
    this.nextOffset = this.offset;
    this.allowance++;
  }

  skipUnreadable(): void {
    if (this.failure === undefined) return;
    this.nextOffset = this.failure.lastOffset + 1;
    this.failure = undefined;
    this.heldBack = 0;
    this.leaveBatch();
  }

  /** Called between two steps: what is left of the batch is unpacked again for the next one. */
  drop(): void {
    if (this.unreadInBatch > 0) this.heldBack = this.unreadInBatch;
    this.unreadInBatch = 0;
    this.buffer = NOTHING;
  }

  private enterNextBatch(): boolean {
    if (this.heldBack > 0) {
      if (this.failure !== undefined) throw this.failure;
      this.buffer = this.unpacked.unpack(this.batch!, this);
      this.unreadInBatch = this.heldBack;
      this.heldBack = 0;
      return true;
    }
    this.leaveBatch();
    if (this.queueHead === this.queue.length) return false;
    const batch = this.queue[this.queueHead++]!;
    if (this.queueHead === this.queue.length) {
      this.queue.length = 0;
      this.queueHead = 0;
    }
    this.batch = batch;
    this.baseOffset = batch.baseOffset;
    this.lastOffset = batch.lastOffset;
    if (batch.codec === 0) {
      this.buffer = batch.buffer;
      this.recordAt = batch.recordsStart;
      this.batchEnd = batch.recordsEnd;
    } else {
      this.open(batch);
    }
    this.unreadInBatch = batch.recordCount;
    this.baseTimestampMs = batch.baseTimestampMs;
    this.logAppendTimeMs = batch.logAppendTimeMs;
    return true;
  }

  private open(batch: RecordBatch): void {
    try {
      this.buffer = this.unpacked.unpack(batch, this);
    } catch (error) {
      this.fail(batch, batch.baseOffset, (error as Error).message);
    }
    this.recordAt = 0;
    this.batchEnd = this.buffer.length;
  }

  private leaveBatch(): void {
    if (this.batch === undefined) return;
    if (this.batch.codec !== 0) this.unpacked.release(this);
    this.bufferedBytes -= this.batch.recordsEnd - this.batch.recordsStart;
    this.batch = undefined;
    this.onLeft();
  }

  /** -1 in place of one that is none, or goes on behind the record: nothing more is looked for then. */
  private headerVarint(end: number): number {
    let value = 0;
    for (let shift = 0; shift <= 28 && this.at < end; shift += 7) {
      const byte = this.buffer[this.at++]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1);
    }
    return -1;
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

  private failAtRecord(): never {
    // A batch that was opened has told its records up to here.
    const first = Math.min(Math.max(this.baseOffset, this.nextOffset), this.lastOffset);
    this.fail(this.batch!, first, "a record in there is malformed");
  }

  /** The cursor stays in front: each further `next` fails again, until this is skipped. */
  private fail(batch: RecordBatch, firstOffset: number, reason: string): never {
    const bytes = batch.buffer.subarray(batch.recordsStart, batch.recordsEnd);
    const { lastOffset, baseTimestampMs } = batch;
    this.failure = new UnreadableRecordsError(
      this.name,
      firstOffset,
      lastOffset,
      baseTimestampMs,
      bytes,
      reason,
      batch,
    );
    this.unreadInBatch = 0;
    this.heldBack = 1;
    throw this.failure;
  }
}

function isSame(name: Uint8Array, buffer: Buffer, start: number, length: number): boolean {
  if (length !== name.length) return false;
  let i = 0;
  while (i < length && name[i] === buffer[start + i]) i++;
  return i === length;
}
