/** What an update must keep; and that this project's graph keeps it from version to version. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import {
  checkCompatible,
  type GraphShape,
  IncompatibleUpdateError,
  type StepShape,
} from "@order-payment-stream/beam/dataflow";
import { shapeOfProto } from "../../../../../beam/runners/dataflow/compatibility.js";
import { protoOf } from "../../../../../beam/sdk/collection.js";
import { productGraph } from "../../../../fixtures/dataflow_graph.js";

const GOLDEN = new URL("../../../../fixtures/dataflow_jobs/graph_shape.json", import.meta.url);

const STEP: StepShape = {
  does: "dofn",
  outputs: { out: "kv(string_utf8, varint)" },
  state: { waiting: "bag of varint" },
  timers: { expiry: "EVENT_TIME timer(string_utf8, global_window)" },
};

function changes(before: GraphShape, now: GraphShape, mapping?: Record<string, string>): readonly string[] {
  try {
    checkCompatible(before, now, mapping);
    return [];
  } catch (error) {
    assert.ok(error instanceof IncompatibleUpdateError);
    return error.changes;
  }
}

describe("compatibility of an update", () => {
  it("holds for this project's graph: running jobs of the version before can be updated", () => {
    const shape = shapeOfProto(protoOf(productGraph()));
    if (process.env.UPDATE_GOLDEN === "1") writeFileSync(GOLDEN, `${JSON.stringify(shape, null, 2)}\n`);
    const golden = JSON.parse(readFileSync(GOLDEN, "utf8")) as GraphShape;
    assert.deepEqual(
      shape,
      golden,
      "step names, coders, state or timers have changed: a running job could not be updated (docs/guides/deploying.md). Where that is meant, run this test with UPDATE_GOLDEN=1, and say so in CHANGELOG.md",
    );
  });

  it("allows settings to change, and new steps", () => {
    const before = shapeOfProto(protoOf(productGraph()));
    const now = shapeOfProto(
      protoOf(productGraph({ timeoutMs: 1, orderTopic: "others", maxOutOfOrdernessMs: 1 })),
    );
    assert.deepEqual(changes(before, now), []);
    assert.deepEqual(changes({ A: STEP }, { A: STEP, B: STEP }), []);
  });

  it("names a step that is gone, and what to do about it", () => {
    const [change] = changes({ A: STEP }, { B: STEP });
    assert.match(change!, /^the step A is gone: name the one .* in TRANSFORM_NAME_MAPPING/);
    assert.deepEqual(changes({ A: STEP }, { B: STEP }, { A: "B" }), []);
    assert.deepEqual(changes({ A: STEP }, {}, { A: "" }), []);
    assert.deepEqual(changes({ "A/x/y": STEP }, { "B/x/y": STEP }, { A: "B" }), []);
    assert.match(changes({ A: STEP }, { A: STEP }, { Z: "A" })[0]!, /names Z, which the running job/);
  });

  it("names coders, state cells and timers that have changed", () => {
    const [output] = changes({ A: STEP }, { A: { ...STEP, outputs: { out: "bytes" } } });
    assert.equal(
      output,
      "the coder of the output out of the step A has changed: kv(string_utf8, varint) became bytes",
    );
    assert.deepEqual(changes({ A: STEP }, { A: { ...STEP, state: { other: "bag of varint" } } }), [
      "the state cell waiting of the step A is gone",
    ]);
    assert.deepEqual(changes({ A: STEP }, { A: { ...STEP, state: { waiting: "bag of bytes" } } }).length, 1);
    assert.deepEqual(changes({ A: STEP }, { A: { ...STEP, timers: {} } }), [
      "the timer family expiry of the step A is gone",
    ]);
    assert.match(
      changes({ A: STEP }, { A: { ...STEP, does: "another" } })[0]!,
      /does something else: dofn became another/,
    );
    assert.match(
      changes({ A: { ...STEP, restriction: "x" } }, { A: { ...STEP, restriction: "y" } })[0]!,
      /coder of the restrictions of the step A has changed: x became y/,
    );
  });
});
