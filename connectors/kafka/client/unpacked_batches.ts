/**
 * The memory of unpacked batches, of all partitions of a client together. Each reader unpacks the batch that it reads.
 * When that comes to more than the limit, those that have been in memory for longest are dropped, and unpacked again
 * when their turn comes: a reader that waited for room could wait for one that waits for it.
 */
import { CODEC_NAMES, unpack } from "./codecs.js";
import type { RecordBatch } from "./record_batch.js";
import { checkCount } from "./record_batch.js";

/** Whoever reads a batch. */
export interface BatchHolder {
  /** Its unpacked bytes are wanted for others. */
  drop(): void;
}

export class UnpackedBatches {
  /** In the order of unpacking. */
  readonly #held = new Map<BatchHolder, number>();
  #heldBytes = 0;

  /**
   * @param batchMaxBytes of one batch; a larger one is not unpacked
   * @param maxBytes of all; the one unpacked last may go beyond
   */
  constructor(
    private readonly batchMaxBytes: number,
    private readonly maxBytes: number,
  ) {}

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** The records of a compressed batch. Throws an Error that says why there are none. */
  unpack(batch: RecordBatch, holder: BatchHolder): Buffer {
    this.release(holder);
    let records: Buffer;
    try {
      const bytes = batch.buffer.subarray(batch.recordsStart, batch.recordsEnd);
      records = unpack(batch.codec, bytes, this.batchMaxBytes);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`compressed with ${CODEC_NAMES[batch.codec] ?? "an unknown codec"}: ${reason}`, {
        cause,
      });
    }
    checkCount(batch.recordCount, records.length, batch.baseOffset);
    this.#held.set(holder, records.length);
    this.#heldBytes += records.length;
    for (const other of this.#held.keys()) {
      if (this.#heldBytes <= this.maxBytes) break;
      if (other === holder) continue;
      this.release(other);
      other.drop();
    }
    return records;
  }

  /** The holder has read its batch, or closes. */
  release(holder: BatchHolder): void {
    this.#heldBytes -= this.#held.get(holder) ?? 0;
    this.#held.delete(holder);
  }
}
