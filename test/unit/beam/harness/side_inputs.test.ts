import assert from "node:assert/strict";
import { encodeToBytes } from "../../../../beam/model/coders/encode_to_bytes.js";
import { create } from "../../../../beam/sdk/create.js";
import { type SideInputContext, SideInputDoFn } from "../../../../beam/sdk/do_fn.js";
import { createPipeline, parDo } from "../../../../beam/sdk/graph.js";
import { registerDoFn } from "../../../../beam/sdk/registry.js";
import { listView } from "../../../../beam/sdk/side_input.js";
import { ints, type Main, strings } from "../runners/small_graphs.js";
import { decodeElements, encodeElements, WorkerUnderTest } from "./worker_under_test.js";

const views = { some: listView(ints), others: listView(ints) };

class Add extends SideInputDoFn<number, Main, typeof views> {
  static readonly urn = "test:dofn:harness_add_sides:v1";
  readonly outputs = { main: strings };
  readonly sideInputs = views;
  process(value: number, { side, emit }: SideInputContext<Main, typeof views>): void {
    const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
    emit.main(String(value + sum(side.some) - sum(side.others)));
  }
}
registerDoFn(Add);

describe("worker, side inputs", () => {
  it("are loaded once for each bundle and window, all of them in one round, page by page", async () => {
    const test = await WorkerUnderTest.start();
    const { pipeline, root } = createPipeline();
    const numbers = (name: string) => create(name, root, [1], ints);
    const sides = { some: numbers("Some"), others: numbers("Others") };
    parDo("Add", numbers("Numbers"), new Add(null), sides);
    test.describe(pipeline, ["Add"]);
    const { runner } = test;
    const bytes = (...values: number[]): Buffer =>
      Buffer.concat(values.map((value) => encodeToBytes(ints, value, "nested")));
    runner.state.set("do|some|", bytes(10, 20, 30));
    runner.state.set("do|others|", bytes(1));
    runner.pageBytes = 1;
    const run = async (...values: number[]): Promise<string[]> => {
      const id = await runner.startBundle("d");
      await runner.sendData(id, encodeElements(ints, ...values.map((value) => [value, 0] as const)));
      assert.equal((await runner.answer(id)).error, "");
      return decodeElements(strings, await runner.output(id)).map(([text]) => text);
    };
    assert.deepEqual(await run(1, 2, 3), ["60", "61", "62"]);
    const first = runner.stateRequests.filter(
      ({ request }) => request.oneofKind === "get" && request.get.continuationToken.length === 0,
    );
    assert.equal(first.length, 2);
    runner.state.set("do|others|", bytes(2));
    assert.deepEqual(await run(1), ["59"], "another bundle sees what has come since");
    await test.close();
  });
});
