import assert from "node:assert/strict";
import type { WorkerTraffic } from "../../../../beam/harness/state_channel.js";
import { ByteReader, ByteWriter } from "../../../../beam/model/bytes.js";
import { BytesCoder } from "../../../../beam/model/coders/bytes_coder.js";
import { encodeToBytes } from "../../../../beam/model/coders/encode_to_bytes.js";
import { KVCoder } from "../../../../beam/model/coders/kv_coder.js";
import { TimerCoder } from "../../../../beam/model/coders/timer_coder.js";
import { VarintCoder } from "../../../../beam/model/coders/varint_coder.js";
import { GlobalWindowCoder } from "../../../../beam/model/coders/window_coders.js";
import type { KV } from "../../../../beam/model/kv.js";
import { NO_FIRING } from "../../../../beam/model/pane.js";
import { GLOBAL_WINDOW_MAX } from "../../../../beam/model/timestamps.js";
import { IN_GLOBAL_WINDOW } from "../../../../beam/model/windows.js";
import { withKeyShards } from "../../../../beam/runners/portable/key_shards.js";
import { protoOf } from "../../../../beam/sdk/collection.js";
import { createPipeline, parDo } from "../../../../beam/sdk/graph.js";
import { bagState, multimapState, valueState } from "../../../../beam/sdk/state.js";
import { eventTimeTimer } from "../../../../beam/sdk/timer.js";
import { createKeyed, ints, keyedInts, stateful, strings } from "../runners/small_graphs.js";
import { decodeElements, encodeElements, WorkerUnderTest } from "./worker_under_test.js";

type Keyed = KV<string, number>;

/** Sums up; 0 forgets the key; a number from 1,000 on is when the sum is told, by a timer, and forgotten. */
const sum = stateful(
  "test:dofn:sharded_sum:v1",
  {
    state: { sum: valueState(ints), all: bagState(ints), map: multimapState(strings, ints) },
    timers: { tell: eventTimeTimer(), hold: eventTimeTimer() },
  },
  ({ key, value }: Keyed, { state, timers, emit }) => {
    if (value === 0) {
      state.sum.clear();
      state.all.clear();
      state.map.clear();
      timers.tell.clear();
    } else if (value < 0) {
      timers.hold.set(10_000, "", -value);
    } else if (value >= 1_000) {
      timers.tell.set(value);
      state.sum.write(state.sum.read() ?? 0);
    } else {
      state.sum.write((state.sum.read() ?? 0) + value);
      state.all.add(value);
      state.map.put(String(value % 2), value);
      emit.main(`${key}=${state.sum.read()} of ${[...state.all.read()]}, odd ${[...state.map.get("1")]}`);
    }
  },
  {
    tell: ({ key, state, emit, fireTimestamp }) => {
      emit.main(`${key}: ${state.sum.read()} at ${fireTimestamp}`);
      state.sum.clear();
      state.all.clear();
      state.map.clear();
    },
    hold: () => undefined,
  },
);

const batches = new KVCoder(VarintCoder.INSTANCE, BytesCoder.INSTANCE);
const wakeCoder = new TimerCoder(VarintCoder.INSTANCE, GlobalWindowCoder.INSTANCE);

