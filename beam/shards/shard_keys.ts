/**
 * Brings the elements of a bundle together by the shard of their key, so that a runner takes many as one.
 *
 *     batch = elements one behind the other, each with its timestamp, window and pane
 */
import { parDoPayload } from "../exec/do_fn_operator.js";
import { Operator, type OperatorContext } from "../exec/operator.js";
import type { PCollectionReceiver, Receiver, Windows } from "../exec/receiver.js";
import { ByteWriter } from "../model/bytes.js";
import type { Coder } from "../model/coders/coder.js";
import { GlobalWindowCoder } from "../model/coders/window_coders.js";
import { WindowedValueCoder } from "../model/coders/windowed_value_coder.js";
import type { KV } from "../model/kv.js";
import { NO_FIRING, type PaneInfo } from "../model/pane.js";
import { MAX_TIMESTAMP, type TimestampMs } from "../model/timestamps.js";
import { IN_GLOBAL_WINDOW } from "../model/windows.js";
import { elementCoderOf, shardedElementsFromBytes } from "../sdk/key_shards.js";
import { hashOf } from "../store/record_bytes.js";

/** A larger batch does not wait for the end of its bundle. */
const BATCH_BYTES_MAX = 64 << 10;

/** The elements that a sharded step is given in batches. */
export function batchedCoder(element: Coder<unknown>): WindowedValueCoder<unknown> {
  return new WindowedValueCoder(element, GlobalWindowCoder.INSTANCE);
}

/**
 * Of the hash of a key. The tables of a shard find keys by the bits of that hash, so another one says which shard: with
 * the same bits in all keys of a shard, most of a table's slots would never be used.
 */
function shardOf(hash: number, shards: number): number {
  let mixed = Math.imul(hash ^ 0x9e3779b9, 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return ((mixed ^ (mixed >>> 16)) >>> 0) % shards;
}

class Batch {
  readonly writer = new ByteWriter(256);
  /** Of its elements: the runner holds the watermark there until they have come. */
  minTimestamp: TimestampMs = MAX_TIMESTAMP;
}

export class ShardKeysOperator extends Operator implements Receiver {
  override readonly input: Receiver = this;
  readonly #output: PCollectionReceiver;
  readonly #keyCoder: Coder<unknown>;
  readonly #coder: WindowedValueCoder<unknown>;
  readonly #shards: number;
  readonly #key = new ByteWriter(256);
  /** By shard, from when it first had an element. */
  readonly #batches: (Batch | undefined)[];

  constructor(context: OperatorContext) {
    super();
    const { transform } = context;
    const [output] = Object.keys(transform.outputs);
    this.#output = context.output(output!);
    const elements = shardedElementsFromBytes(parDoPayload(transform).doFn!.payload);
    const coder = elementCoderOf(elements);
    this.#keyCoder = coder.key;
    this.#coder = batchedCoder(coder);
    this.#shards = elements.shards;
    this.#batches = new Array(elements.shards).fill(undefined);
  }

  accept(value: unknown, timestamp: TimestampMs, windows: Windows, pane: PaneInfo): void {
    const key = this.#key;
    key.reset();
    this.#keyCoder.encode((value as KV<unknown, unknown>).key, key, "nested");
    const shard = shardOf(hashOf(key), this.#shards);
    let batch = this.#batches[shard];
    if (batch === undefined) {
      batch = new Batch();
      this.#batches[shard] = batch;
    }
    this.#coder.encodeParts(value, timestamp, windows, pane, batch.writer, "nested");
    if (timestamp < batch.minTimestamp) batch.minTimestamp = timestamp;
    if (batch.writer.length >= BATCH_BYTES_MAX) this.#emit(shard, batch);
  }

  override finishBundle(): void {
    for (let shard = 0; shard < this.#shards; shard++) {
      const batch = this.#batches[shard];
      if (batch !== undefined && batch.writer.length > 0) this.#emit(shard, batch);
    }
  }

  #emit(shard: number, batch: Batch): void {
    const { writer, minTimestamp } = batch;
    const value: KV<number, Uint8Array> = { key: shard, value: writer.toBytes() };
    writer.shrink(2 * BATCH_BYTES_MAX);
    batch.minTimestamp = MAX_TIMESTAMP;
    this.#output.accept(value, minTimestamp, IN_GLOBAL_WINDOW, NO_FIRING);
  }
}
