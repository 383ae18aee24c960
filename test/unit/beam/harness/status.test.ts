import assert from "node:assert/strict";
import { createPipeline, parDo } from "../../../../beam/sdk/graph.js";
import { valueState } from "../../../../beam/sdk/state.js";
import { createKeyed, ints, keyedInts, stateful } from "../runners/small_graphs.js";
import { encodeElements, WorkerUnderTest } from "./worker_under_test.js";

const remember = stateful(
  "test:dofn:harness_remember:v1",
  { state: { last: valueState(ints) }, timers: {} },
  ({ value }: { key: string; value: number }, { state }) => state.last.write(value),
  {},
);

describe("worker, status", () => {
  let test: WorkerUnderTest;

  beforeEach(async () => {
    test = await WorkerUnderTest.start();
    const { pipeline, root } = createPipeline();
    parDo("Remember", createKeyed(root, []), remember);
    test.describe(pipeline, ["Remember"]);
  });
  afterEach(() => test.close());

  const elements = (...keys: string[]): Buffer =>
    encodeElements(keyedInts, ...keys.map((key) => [{ key, value: 1 }, 0] as const));

  it("tells bundles under way, the state cache and memory, to each request with its id", async () => {
    const { error, statusInfo } = await test.runner.askStatus("s1");
    assert.equal(error, "");
    assert.match(statusInfo, /^worker worker\[1\]$/m);
    assert.match(statusInfo, /^bundles: none$/m);
    assert.match(statusInfo, /^state cache: 0 keys, 0 bytes$/m);
    assert.match(statusInfo, /^memory: \d+ bytes, \d+ of them heap$/m);

    const done = await test.runner.startBundle("d", undefined, "token");
    await test.runner.sendData(done, elements("a", "b", "c"));
    await test.runner.answer(done);
    const open = await test.runner.startBundle("d");
    await test.runner.sendData(open, elements("x"), false);
    const later = (await test.runner.askStatus("s2")).statusInfo;
    assert.match(later, new RegExp(`^bundles: ${open}$`, "m"));
    assert.match(later, /^state cache: 3 keys, [1-9]\d* bytes$/m);
    assert.equal(test.runner.statuses.length, 2);
    await test.runner.sendData(open, elements());
    await test.runner.answer(open);
  });

  it("answers with an error when it cannot tell, and goes on", async () => {
    const { status } = test.worker;
    test.worker.status = () => {
      test.worker.status = status;
      throw new Error("cannot tell");
    };
    const failed = await test.runner.askStatus("s1");
    assert.match(failed.error, /cannot tell/);
    assert.equal(failed.statusInfo, "");
    assert.match((await test.runner.askStatus("s2")).statusInfo, /^worker/);
  });
});
