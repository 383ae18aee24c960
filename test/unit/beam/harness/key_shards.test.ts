import assert from "node:assert/strict";
import type { WorkerTraffic } from "../../../../beam/harness/state_channel.js";
import type { KV } from "../../../../beam/model/kv.js";
import { GLOBAL_WINDOW_MAX } from "../../../../beam/model/timestamps.js";
import { bagState, multimapState, valueState } from "../../../../beam/sdk/state.js";
import { eventTimeTimer } from "../../../../beam/sdk/timer.js";
import { ints, stateful, strings } from "../runners/small_graphs.js";
import { type Pairs, ShardsUnderTest, type ShardTimer } from "./shards_under_test.js";

type Keyed = KV<string, number>;

/**
 * Sums up. 0 forgets the key; a number from 1,000 on is when the sum is told and forgotten; a negative one, until when a
 * timer holds the watermark.
 */
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
const other = stateful(
  "test:dofn:sharded_other:v1",
  { state: { other: valueState(ints) }, timers: {} },
  ({ key, value }: Keyed, { emit }) => emit.main(`${key}=${value}`),
  {},
);

const keysOf = (count: number): string[] => Array.from({ length: count }, (_, i) => `k${i}`);
const each = (keys: readonly string[], value: number): Pairs => keys.map((key) => [key, value] as const);
const told = ({ shard, tag, at, hold }: ShardTimer): unknown[] => [shard, tag, at, hold];
/** Of a shard's wake that is to fire. */
const wake = (shard: number, at: number) => [shard, String(at), at] as const;

/** The log is written anew when it is longer than twice what is stored and 256 KiB. */
const LOG_BYTES_MAX = 300 << 10;

