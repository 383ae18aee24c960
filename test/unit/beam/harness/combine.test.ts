import assert from "node:assert/strict";
import { runnerApi } from "../../../../beam/model/apache_beam.js";
import { DoubleCoder } from "../../../../beam/model/coders/double_coder.js";
import { IterableCoder } from "../../../../beam/model/coders/iterable_coder.js";
import { KVCoder } from "../../../../beam/model/coders/kv_coder.js";
import { urns } from "../../../../beam/model/urns.js";
import { liftCombines } from "../../../../beam/runners/direct/lift_combines.js";
import type { Pipeline } from "../../../../beam/sdk/collection.js";
import { protoOf } from "../../../../beam/sdk/collection.js";
import { combinePerKey } from "../../../../beam/sdk/combine.js";
import { createPipeline } from "../../../../beam/sdk/graph.js";
import { createKeyed, ints, keyedInts, mean, strings } from "../runners/small_graphs.js";
import { decodeElements, encodeElements, WorkerUnderTest } from "./worker_under_test.js";

const accumulators = new KVCoder(strings, mean.accumulatorCoder);
const groups = new KVCoder(strings, new IterableCoder(mean.accumulatorCoder));
const means = new KVCoder(strings, DoubleCoder.INSTANCE);

/** A graph whose combine is cut into its steps, as runners do. */
function lifted(change: (components: runnerApi.Components) => void = () => undefined): Pipeline {
  const { pipeline, root } = createPipeline();
  combinePerKey("Mean", createKeyed(root, []), mean);
  const proto = runnerApi.Pipeline.clone(protoOf(pipeline));
  liftCombines(proto.components!);
  change(proto.components!);
  return { getProto: () => proto } as unknown as Pipeline;
}

describe("worker, combine", () => {
  let test: WorkerUnderTest;

  beforeEach(async () => {
    test = await WorkerUnderTest.start();
  });
  afterEach(() => test.close());

  async function run(elements: Buffer): Promise<Buffer> {
    const id = await test.runner.startBundle("d");
    await test.runner.sendData(id, elements);
    assert.equal((await test.runner.answer(id)).error, "");
    return test.runner.output(id);
  }

  const numbers = (): Buffer =>
    encodeElements(
      keyedInts,
      [{ key: "a", value: 1 }, 7],
      [{ key: "b", value: 5 }, 8],
      [{ key: "a", value: 3 }, 6],
    );

  it("folds what a bundle has for a key before the group, at the earliest timestamp", async () => {
    test.describe(lifted(), ["Mean/Precombine"]);
    for (let bundle = 0; bundle < 2; bundle++) {
      assert.deepEqual(decodeElements(accumulators, await run(numbers())), [
        [{ key: "a", value: { sum: 4, count: 2 } }, 6],
        [{ key: "b", value: { sum: 5, count: 1 } }, 8],
      ]);
    }
  });

  it("merges accumulators behind the group, and takes the output from them", async () => {
    test.describe(lifted(), ["Mean/Merge", "Mean/Extract"]);
    const grouped = {
      key: "a",
      value: [
        { sum: 4, count: 2 },
        { sum: 11, count: 1 },
      ],
    };
    const output = await run(encodeElements(groups, [grouped, 9]));
    assert.deepEqual(decodeElements(means, output), [[{ key: "a", value: 5 }, 9]]);
  });

  it("makes an accumulator of each value where the runner asks for that", async () => {
    const pipeline = lifted(({ transforms }) => {
      const step = Object.values(transforms).find(({ uniqueName }) => uniqueName === "Mean/Precombine")!;
      step.spec!.urn = urns.combineConvertToAccumulators;
    });
    test.describe(pipeline, ["Mean/Precombine"]);
    assert.deepEqual(decodeElements(accumulators, await run(numbers())), [
      [{ key: "a", value: { sum: 1, count: 1 } }, 7],
      [{ key: "b", value: { sum: 5, count: 1 } }, 8],
      [{ key: "a", value: { sum: 3, count: 1 } }, 6],
    ]);
  });

  it("combines groups where the runner asks for that", async () => {
    const { pipeline, root } = createPipeline();
    combinePerKey("Mean", createKeyed(root, []), mean);
    const proto = runnerApi.Pipeline.clone(protoOf(pipeline));
    const byName = (name: string): runnerApi.PTransform =>
      Object.values(proto.components!.transforms).find(({ uniqueName }) => uniqueName === name)!;
    const spec = { urn: urns.combineGroupedValues, payload: byName("Mean").spec!.payload };
    byName("Mean/Combine").spec = spec;
    test.describe({ getProto: () => proto } as unknown as Pipeline, ["Mean/Combine"]);
    const values = new KVCoder(strings, new IterableCoder(ints));
    const output = await run(encodeElements(values, [{ key: "a", value: [1, 2, 6] }, 9]));
    assert.deepEqual(decodeElements(means, output), [[{ key: "a", value: 3 }, 9]]);
  });
});
