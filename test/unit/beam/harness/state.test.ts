import assert from "node:assert/strict";
import type { WorkerTraffic } from "../../../../beam/harness/state_channel.js";
import { encodeToBytes } from "../../../../beam/model/coders/encode_to_bytes.js";
import type { KV } from "../../../../beam/model/kv.js";
import { DoFn, type ElementContext } from "../../../../beam/sdk/do_fn.js";
import { createPipeline, parDo } from "../../../../beam/sdk/graph.js";
import { registerDoFn } from "../../../../beam/sdk/registry.js";
import { bagState, multimapState, orderedListState, valueState } from "../../../../beam/sdk/state.js";
import { until } from "../../../fixtures/until.js";
import { createKeyed, ints, keyedInts, stateful, strings } from "../runners/small_graphs.js";
import { decodeElements, encodeElements, WorkerUnderTest } from "./worker_under_test.js";

type Keyed = KV<string, number>;

/** Two cells: a sum that is read and written, and all numbers, which are only added. */
const sum = stateful(
  "test:dofn:harness_sum:v1",
  { state: { sum: valueState(ints), all: bagState(ints) }, timers: {} },
  ({ key, value }: Keyed, { state, emit }) => {
    if (value < 0) {
      state.sum.clear();
      state.all.clear();
      return;
    }
    const total = (state.sum.read() ?? 0) + value;
    state.sum.write(total);
    state.all.add(value);
    emit.main(`${key}=${total}`);
  },
  {},
);

/** "k=5" → KV of the number under its key's first letter: what stands before a second stateful step. */
class Rekey extends DoFn<string, { main: typeof keyedInts }> {
  static readonly urn = "test:dofn:harness_rekey:v1";
  readonly outputs = { main: keyedInts };
  process(text: string, ctx: ElementContext<{ main: typeof keyedInts }>): void {
    const [key, value] = text.split("=") as [string, string];
    ctx.emit.main({ key: key[0]!, value: Number(value) });
  }
}
registerDoFn(Rekey);