describe("worker, keys in shards", () => {
  let test: WorkerUnderTest;
  let traffic: WorkerTraffic;

  beforeEach(async () => {
    traffic = { stateRequests: 0 };
    test = await WorkerUnderTest.start({ traffic });
    describeStep(2, "d");
  });
  afterEach(() => test.close());

  /** As the descriptors `id` and, of the step in front, `front id`. */
  function describeStep(shards: number, id: string, step = sum): void {
    const { pipeline, root } = createPipeline();
    parDo("Sum", createKeyed(root, []), step);
    withKeyShards(protoOf(pipeline), shards);
    test.describe(pipeline, ["Sum/ShardKeys"], `front ${id}`);
    test.describe(pipeline, ["Sum"], id);
  }

  async function batchesOf(pairs: readonly (readonly [string, number])[], id = "d"): Promise<Buffer> {
    const bundle = await test.runner.startBundle(`front ${id}`);
    const elements = pairs.map(([key, value]) => [{ key, value }, 5] as const);
    await test.runner.sendData(bundle, encodeElements(keyedInts, ...elements));
    assert.equal((await test.runner.answer(bundle)).error, "");
    return test.runner.output(bundle);
  }

  interface Given {
    readonly token?: string;
    /** Shard and time of those that fire. */
    readonly wakes?: readonly (readonly [number, number])[];
    readonly descriptor?: string;
  }

  /** Answers what came out, or the error, and the timers that were set, as [shard, tag, time, hold]. */
  async function run(
    pairs: readonly (readonly [string, number])[],
    { token = "t", wakes = [], descriptor = "d" }: Given = {},
  ): Promise<{ texts: string[]; timers: unknown[][]; error: string }> {
    const input = await batchesOf(pairs, descriptor);
    const id = await test.runner.startBundle(descriptor, undefined, token);
    await test.runner.sendData(id, input);
    const fired = new ByteWriter();
    for (const [key, at] of wakes) {
      const timer = {
        key,
        tag: String(at),
        windows: IN_GLOBAL_WINDOW,
        clear: false,
        fireTimestamp: at,
      } as const;
      wakeCoder.encode({ ...timer, holdTimestamp: at, pane: NO_FIRING }, fired, "nested");
    }
    await test.runner.sendTimers(id, "wake", fired.toBytes());
    const { error } = await test.runner.answer(id);
    if (error !== "") return { texts: [], timers: [], error };
    const reader = new ByteReader(await test.runner.timerOutput(id, "wake"));
    const timers: unknown[][] = [];
    while (reader.remaining > 0) {
      const timer = wakeCoder.decode(reader, "nested");
      timers.push(
        timer.clear
          ? [timer.key, timer.tag, "clear"]
          : [timer.key, timer.tag, timer.fireTimestamp, timer.holdTimestamp],
      );
    }
    const texts = decodeElements(strings, await test.runner.output(id)).map(([text]) => text);
    return { texts, timers, error };
  }

  const requests = (kind: string): number =>
    test.runner.stateRequests.filter(({ request }) => request.oneofKind === kind).length;
  const logOf = (shard: number): Buffer =>
    test.runner.state.get(
      `do|log||${encodeToBytes(VarintCoder.INSTANCE, shard, "nested").toString("latin1")}`,
    ) ?? Buffer.alloc(0);

  async function keysOfOneShard(count: number): Promise<string[]> {
    const keys = Array.from({ length: 10 * count }, (_, i) => `k${i}`);
    const [[first]] = decodeElements(batches, await batchesOf(keys.map((key) => [key, 1]))) as [
      [KV<number, Uint8Array>, number],
    ];
    const found = decodeElements(keyedInts, Buffer.from(first.value));
    return found.map(([{ key }]) => key).slice(0, count);
  }

  it("are brought together by shard: a batch for each, held at its earliest element", async () => {
    const keys = Array.from({ length: 100 }, (_, i) => `k${i}`);
    const found = decodeElements(batches, await batchesOf(keys.map((key) => [key, 1])));
    assert.deepEqual(
      found.map(([{ key }, timestamp]) => [key, timestamp]),
      [
        [0, 5],
        [1, 5],
      ],
    );
  });

  it("have their state from bundle to bundle, with one request a shard", async () => {
    const keys = Array.from({ length: 100 }, (_, i) => `k${i}`);
    const first = await run(keys.map((key) => [key, 1]));
    assert.equal(first.texts.length, 100);
    assert.equal(requests("get"), 2);
    assert.ok(requests("append") <= 4, "names of tables, and changes, of two shards");
    const before = traffic.stateRequests;
    const { texts } = await run(keys.map((key) => [key, 2]));
    assert.deepEqual(new Set(texts), new Set(keys.map((key) => `${key}=3 of 1,2, odd 1`)));
    assert.equal(traffic.stateRequests - before, 2, "an append a shard");
  });

  it("go on from their logs in another process, or when the runner takes its token back", async () => {
    const keys = Array.from({ length: 50 }, (_, i) => `k${i}`);
    await run(keys.map((key) => [key, 1]));
    await run(keys.map((key, i) => [key, i % 3 === 0 ? 0 : 2]));
    const { texts } = await run(
      keys.map((key) => [key, 5]),
      { token: "another" },
    );
    assert.deepEqual(
      new Set(texts),
      new Set(keys.map((key, i) => (i % 3 === 0 ? `${key}=5 of 5, odd 5` : `${key}=8 of 1,2,5, odd 1,5`))),
    );
  });

  it("have a log that is no longer than a few times what is stored, and none when nothing is", async () => {
    const many = Array.from({ length: 400 }, (_, i) => [`k${i % 20}`, (i % 7) + 1] as const);
    const forget = Array.from({ length: 20 }, (_, i) => [`k${i}`, 0] as const);
    let longest = 0;
    for (let i = 0; i < 40; i++) {
      await run(many);
      longest = Math.max(longest, logOf(0).length + logOf(1).length);
      await run(forget.slice(0, 19));
    }
    assert.ok(longest < 3 * (256 << 10), `${longest} bytes`);
    assert.ok(requests("clear") > 0, "it was written anew");
    const sums = (await run([["k19", 1]])).texts;
    assert.deepEqual((await run([["k19", 0]])).texts, []);
    assert.match(sums[0]!, /^k19=\d{3,} /);
    assert.equal(logOf(0).length + logOf(1).length, 0);
    assert.deepEqual((await run([["k19", 4]])).texts, ["k19=4 of 4, odd "]);
    assert.deepEqual((await run([["k19", 4]], { token: "another" })).texts, ["k19=8 of 4,4, odd "]);
  });

  it("lose nothing of a log that was written anew", async () => {
    const keys = Array.from({ length: 3_000 }, (_, i) => `key number ${i}`);
    for (let i = 0; i < 4; i++) await run(keys.map((key) => [key, 1]));
    assert.ok(requests("clear") > 0, "it was written anew");
    const { texts } = await run(
      keys.map((key) => [key, 2]),
      { token: "another" },
    );
    assert.deepEqual(new Set(texts), new Set(keys.map((key) => `${key}=6 of 1,1,1,1,2, odd 1,1,1,1`)));
  });

  it("of a bundle that failed are as they were", async () => {
    await run([["a", 1]]);
    const id = await test.runner.startBundle("d", undefined, "t");
    await test.runner.sendData(id, Buffer.concat([await batchesOf([["a", 5]]), Buffer.from([1])]));
    assert.notEqual((await test.runner.answer(id)).error, "");
    assert.deepEqual((await run([["a", 2]])).texts, ["a=3 of 1,2, odd 1"]);
  });

  it("wake for the timers of a second, held at the earliest, and fire them in their order", async () => {
    const [a, c, e, g] = await keysOfOneShard(4);
    const { timers } = await run([
      [a!, 1],
      [a!, 3_700],
      [c!, 3_200],
      [e!, 4_000],
      [g!, 4_001],
    ]);
    const shard = timers[0]![0] as number;
    assert.deepEqual(timers, [
      [shard, "4000", 4_000, 3_200],
      [shard, "5000", 5_000, 4_001],
    ]);
    const { texts } = await run([], { wakes: [[shard, 4_000]], token: "another" });
    assert.deepEqual(texts, [`${c}: 0 at 3200`, `${a}: 1 at 3700`, `${e}: 0 at 4000`]);
    const again = await run([[a!, 3_900]], { wakes: [], token: "another" });
    assert.deepEqual(again.timers, [[shard, "4000", 4_000, 3_900]], "a wake that has fired is set again");
    assert.deepEqual((await run([[a!, 3_950]], { token: "another" })).timers, []);
    assert.deepEqual((await run([[a!, 3_850]], { token: "another" })).timers, [
      [shard, "4000", 4_000, 3_850],
    ]);
    assert.deepEqual((await run([], { token: "another", wakes: [[shard, 4_000]] })).texts, [
      `${a}: 0 at 3850`,
    ]);
    assert.deepEqual((await run([], { token: "another", wakes: [[shard, 5_000]] })).texts, [
      `${g}: 0 at 4001`,
    ]);
    assert.equal(logOf(shard).length, 0, "nothing waits");
  });

  it("know after a restart which wakes the runner has", async () => {
    const [a, c] = await keysOfOneShard(2);
    await run([[a!, 3_700]]);
    assert.deepEqual((await run([[a!, 1]], { token: "another" })).timers, []);
    assert.deepEqual((await run([[c!, 3_800]], { token: "a third" })).timers, []);
  });

  it("hold the watermark for timers that emit at a time of their own", async () => {
    const { timers } = await run([["a", -7_000]]);
    const shard = timers[0]![0] as number;
    assert.deepEqual(timers, [
      [shard, "10000", 10_000, 10_000],
      [shard, "hold", GLOBAL_WINDOW_MAX, 7_000],
    ]);
    assert.deepEqual((await run([["a", -6_000]])).timers, [[shard, "hold", GLOBAL_WINDOW_MAX, 6_000]]);
    assert.deepEqual((await run([["a", -6_000]], { token: "another" })).timers, []);
    assert.deepEqual((await run([], { wakes: [[shard, 10_000]] })).timers, [[shard, "hold", "clear"]]);
  });

  it("that were put into another number of shards are refused, and so is the state of another step", async () => {
    const pairs = Array.from({ length: 20 }, (_, i) => [`k${i}`, 1] as const);
    await run(pairs);
    describeStep(3, "three");
    const { error } = await run(pairs, { descriptor: "three", token: "another" });
    assert.match(
      error,
      /Sum: the state of a shard cannot be gone on with: keys were put into 2 shards, and now are into 3/,
    );
    const other = stateful(
      "test:dofn:sharded_other:v1",
      { state: { other: valueState(ints) }, timers: {} },
      ({ key, value }: Keyed, { emit }) => emit.main(`${key}=${value}`),
      {},
    );
    describeStep(2, "other", other as never);
    const { error: ofOther } = await otherRun(pairs);
    assert.match(ofOther, /cannot be gone on with: what was kept holds \S+, which this step has not/);
  });

  async function otherRun(pairs: readonly (readonly [string, number])[]): Promise<{ error: string }> {
    const input = await batchesOf(pairs, "other");
    const id = await test.runner.startBundle("other", undefined, "a third");
    await test.runner.sendData(id, input);
    await test.runner.sendTimers(id, "wake", new Uint8Array(0));
    const { error } = await test.runner.answer(id);
    return { error };
  }
});
