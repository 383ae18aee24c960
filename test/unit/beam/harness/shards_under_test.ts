/** A stateful step with its keys in shards, at a worker whose runner the test plays. */
import assert from "node:assert/strict";
import { ByteReader, ByteWriter } from "../../../../beam/model/bytes.js";
import { BytesCoder } from "../../../../beam/model/coders/bytes_coder.js";
import { encodeToBytes } from "../../../../beam/model/coders/encode_to_bytes.js";
import { KVCoder } from "../../../../beam/model/coders/kv_coder.js";
import { TimerCoder } from "../../../../beam/model/coders/timer_coder.js";
import { VarintCoder } from "../../../../beam/model/coders/varint_coder.js";
import { GlobalWindowCoder } from "../../../../beam/model/coders/window_coders.js";
import type { KV } from "../../../../beam/model/kv.js";
import { NO_FIRING } from "../../../../beam/model/pane.js";
import type { TimestampMs } from "../../../../beam/model/timestamps.js";
import { IN_GLOBAL_WINDOW } from "../../../../beam/model/windows.js";
import { withKeyShards } from "../../../../beam/runners/portable/key_shards.js";
import { protoOf } from "../../../../beam/sdk/collection.js";
import { createPipeline, parDo } from "../../../../beam/sdk/graph.js";
import { createKeyed, keyedInts, strings } from "../runners/small_graphs.js";
import { decodeElements, encodeElements, WorkerUnderTest } from "./worker_under_test.js";

export type Pairs = readonly (readonly [key: string, value: number])[];

/** Of all elements. */
export const ELEMENT_TIME: TimestampMs = 5;

const batches = new KVCoder(VarintCoder.INSTANCE, BytesCoder.INSTANCE);
const timerCoder = new TimerCoder(VarintCoder.INSTANCE, GlobalWindowCoder.INSTANCE);

/** A timer as the runner is told of it; `at` undefined: it is cleared. */
export interface ShardTimer {
  readonly shard: number;
  readonly tag: string;
  readonly at: TimestampMs | undefined;
  readonly hold: TimestampMs | undefined;
}

export interface Bundle {
  /** Undefined: the runner lets the worker keep nothing. Default: the same as of other bundles. */
  readonly token?: string | undefined;
  /** Timers that fire, by shard, tag and time. */
  readonly fired?: readonly (readonly [shard: number, tag: string, at: TimestampMs])[];
  readonly descriptor?: string;
  /** Its input ends with bytes that are no element. */
  readonly isBroken?: boolean;
}

export interface Answer {
  readonly texts: string[];
  readonly timers: ShardTimer[];
  readonly error: string;
}

export class ShardsUnderTest {
  private constructor(readonly worker: WorkerUnderTest) {}

  static async start(...options: Parameters<typeof WorkerUnderTest.start>): Promise<ShardsUnderTest> {
    return new ShardsUnderTest(await WorkerUnderTest.start(...options));
  }

  close(): Promise<void> {
    return this.worker.close();
  }

  /** Makes a step known as the descriptors `id` and, of the step in front, `front id`. @param step of texts and numbers */
  describe(step: any, shards: number, id = "d"): void {
    const { pipeline, root } = createPipeline();
    parDo("Step", createKeyed(root, []), step);
    withKeyShards(protoOf(pipeline), shards);
    this.worker.describe(pipeline, ["Step/ShardKeys"], `front ${id}`);
    this.worker.describe(pipeline, ["Step"], id);
  }

  /** As they go to the runner. */
  async batchesOf(pairs: Pairs, id = "d"): Promise<Buffer> {
    const { runner } = this.worker;
    const bundle = await runner.startBundle(`front ${id}`);
    const elements = pairs.map(([key, value]) => [{ key, value }, ELEMENT_TIME] as const);
    await runner.sendData(bundle, encodeElements(keyedInts, ...elements));
    assert.equal((await runner.answer(bundle)).error, "");
    return runner.output(bundle);
  }

  /** By shard. */
  async keysByShard(keys: readonly string[], id = "d"): Promise<Map<number, string[]>> {
    const found = decodeElements(
      batches,
      await this.batchesOf(
        keys.map((key) => [key, 1]),
        id,
      ),
    );
    const keysOf = ({ value }: KV<number, Uint8Array>): string[] =>
      decodeElements(keyedInts, Buffer.from(value)).map(([{ key }]) => key);
    return new Map(found.map(([batch]) => [batch.key, keysOf(batch)]));
  }

  async run(pairs: Pairs, bundle: Bundle = {}): Promise<Answer> {
    const { fired = [], descriptor = "d", isBroken = false } = bundle;
    const { runner } = this.worker;
    const input = await this.batchesOf(pairs, descriptor);
    const id = await runner.startBundle(descriptor, undefined, "token" in bundle ? bundle.token : "t");
    await runner.sendData(id, isBroken ? Buffer.concat([input, Buffer.from([1])]) : input);
    await runner.sendTimers(id, "wake", encodeFired(fired));
    const { error } = await runner.answer(id);
    if (error !== "") return { texts: [], timers: [], error };
    const timers = decodeShardTimers(await runner.timerOutput(id, "wake"));
    const texts = decodeElements(strings, await runner.output(id)).map(([text]) => text);
    return { texts, timers, error };
  }

  /** What the runner has of a shard. */
  logOf(shard: number): Buffer {
    const key = encodeToBytes(VarintCoder.INSTANCE, shard, "nested").toString("latin1");
    return this.worker.runner.state.get(`do|log||${key}`) ?? Buffer.alloc(0);
  }

  requests(kind: string): number {
    return this.worker.runner.stateRequests.filter(({ request }) => request.oneofKind === kind).length;
  }
}

function encodeFired(fired: readonly (readonly [number, string, TimestampMs])[]): Buffer {
  const writer = new ByteWriter();
  for (const [key, tag, at] of fired) {
    const timer = { key, tag, windows: IN_GLOBAL_WINDOW, clear: false, fireTimestamp: at } as const;
    timerCoder.encode({ ...timer, holdTimestamp: at, pane: NO_FIRING }, writer, "nested");
  }
  return writer.toBytes();
}

function decodeShardTimers(bytes: Buffer): ShardTimer[] {
  const reader = new ByteReader(bytes);
  const timers: ShardTimer[] = [];
  while (reader.remaining > 0) {
    const timer = timerCoder.decode(reader, "nested");
    const { key: shard, tag } = timer as { key: number; tag: string };
    timers.push(
      timer.clear
        ? { shard, tag, at: undefined, hold: undefined }
        : { shard, tag, at: timer.fireTimestamp, hold: timer.holdTimestamp },
    );
  }
  return timers;
}
