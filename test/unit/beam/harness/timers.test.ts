import assert from "node:assert/strict";
import { runnerApi } from "../../../../beam/model/apache_beam.js";
import type { KV } from "../../../../beam/model/kv.js";
import { createPipeline, parDo } from "../../../../beam/sdk/graph.js";
import { valueState } from "../../../../beam/sdk/state.js";
import { eventTimeTimer, processingTimeTimer } from "../../../../beam/sdk/timer.js";
import { createKeyed, ints, keyedInts, stateful, strings } from "../runners/small_graphs.js";
import {
  decodeElements,
  decodeTimers,
  encodeElements,
  encodeTimers,
  WorkerUnderTest,
} from "./worker_under_test.js";

/**
 * Value 1: sets `later` to 100 and 50, and `byClock` to 7. Value 2: clears `later`. Value 3: sets it to 20.
 * `tagged` sets `later` to its own time + 5 while it is below 20; `later` tells that it fired.
 */
const timed = stateful(
  "test:dofn:harness_timed:v1",
  {
    state: { last: valueState(ints) },
    timers: { later: eventTimeTimer(), tagged: eventTimeTimer(), byClock: processingTimeTimer() },
  },
  ({ value }: KV<string, number>, { state, timers }) => {
    state.last.write(value);
    if (value === 1) {
      timers.later.set(100);
      timers.later.set(50);
      timers.later.set(60, "x", 55);
      timers.byClock.set(7);
    }
    if (value === 2) timers.later.clear();
    if (value === 3) timers.later.set(20);
  },
  {
    later: ({ key, fireTimestamp, timestamp, tag, state, emit }) =>
      emit.main(`later ${key}${tag} ${fireTimestamp} ${timestamp} ${state.last.read() ?? "-"}`),
    tagged: ({ key, tag, fireTimestamp, timers, emit }) => {
      emit.main(`tagged ${key} ${tag} ${fireTimestamp}`);
      if (fireTimestamp < 20) timers.later.set(fireTimestamp + 5);
    },
    byClock: ({ key, timestamp, emit }) => emit.main(`byClock ${key} ${timestamp}`),
  },
);

const FAMILIES = ["later", "tagged", "byClock"] as const;
type Fired = Partial<Record<(typeof FAMILIES)[number], Buffer>>;

describe("worker, timers", () => {
  let test: WorkerUnderTest;

  beforeEach(async () => {
    test = await WorkerUnderTest.start();
    const { pipeline, root } = createPipeline();
    parDo("Timed", createKeyed(root, []), timed);
    test.describe(pipeline, ["Timed"]);
  });
  afterEach(() => test.close());

  async function run(values: readonly number[], fired: Fired = {}): Promise<string> {
    const id = await test.runner.startBundle("d");
    const elements = values.map((value) => [{ key: "a", value }, 3] as const);
    await test.runner.sendData(id, encodeElements(keyedInts, ...elements));
    for (const family of FAMILIES) {
      await test.runner.sendTimers(id, family, fired[family] ?? Buffer.alloc(0));
    }
    assert.equal((await test.runner.answer(id)).error, "");
    return id;
  }

  const output = async (id: string): Promise<string[]> =>
    decodeElements(strings, await test.runner.output(id)).map(([text]) => text);
  const set = async (id: string, family: string): Promise<unknown[][]> =>
    decodeTimers(await test.runner.timerOutput(id, family));

  it("are sent once each, the last that was set, with their holds; a terminator for each family", async () => {
    const id = await run([1]);
    assert.deepEqual(await set(id, "later"), [
      ["a", "", 50, 50],
      ["a", "x", 60, 55],
    ]);
    assert.deepEqual(await set(id, "tagged"), []);
    assert.deepEqual(await set(id, "byClock"), [["a", "", 7, 3]], "held at the element's event time");
    const terminators = test.runner.sent(id).timers.filter(({ isLast }) => isLast);
    assert.deepEqual(terminators.map(({ timerFamilyId }) => timerFamilyId).sort(), [...FAMILIES].sort());
    assert.ok(terminators.every(({ timers }) => timers.length === 0));
  });

  it("that are cleared are cleared at the runner, also those of earlier bundles", async () => {
    assert.deepEqual(await set(await run([2]), "later"), [["a", "", "clear"]]);
    assert.deepEqual((await set(await run([1, 2]), "later"))[0], ["a", "", "clear"]);
  });

  it("fire with their key, tag, times and state", async () => {
    await run([9]);
    const id = await run([], { later: encodeTimers(["a", 50], ["a", 60, "x"]) });
    assert.deepEqual(await output(id), ["later a 50 50 9", "later ax 60 60 9"]);
  });

  it("of several families fire in the order of their times", async () => {
    const id = await run([], {
      later: encodeTimers(["a", 40], ["b", 10]),
      tagged: encodeTimers(["a", 30, "t"]),
    });
    assert.deepEqual(await output(id), ["later b 10 10 -", "tagged a t 30", "later a 40 40 -"]);
  });

  it("that the bundle has moved or cleared since do not fire", async () => {
    assert.deepEqual(await output(await run([2], { later: encodeTimers(["a", 50]) })), []);
    const moved = await run([1], { later: encodeTimers(["a", 40]) });
    assert.deepEqual(await output(moved), []);
    assert.deepEqual((await set(moved, "later"))[0], ["a", "", 50, 50]);
  });

  it("that the bundle sets to before one that has fired come first, and are cleared at the runner", async () => {
    const id = await run([], { tagged: encodeTimers(["a", 10, "t"], ["a", 30, "u"]) });
    assert.deepEqual(await output(id), ["tagged a t 10", "later a 15 15 -", "tagged a u 30"]);
    assert.deepEqual(await set(id, "later"), [["a", "", "clear"]]);
  });

  it("by the clock fire at their event time", async () => {
    assert.deepEqual(await output(await run([], { byClock: encodeTimers(["a", 7]) })), ["byClock a 7"]);
  });

  it("of a family that only another version declares fail the bundle, and nothing of the key is dropped", async () => {
    const { spec } = Object.values(test.runner.descriptors.get("d")!.transforms).find(
      ({ uniqueName }) => uniqueName === "Timed",
    )!;
    const payload = runnerApi.ParDoPayload.fromBinary(spec!.payload);
    payload.timerFamilySpecs.former = payload.timerFamilySpecs.later!;
    spec!.payload = runnerApi.ParDoPayload.toBinary(payload);
    const id = await test.runner.startBundle("d");
    await test.runner.sendData(id, Buffer.alloc(0));
    for (const family of FAMILIES) await test.runner.sendTimers(id, family, Buffer.alloc(0));
    await test.runner.sendTimers(id, "former", encodeTimers(["a", 50]));
    assert.match((await test.runner.answer(id)).error, /Timed declares no timer former, which has fired/);
  });

  it("that are no timers fail the bundle with the family's name", async () => {
    const id = await test.runner.startBundle("d");
    await test.runner.sendData(id, Buffer.alloc(0));
    await test.runner.sendTimers(id, "later", Buffer.from([5, 1]));
    for (const family of ["tagged", "byClock"]) await test.runner.sendTimers(id, family, Buffer.alloc(0));
    assert.match(
      (await test.runner.answer(id)).error,
      /Timed: timers later: a timer cannot be decoded at byte 0/,
    );
  });
});
