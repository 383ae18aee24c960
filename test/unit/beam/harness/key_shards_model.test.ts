/** Keys in shards beside a model of what their DoFn does, over bundles that fail, tokens that change, and restarts. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { KV } from "../../../../beam/model/kv.js";
import type { TimestampMs } from "../../../../beam/model/timestamps.js";
import { bagState } from "../../../../beam/sdk/state.js";
import { eventTimeTimer } from "../../../../beam/sdk/timer.js";
import { ints, stateful } from "../runners/small_graphs.js";
import { ELEMENT_TIME, ShardsUnderTest, type ShardTimer } from "./shards_under_test.js";

/** What an element asks for: its last digit; what is in front of that is the argument. */
const Op = {
  add: 0,
  clear: 1,
  setA: 2,
  clearA: 3,
  setB: 4,
  setTagged: 5,
  clearTagged: 6,
  setHolding: 7,
} as const;
const OPS = Object.values(Op);

const tagOf = (arg: number): string => `tag${arg % 3}`;
const holdOf = (at: TimestampMs): TimestampMs => Math.max(ELEMENT_TIME, at - 2_500);

/** One cell, with timers of two families beside it, and tagged ones. It tells all that it sees. */
const told = stateful(
  "test:dofn:key_shards_model:v1",
  { state: { all: bagState(ints) }, timers: { a: eventTimeTimer(), b: eventTimeTimer() } },
  ({ key, value }: KV<string, number>, { state, timers, emit }) => {
    const [op, arg] = [value % 10, Math.floor(value / 10)];
    if (op === Op.add) state.all.add(arg);
    else if (op === Op.clear) state.all.clear();
    else if (op === Op.setA) timers.a.set(arg);
    else if (op === Op.clearA) timers.a.clear();
    else if (op === Op.setB) timers.b.set(arg);
    else if (op === Op.setTagged) timers.b.set(arg, tagOf(arg));
    else if (op === Op.clearTagged) timers.b.clear(tagOf(arg));
    else timers.a.set(arg, "", holdOf(arg));
    emit.main(`${key}:${op} ${[...state.all.read()]}`);
  },
  {
    a: ({ key, state, emit, fireTimestamp, timers }) => {
      emit.main(`${key}:a ${[...state.all.read()]} at ${fireTimestamp}`);
      if (fireTimestamp % 3 === 0) timers.b.set(fireTimestamp + 700);
      state.all.clear();
    },
    b: ({ key, tag, state, emit, fireTimestamp }) => {
      emit.main(`${key}:b${tag} ${[...state.all.read()]} at ${fireTimestamp}`);
      if (fireTimestamp % 2 === 0) state.all.add(fireTimestamp);
    },
  },
);

interface ModelTimer {
  readonly key: string;
  readonly family: string;
  readonly tag: string;
  readonly at: TimestampMs;
  readonly output: TimestampMs;
}

class Model {
  readonly #state = new Map<string, number[]>();
  readonly timers = new Map<string, ModelTimer>();
  readonly texts: string[] = [];

  element(key: string, value: number): void {
    const [op, arg] = [value % 10, Math.floor(value / 10)];
    if (op === Op.add) this.#state.set(key, [...this.#all(key), arg]);
    else if (op === Op.clear) this.#state.delete(key);
    else if (op === Op.setA) this.#set(key, "a", "", arg);
    else if (op === Op.clearA) this.timers.delete(`${key}/a/`);
    else if (op === Op.setB) this.#set(key, "b", "", arg);
    else if (op === Op.setTagged) this.#set(key, "b", tagOf(arg), arg);
    else if (op === Op.clearTagged) this.timers.delete(`${key}/b/${tagOf(arg)}`);
    else this.#set(key, "a", "", arg, holdOf(arg));
    this.texts.push(`${key}:${op} ${this.#all(key)}`);
  }

  /** Fires all of a key's that are due. */
  fire(key: string, limit: TimestampMs): void {
    for (;;) {
      const due = [...this.timers.values()].filter((timer) => timer.key === key && timer.at <= limit);
      const [first] = due.sort((one, two) => one.at - two.at);
      if (first === undefined) return;
      const { family, tag, at } = first;
      this.timers.delete(`${key}/${family}/${tag}`);
      this.texts.push(`${key}:${family}${tag} ${this.#all(key)} at ${at}`);
      if (family === "b") {
        if (at % 2 === 0) this.#state.set(key, [...this.#all(key), at]);
        continue;
      }
      if (at % 3 === 0) this.#set(key, "b", "", at + 700);
      this.#state.delete(key);
    }
  }

