import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "../../../../beam/sdk/create.js";
import { createPipeline, parDo } from "../../../../beam/sdk/graph.js";
import { until } from "../../../fixtures/until.js";
import { doFn, ints, strings } from "../runners/small_graphs.js";
import { decodeElements, encodeElements, WorkerUnderTest } from "./worker_under_test.js";

const TEXT_BYTES = 64 << 10;
const ELEMENTS = 1_000;
/** gRPC's streams take sixteen messages of 1 MiB at either end; then what is between them, and one piece of the worker's. */
const WAITING_BYTES_MAX = 40 << 20;
const DEADLINE_MS = 20_000;

let processed = 0;

const inflate = doFn<number>("test:dofn:harness_inflate:v1", (_element, { emit }) => {
  processed++;
  emit.main("x".repeat(TEXT_BYTES));
});

describe("worker, a runner that does not read the data stream", () => {
  let test: WorkerUnderTest;

  beforeEach(async () => {
    processed = 0;
    test = await WorkerUnderTest.start();
    const { pipeline, root } = createPipeline();
    parDo("Inflate", create("Numbers", root, [1], ints), inflate);
    test.describe(pipeline, ["Inflate"]);
  });
  afterEach(() => test.close());

  const elements = (count: number): Buffer =>
    encodeElements(ints, ...Array.from({ length: count }, (_, i) => [i, 0] as const));

  /** The number of elements at which a bundle has come to a halt. */
  async function halt(): Promise<number> {
    let before = -1;
    await until(
      "the halt",
      async () => {
        if (processed > 0 && processed === before) return true;
        before = processed;
        await sleep(100);
        return false;
      },
      DEADLINE_MS,
    );
    return processed;
  }

  it("holds its bundle up within bounds, while the control stream is answered; then all comes", async function () {
    this.timeout(2 * DEADLINE_MS);
    const id = await test.runner.startBundle("d");
    await test.runner.stopReadingData();
    await test.runner.sendData(id, elements(ELEMENTS));
    const halted = await halt();
    assert.ok(halted * TEXT_BYTES < WAITING_BYTES_MAX, `${halted} elements of ${TEXT_BYTES} bytes wait`);
    assert.ok(!test.runner.responses.has(id));
    const { error } = await test.runner.ask({
      oneofKind: "processBundleProgress",
      processBundleProgress: { instructionId: id },
    });
    assert.equal(error, "");
    test.runner.readData();
    await until("the answer", () => test.runner.responses.has(id), DEADLINE_MS);
    const output = decodeElements(strings, await test.runner.output(id));
    assert.equal(output.length, ELEMENTS);
    assert.ok(output.every(([text]) => text.length === TEXT_BYTES));
  });

  it("and then goes away: the bundle and the worker end", async function () {
    this.timeout(2 * DEADLINE_MS);
    const id = await test.runner.startBundle("d");
    await test.runner.stopReadingData();
    await test.runner.sendData(id, elements(ELEMENTS));
    await halt();
    test.runner.kill();
    await Promise.race([
      assert.rejects(test.worker.finished, /the control stream/),
      sleep(DEADLINE_MS, undefined, { ref: false }).then(() => assert.fail("the worker goes on")),
    ]);
  });
});