describe("worker, state", () => {
  let test: WorkerUnderTest;
  let traffic: WorkerTraffic;

  beforeEach(async () => {
    traffic = { stateRequests: 0 };
    test = await WorkerUnderTest.start({ traffic });
    const { pipeline, root } = createPipeline();
    const summed = parDo("Sum", createKeyed(root, []), sum).main;
    parDo("Sum again", parDo("Rekey", summed, new Rekey(null)).main, sum);
    test.describe(pipeline, ["Sum"]);
    test.describe(pipeline, ["Sum", "Rekey", "Sum again"], "chain");
  });
  afterEach(() => test.close());

  const elements = (...pairs: readonly (readonly [string, number])[]): Buffer =>
    encodeElements(keyedInts, ...pairs.map(([key, value]) => [{ key, value }, 0] as const));

  async function run(
    pairs: readonly (readonly [string, number])[],
    descriptor = "d",
    token?: string,
  ): Promise<string[]> {
    const id = await test.runner.startBundle(descriptor, undefined, token);
    await test.runner.sendData(id, elements(...pairs));
    const { error } = await test.runner.answer(id);
    assert.equal(error, "");
    return decodeElements(strings, await test.runner.output(id)).map(([text]) => text);
  }

  const requests = (kind: string): number =>
    test.runner.stateRequests.filter(({ request }) => request.oneofKind === kind).length;

  const stored = (cell: string, key: string): number[] => {
    const bytes = test.runner.state.get(
      `do|${cell}||${encodeToBytes(strings, key, "nested").toString("latin1")}`,
    );
    return bytes === undefined ? [] : [...bytes];
  };

  it("is kept by the runner from bundle to bundle", async () => {
    assert.deepEqual(
      await run([
        ["a", 1],
        ["b", 2],
        ["a", 3],
      ]),
      ["a=1", "b=2", "a=4"],
    );
    assert.deepEqual(await run([["a", 10]]), ["a=14"]);
    assert.deepEqual(stored("sum", "a"), [14]);
    assert.deepEqual(stored("all", "a"), [1, 3, 10]);
  });

  it("is loaded for all keys of a batch in one round, each cell of each key once", async () => {
    test.runner.holdsState = true;
    const id = await test.runner.startBundle("d");
    const keys = Array.from({ length: 50 }, (_, i) => `k${i}`);
    const pairs = keys.flatMap((key) => [1, 2, 3, 4].map((value) => [key, value] as const));
    await test.runner.sendData(id, elements(...pairs));
    // Not one was answered yet: so none waited for another.
    await until("all requests", () => test.runner.stateRequests.length === 2 * keys.length, 5_000);
    test.runner.answerState();
    assert.equal((await test.runner.answer(id)).error, "");
    assert.equal(requests("get"), 2 * keys.length, "200 elements, 50 keys, 2 cells");
    assert.equal(requests("append"), 2 * keys.length);
    assert.equal(requests("clear"), 0, "there was nothing to clear");
    assert.equal(traffic.stateRequests, 4 * keys.length);
  });

  it("is told apart by request, however many are under way", async () => {
    const keys = Array.from({ length: 3_000 }, (_, i) => `key ${i}`);
    const before = keys.map((key, i) => [key, 100 + i] as const);
    await run(before);
    const sums = await run(keys.map((key) => [key, 1] as const));
    assert.deepEqual(
      sums,
      before.map(([key, value]) => `${key}=${value + 1}`),
    );
  });

  it("is loaded in one round for keys that come one after the other, each with many elements", async () => {
    test.runner.holdsState = true;
    const id = await test.runner.startBundle("d");
    const keys = Array.from({ length: 40 }, (_, i) => `k${i}`);
    const ones = Array.from({ length: 125 }, () => 1);
    await test.runner.sendData(
      id,
      elements(...keys.flatMap((key) => ones.map((one) => [key, one] as const))),
    );
    await until("all requests", () => test.runner.stateRequests.length === 2 * keys.length, 5_000);
    test.runner.holdsState = false;
    test.runner.answerState();
    assert.equal((await test.runner.answer(id)).error, "");
    assert.equal(requests("get"), 2 * keys.length);
    const texts = decodeElements(strings, await test.runner.output(id)).map(([text]) => text);
    assert.deepEqual(
      texts.filter((text) => text.endsWith("=125")),
      keys.map((key) => `${key}=125`),
    );
  });

  it("is written before the bundle is answered", async () => {
    await run([["a", 1]]);
    test.runner.holdsState = true;
    const id = await test.runner.startBundle("d");
    await test.runner.sendData(id, elements(["a", 2]));
    await until("the reads", () => requests("get") === 4, 5_000);
    test.runner.answerState();
    test.runner.holdsState = true;
    await until("the writes", () => requests("append") === 4, 5_000);
    assert.ok(!test.runner.responses.has(id));
    test.runner.answerState();
    await test.runner.answer(id);
    assert.equal(requests("clear"), 1, "a value is replaced, a bag is added to");
  });

  it("works in steps behind one another within a bundle", async () => {
    assert.deepEqual(
      await run(
        [
          ["ab", 1],
          ["ac", 2],
          ["bd", 3],
        ],
        "chain",
      ),
      ["a=1", "a=3", "b=3"],
    );
    assert.deepEqual(await run([["ab", 5]], "chain"), ["a=9"]);
  });

  it("is read page by page, to the token that is empty", async () => {
    await run([
      ["a", 1],
      ["a", 2],
      ["a", 3],
    ]);
    test.runner.pageBytes = 1;
    assert.deepEqual(await run([["a", 1]]), ["a=7"]);
    assert.deepEqual(stored("all", "a"), [1, 2, 3, 1]);
  });

  it("is not asked for again under the same token, and is under another", async () => {
    await run([["a", 1]], "d", "t1");
    const before = requests("get");
    assert.deepEqual(await run([["a", 2]], "d", "t1"), ["a=3"]);
    assert.equal(requests("get"), before);
    assert.deepEqual(stored("sum", "a"), [3], "what is cached is written all the same");
    assert.deepEqual(await run([["a", 4]], "d", "t2"), ["a=7"]);
    assert.equal(requests("get"), before + 2);
  });

  it("that is cleared is cleared at the runner, and is empty in the cache", async () => {
    await run([["a", 1]], "d", "t");
    await run([["a", -1]], "d", "t");
    assert.deepEqual(stored("sum", "a"), []);
    assert.deepEqual(stored("all", "a"), []);
    assert.deepEqual(await run([["a", 2]], "d", "t"), ["a=2"]);
  });

  it("of a bundle that failed is forgotten", async () => {
    await run([["a", 1]], "d", "t");
    const id = await test.runner.startBundle("d", undefined, "t");
    await test.runner.sendData(id, Buffer.concat([elements(["a", 5]), Buffer.from([1])]));
    assert.notEqual((await test.runner.answer(id)).error, "");
    assert.deepEqual(await run([["a", 2]], "d", "t"), ["a=3"]);
  });

  it("that the runner does not serve fails the bundle, not the worker", async () => {
    const descriptor = test.runner.descriptors.get("d")!;
    test.runner.descriptors.set("none", {
      ...descriptor,
      id: "none",
      stateApiServiceDescriptor: undefined as never,
    });
    const id = await test.runner.startBundle("none");
    await test.runner.sendData(id, elements(["a", 1]));
    assert.match((await test.runner.answer(id)).error, /serves no state/);
    assert.deepEqual(await run([["a", 1]]), ["a=1"]);
  });

  describe("of kinds of its own", () => {
    const tell = (key: string, { state, emit }: Parameters<typeof kinds.process>[1]): void => {
      const entries = state.map.keys().map((each) => `${each}:${state.map.get(each)}`);
      const list = state.list.read().map(({ sortKey, value }) => `${sortKey}${value}`);
      emit.main(`${key} {${entries.sort().join(" ")}} [${list}]`);
    };
    const kinds = stateful(
      "test:dofn:harness_kinds:v1",
      {
        state: { map: multimapState(strings, ints), list: orderedListState(strings), sum: valueState(ints) },
        timers: {},
      },
      ({ key, value }: Keyed, ctx) => {
        const { state } = ctx;
        if (value === 0) {
          state.map.clear();
          state.list.clear();
        } else if (value < 0) {
          state.map.delete(String(-value % 10));
          state.list.clearRange(Number.NEGATIVE_INFINITY, -value + 1);
        } else {
          state.map.put(String(value % 10), value);
          state.list.add(-value, `v${value}`);
          state.list.add(value, "");
        }
        tell(key, ctx);
      },
      {},
    );

    beforeEach(() => {
      const { pipeline, root } = createPipeline();
      parDo("Kinds", createKeyed(root, []), kinds);
      test.describe(pipeline, ["Kinds"], "kinds");
    });

    const multimap = (key: string, mapKey: string): number[] => [
      ...(test.runner.state.get(`do|map||${encoded(key)}|${encoded(mapKey)}`) ?? []),
    ];
    const encoded = (text: string): string => encodeToBytes(strings, text, "nested").toString("latin1");
    const kindsOf = (kind: string): number =>
      test.runner.stateRequests.filter(({ stateKey }) => stateKey!.type.oneofKind === kind).length;

    for (const token of [undefined, "t"]) {
      it(`is kept from bundle to bundle, ${token === undefined ? "without" : "with"} a cache`, async () => {
        const steps: [number, string][] = [
          [21, "a {1:21} [-21v21,21]"],
          [5, "a {1:21 5:5} [-21v21,-5v5,5,21]"],
          [11, "a {1:21,11 5:5} [-21v21,-11v11,-5v5,5,11,21]"],
          [-5, "a {1:21,11} [11,21]"],
          [-1, "a {} [11,21]"],
          [31, "a {1:31} [-31v31,11,21,31]"],
          [0, "a {} []"],
          [7, "a {7:7} [-7v7,7]"],
        ];
        for (const [value, told] of steps)
          assert.deepEqual(await run([["a", value]], "kinds", token), [told]);
        assert.deepEqual(multimap("a", "7"), [7]);
        assert.deepEqual(multimap("a", "1"), []);
      });
    }

    it("is seen at once within a bundle", async () => {
      assert.deepEqual(
        await run(
          [
            ["a", 1],
            ["a", 2],
            ["b", 3],
            ["a", -1],
            ["a", 0],
            ["a", 4],
          ],
          "kinds",
        ),
        [
          "a {1:1} [-1v1,1]",
          "a {1:1 2:2} [-2v2,-1v1,1,2]",
          "b {3:3} [-3v3,3]",
          "a {2:2} [2]",
          "a {} []",
          "a {4:4} [-4v4,4]",
        ],
      );
      assert.deepEqual(multimap("a", "4"), [4]);
      assert.deepEqual(multimap("a", "2"), []);
      assert.equal(requests("clear"), 0, "the runner never had what was cleared");
    });

    it("is loaded for all keys of a batch in two rounds at most, and written in one", async () => {
      const pairs = ["a", "b", "c"].flatMap((key) => [1, 2, 3].map((value) => [key, value] as const));
      await run(pairs, "kinds");
      const before = test.runner.stateRequests.length;
      test.runner.holdsState = true;
      const id = await test.runner.startBundle("kinds");
      await test.runner.sendData(id, elements(["a", 4], ["b", 4], ["c", 4]));
      const rounds = [9, 9, 6];
      let sent = before;
      for (const [round, count] of rounds.entries()) {
        sent += count;
        await until(`round ${round}`, () => test.runner.stateRequests.length === sent, 5_000);
        test.runner.answerState();
        test.runner.holdsState = true;
      }
      test.runner.answerState();
      assert.equal((await test.runner.answer(id)).error, "");
      assert.equal(
        test.runner.stateRequests.length,
        sent,
        "3 cells, 3 map keys, then a map key and a list, of each key",
      );
      assert.equal(kindsOf("multimapKeysUserState"), 6, "once for each key in each of two bundles");
    });

    it("is read page by page", async () => {
      await run(
        [1, 2, 3, 11].map((value) => ["a", value] as const),
        "kinds",
      );
      test.runner.pageBytes = 1;
      assert.deepEqual(await run([["a", -3]], "kinds"), ["a {1:1,11 2:2} [11]"]);
    });
  });
});