  #all(key: string): readonly number[] {
    return this.#state.get(key) ?? [];
  }

  #set(key: string, family: string, tag: string, at: TimestampMs, output = at): void {
    this.timers.set(`${key}/${family}/${tag}`, { key, family, tag, at, output });
  }
}

const ofKey = (texts: readonly string[], key: string): string[] =>
  texts.filter((text) => text.startsWith(`${key}:`));

const KEYS = Array.from({ length: 8 }, (_, i) => `key${i}${"x".repeat(i % 5)}`);

interface Step {
  readonly elements: readonly { readonly key: string; readonly op: number; readonly arg: number }[];
  readonly passesMs: number;
  readonly token: "same" | "another" | "none";
  readonly isBroken: boolean;
}
const step: fc.Arbitrary<Step> = fc.record({
  elements: fc.array(
    fc.record({ key: fc.constantFrom(...KEYS), op: fc.constantFrom(...OPS), arg: fc.nat(6_000) }),
    { maxLength: 20 },
  ),
  passesMs: fc.nat(1_500),
  token: fc.constantFrom(
    "same" as const,
    "same" as const,
    "same" as const,
    "another" as const,
    "none" as const,
  ),
  isBroken: fc.boolean().chain((maybe) => (maybe ? fc.boolean() : fc.constant(false))),
});

describe("worker, keys in shards, beside a model", () => {
  it("give what their DoFn gives, in the order of each key, with a wake and a hold for each timer", async function () {
    this.timeout(120_000);
    let bundles = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 3 }),
        fc.array(step, { minLength: 10, maxLength: 30, size: "max" }),
        async (shards, steps) => {
          const test = await ShardsUnderTest.start();
          try {
            test.describe(told, shards);
            await play(test, shards, steps);
            bundles += steps.length;
          } finally {
            await test.close();
          }
        },
      ),
      { numRuns: 8 },
    );
    assert.ok(bundles > 0);
  });
});

async function play(test: ShardsUnderTest, shards: number, steps: readonly Step[]): Promise<void> {
  const shardOf = new Map<string, number>();
  for (const [shard, keys] of await test.keysByShard(KEYS)) for (const key of keys) shardOf.set(key, shard);
  const model = new Model();
  /** The timers that the runner has. */
  const runner = new Map<string, ShardTimer>();
  let watermark = 1_000;
  let tokens = 0;
  for (const { elements, passesMs, token, isBroken } of steps) {
    if (token !== "same") tokens++;
    watermark += passesMs;
    const pairs = elements.map(
      ({ key, op, arg }) => [key, (op === Op.add ? arg : watermark - 1_000 + arg) * 10 + op] as const,
    );
    const due = [...runner.values()].filter(({ at, tag }) => at! <= watermark && tag !== "hold");
    due.sort((one, two) => one.at! - two.at!);
    const answer = await test.run(pairs, {
      token: token === "none" ? undefined : `t${tokens}`,
      fired: due.map(({ shard, tag, at }) => [shard, tag, at!] as const),
      isBroken,
    });
    if (isBroken) {
      assert.notEqual(answer.error, "");
      continue;
    }
    assert.equal(answer.error, "");
    for (const [key, value] of pairs) model.element(key, value);
    for (const { shard, at, tag } of due) {
      runner.delete(`${shard}/${tag}`);
      for (const key of KEYS) if (shardOf.get(key) === shard) model.fire(key, at!);
    }
    for (const timer of answer.timers) {
      const name = `${timer.shard}/${timer.tag}`;
      if (timer.at === undefined) runner.delete(name);
      else runner.set(name, timer);
    }
    const expected = model.texts.splice(0);
    for (const key of KEYS) assert.deepEqual(ofKey(answer.texts, key), ofKey(expected, key));
    for (const { key, at } of model.timers.values()) {
      const wake = runner.get(`${shardOf.get(key)}/${Math.ceil(at / 1_000) * 1_000}`);
      assert.ok(wake !== undefined && wake.hold! <= at, `no wake of ${key} at ${at}`);
    }
    for (let shard = 0; shard < shards; shard++) {
      const outputs = [...model.timers.values()]
        .filter(({ key, at, output }) => shardOf.get(key) === shard && output !== at)
        .map(({ output }) => output);
      const expectedHold = outputs.length === 0 ? undefined : Math.min(...outputs);
      assert.equal(runner.get(`${shard}/hold`)?.hold, expectedHold);
    }
  }
}
