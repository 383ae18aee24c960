import assert from "node:assert/strict";
import { ByteWriter } from "../../../../beam/model/bytes.js";
import { encodeToBytes } from "../../../../beam/model/coders/encode_to_bytes.js";
import { CoderUrn } from "../../../../beam/model/coders/urns.js";
import type { KV } from "../../../../beam/model/kv.js";
import { createPipeline, groupByKey, parDo } from "../../../../beam/sdk/graph.js";
import { createKeyed, doFn, ints, strings } from "../runners/small_graphs.js";
import { decodeElements, encodeElements, WorkerUnderTest } from "./worker_under_test.js";

/** Reads the values twice: what was loaded is at hand for as long as the element is. */
const tellTwice = doFn(
  "test:dofn:harness_tell_twice:v1",
  ({ key, value }: KV<string, Iterable<number>>, { emit }) =>
    emit.main(`${key}: ${[...value].join()} and ${[...value].join()}`),
);

const bytes = (...values: number[]): Buffer =>
  Buffer.concat(values.map((value) => encodeToBytes(ints, value, "nested")));

/** A key in the global window, then as many values as given, then the token of the rest. */
function continued(key: string, values: readonly number[], token: string): Buffer {
  const out = new ByteWriter();
  out.writeInt32(-1);
  if (values.length > 0) {
    out.writeVarint(values.length);
    out.writeBytes(bytes(...values));
  }
  out.writeVarint(-1);
  out.writeVarint(token.length);
  out.writeBytes(Buffer.from(token));
  return Buffer.concat([encodeElements(strings, [key, 0]), out.toBytes()]);
}

describe("worker, iterables that go on in the runner's state", () => {
  let test: WorkerUnderTest;

  beforeEach(async () => {
    test = await WorkerUnderTest.start();
    const { pipeline, root } = createPipeline();
    parDo("Tell", groupByKey("Group", createKeyed(root, [])), tellTwice);
    test.describe(pipeline, ["Tell"]);
    for (const { spec } of Object.values(test.runner.descriptors.get("d")!.coders)) {
      if (spec!.urn === CoderUrn.ITERABLE) spec!.urn = CoderUrn.STATE_BACKED_ITERABLE;
    }
  });
  afterEach(() => test.close());

  async function run(elements: Buffer): Promise<{ error: string; texts: string[] }> {
    const id = await test.runner.startBundle("d");
    await test.runner.sendData(id, elements);
    const { error } = await test.runner.answer(id);
    if (error !== "") return { error, texts: [] };
    return { error, texts: decodeElements(strings, await test.runner.output(id)).map(([text]) => text) };
  }

  it("are read whole, page by page, and handed out in their order", async () => {
    test.runner.pageBytes = 2;
    test.runner.state.set("runner|x", bytes(3, 4, 5, 300, 7));
    test.runner.state.set("runner|y", bytes());
    const { error, texts } = await run(
      Buffer.concat([continued("a", [1, 2], "x"), continued("b", [], "x"), continued("c", [9], "y")]),
    );
    assert.equal(error, "");
    assert.deepEqual(texts, [
      "a: 1,2,3,4,5,300,7 and 1,2,3,4,5,300,7",
      "b: 3,4,5,300,7 and 3,4,5,300,7",
      "c: 9 and 9",
    ]);
    assert.equal(test.runner.stateRequests.length, 2 * 4 + 2, "each rest once, in pages of two bytes");
  });

  it("name step and element when they cannot be read", async () => {
    test.runner.state.set("runner|x", Buffer.from([0xff]));
    const { error } = await run(Buffer.concat([continued("a", [1], "y"), continued("b", [1], "x")]));
    assert.match(error, /Source: element 1, at byte \d+ of its segment, cannot be decoded/);
  });
});