describe("worker, keys in shards", () => {
  let test: ShardsUnderTest;
  let traffic: WorkerTraffic;

  beforeEach(async () => {
    traffic = { stateRequests: 0 };
    test = await ShardsUnderTest.start({ traffic });
    test.describe(sum, 2);
  });
  afterEach(() => test.close());

  async function keysOfOneShard(count: number): Promise<string[]> {
    const [keys] = (await test.keysByShard(keysOf(10 * count))).values();
    return keys!.slice(0, count);
  }

  it("are brought together by shard, each of which gets its share", async () => {
    const found = await test.keysByShard(keysOf(1_000));
    assert.deepEqual([...found.keys()], [0, 1]);
    for (const keys of found.values()) assert.ok(keys.length > 400, `${keys.length} of 1000`);
  });

  it("have their state from bundle to bundle, with one request a shard", async () => {
    const keys = keysOf(100);
    const first = await test.run(each(keys, 1));
    assert.equal(first.texts.length, 100);
    assert.equal(test.requests("get"), 2);
    assert.equal(test.requests("append"), 2);
    const before = traffic.stateRequests;
    const { texts } = await test.run(each(keys, 2));
    assert.deepEqual(new Set(texts), new Set(keys.map((key) => `${key}=3 of 1,2, odd 1`)));
    assert.equal(traffic.stateRequests - before, 2, "an append a shard");
  });

  it("go on from their logs in another process, or when the runner takes its token back", async () => {
    const keys = keysOf(50);
    await test.run(each(keys, 1));
    await test.run(keys.map((key, i) => [key, i % 3 === 0 ? 0 : 2]));
    const { texts } = await test.run(each(keys, 5), { token: "another" });
    assert.deepEqual(
      new Set(texts),
      new Set(keys.map((key, i) => (i % 3 === 0 ? `${key}=5 of 5, odd 5` : `${key}=8 of 1,2,5, odd 1,5`))),
    );
  });

  for (const [how, tokenOf] of [
    ["under one token", () => "t"],
    ["read back in each bundle", () => undefined],
    ["read back by another process now and then", (bundle: number) => `t${bundle >> 3}`],
  ] as const) {
    it(`have a log that is bounded by what is stored, ${how}`, async () => {
      test.describe(sum, 1, "one");
      const churn = Array.from({ length: 300 }, (_, i) => [`k${i >> 1}`, (i + 1) % 2] as const);
      await test.run([["stays", 1]], { descriptor: "one", token: tokenOf(0) });
      let longest = 0;
      for (let bundle = 0; bundle < 40; bundle++) {
        await test.run(churn, { descriptor: "one", token: tokenOf(bundle) });
        longest = Math.max(longest, test.logOf(0).length);
      }
      assert.ok(longest < LOG_BYTES_MAX, `${longest} bytes`);
      assert.ok(longest > LOG_BYTES_MAX / 2, `${longest} bytes, which need not be written anew`);
      const { texts } = await test.run([["stays", 1]], { descriptor: "one", token: "another" });
      assert.deepEqual(texts, ["stays=2 of 1,1, odd 1,1"]);
    });
  }

  it("have no log when nothing is stored, and begin anew", async () => {
    await test.run([["a", 1]]);
    await test.run([["a", 0]]);
    assert.equal(test.logOf(0).length + test.logOf(1).length, 0);
    assert.deepEqual((await test.run([["a", 4]])).texts, ["a=4 of 4, odd "]);
    assert.deepEqual((await test.run([["a", 4]], { token: "another" })).texts, ["a=8 of 4,4, odd "]);
  });

  it("lose nothing of a log that was written anew", async () => {
    const keys = Array.from({ length: 3_000 }, (_, i) => `key number ${i}`);
    for (let i = 0; i < 4; i++) await test.run(each(keys, 1));
    assert.ok(test.requests("clear") > 0, "it was written anew");
    const { texts } = await test.run(each(keys, 2), { token: "another" });
    assert.deepEqual(new Set(texts), new Set(keys.map((key) => `${key}=6 of 1,1,1,1,2, odd 1,1,1,1`)));
  });

  it("of a bundle that failed are as they were", async () => {
    await test.run([["a", 1]]);
    assert.notEqual((await test.run([["a", 5]], { isBroken: true })).error, "");
    assert.deepEqual((await test.run([["a", 2]])).texts, ["a=3 of 1,2, odd 1"]);
  });

  it("wake for the timers of a second, held at the earliest, and fire them in their order", async () => {
    const [a, c, e, g] = (await keysOfOneShard(4)) as [string, string, string, string];
    const { timers } = await test.run([
      [a, 1],
      [a, 3_700],
      [c, 3_200],
      [e, 4_000],
      [g, 4_001],
    ]);
    const { shard } = timers[0]!;
    assert.deepEqual(timers.map(told), [
      [shard, "4000", 4_000, 3_200],
      [shard, "5000", 5_000, 4_001],
    ]);
    const token = "another";
    const { texts } = await test.run([], { fired: [wake(shard, 4_000)], token });
    assert.deepEqual(texts, [`${c}: 0 at 3200`, `${a}: 1 at 3700`, `${e}: 0 at 4000`]);
    const again = await test.run([[a, 3_900]], { token });
    assert.deepEqual(again.timers.map(told), [[shard, "4000", 4_000, 3_900]], "a wake that has fired");
    assert.deepEqual((await test.run([[a, 3_950]], { token })).timers, []);
    const earlier = await test.run([[a, 3_850]], { token });
    assert.deepEqual(earlier.timers.map(told), [[shard, "4000", 4_000, 3_850]]);
    assert.deepEqual((await test.run([], { token, fired: [wake(shard, 4_000)] })).texts, [`${a}: 0 at 3850`]);
    assert.deepEqual((await test.run([], { token, fired: [wake(shard, 5_000)] })).texts, [`${g}: 0 at 4001`]);
    assert.equal(test.logOf(shard).length, 0, "nothing waits");
  });

  it("know after a restart which wakes the runner has", async () => {
    const [a, c] = (await keysOfOneShard(2)) as [string, string];
    await test.run([[a, 3_700]]);
    assert.deepEqual((await test.run([[a, 1]], { token: "another" })).timers, []);
    assert.deepEqual((await test.run([[c, 3_800]], { token: "a third" })).timers, []);
  });

  it("hold the watermark for timers that emit at a time of their own", async () => {
    const { timers } = await test.run([["a", -7_000]]);
    const { shard } = timers[0]!;
    assert.deepEqual(timers.map(told), [
      [shard, "10000", 10_000, 10_000],
      [shard, "hold", GLOBAL_WINDOW_MAX, 7_000],
    ]);
    const earlier = await test.run([["a", -6_000]]);
    assert.deepEqual(earlier.timers.map(told), [[shard, "hold", GLOBAL_WINDOW_MAX, 6_000]]);
    assert.deepEqual((await test.run([["a", -6_000]], { token: "another" })).timers, []);
    const { timers: after } = await test.run([], { fired: [wake(shard, 10_000)] });
    assert.deepEqual(after.map(told), [[shard, "hold", undefined, undefined]]);
  });

  it("fire very many timers of a second in portions, and hold the watermark for what is left", async () => {
    test.describe(sum, 1, "one");
    const descriptor = "one";
    const keys = keysOf(5_000);
    await test.run(each(keys, 3_200), { descriptor });
    const { texts, timers } = await test.run([], { fired: [wake(0, 4_000)], descriptor });
    assert.equal(texts.length, 4_096);
    assert.deepEqual(timers.map(told), [[0, "4000", 4_000, 3_200]]);
    const rest = await test.run([], { fired: [wake(0, 4_000)], descriptor });
    assert.equal(rest.texts.length, keys.length - 4_096);
    assert.deepEqual(rest.timers, []);

    await test.run(each(keys, -7_000), { descriptor });
    const atTheEnd = await test.run([], {
      fired: [wake(0, 10_000), [0, "hold", GLOBAL_WINDOW_MAX]],
      descriptor,
    });
    assert.deepEqual(atTheEnd.timers.map(told), [
      [0, "10000", 10_000, 10_000],
      [0, "hold", GLOBAL_WINDOW_MAX, 7_000],
    ]);
  });

  it("that were put into another number of shards are refused, and so is the state of another step", async () => {
    const pairs = each(keysOf(20), 1);
    await test.run(pairs);
    test.describe(sum, 3, "three");
    const { error } = await test.run(pairs, { descriptor: "three", token: "another" });
    const refused =
      /Step: the state of a shard cannot be gone on with: its keys were put into 2 shards in format \d+, and now they are 3 shards/;
    assert.match(error, refused);
    test.describe(other, 2, "other");
    const { error: ofOther } = await test.run(pairs, { descriptor: "other", token: "a third" });
    assert.match(ofOther, /cannot be gone on with: what was kept holds \S+, which this step has not/);
  });
});
