import assert from "node:assert/strict";
import { Finalizers } from "../../../../beam/harness/finalizers.js";
import { create } from "../../../../beam/sdk/create.js";
import { DoFn, type ElementContext } from "../../../../beam/sdk/do_fn.js";
import { createPipeline, parDo } from "../../../../beam/sdk/graph.js";
import { registerDoFn } from "../../../../beam/sdk/registry.js";
import { ints, type Main, strings } from "../runners/small_graphs.js";
import { encodeElements, WorkerUnderTest } from "./worker_under_test.js";

const finalized: number[] = [];

class Finalizing extends DoFn<number, Main> {
  static readonly urn = "test:dofn:harness_finalizing:v1";
  readonly outputs = { main: strings };
  override readonly requestsFinalization = true;
  process(element: number, ctx: ElementContext<Main>): void {
    if (element === 0) return;
    ctx.onFinalize(() => {
      if (element < 0) throw new Error("not so");
      finalized.push(element);
    });
  }
}
registerDoFn(Finalizing);

describe("worker, finalization", () => {
  it("is asked for where there are callbacks; each is called once, when the runner says so", async () => {
    const test = await WorkerUnderTest.start();
    const { pipeline, root } = createPipeline();
    parDo("Finalize", create("Numbers", root, [1], ints), new Finalizing(null));
    test.describe(pipeline, ["Finalize"]);
    const run = async (...values: number[]): Promise<[string, boolean]> => {
      const id = await test.runner.startBundle("d");
      await test.runner.sendData(id, encodeElements(ints, ...values.map((value) => [value, 0] as const)));
      const { response } = await test.runner.answer(id);
      assert.ok(response.oneofKind === "processBundle");
      return [id, response.processBundle.requiresFinalization];
    };
    const finalize = async (instructionId: string): Promise<string> =>
      (await test.runner.ask({ oneofKind: "finalizeBundle", finalizeBundle: { instructionId } })).error;

    const [first, isAsked] = await run(1, 2);
    assert.equal(isAsked, true);
    const [second] = await run(3);
    assert.equal((await run(0))[1], false);
    assert.deepEqual(finalized, []);
    assert.equal(await finalize(second), "");
    assert.equal(await finalize(first), "");
    assert.equal(await finalize(first), "");
    assert.deepEqual(finalized, [3, 1, 2]);
    const [third] = await run(-1, 4);
    assert.match(await finalize(third), /not so/);
    assert.deepEqual(finalized, [3, 1, 2, 4], "one that fails does not keep others back");
    await test.close();
  });

  it("does not keep callbacks for ever", async () => {
    const finalizers = new Finalizers();
    let calls = 0;
    const count = (): void => {
      calls++;
    };
    finalizers.keep("old", [count], 0);
    finalizers.keep("new", [count], 2 * 60 * 60_000);
    await finalizers.run("old");
    assert.equal(calls, 0);
    await finalizers.run("new");
    assert.equal(calls, 1);
  });
});
