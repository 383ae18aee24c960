import assert from "node:assert/strict";
import { runnerApi } from "../../../../../beam/model/apache_beam.js";
import { urns } from "../../../../../beam/model/urns.js";
import { fixedWindows } from "../../../../../beam/model/window_fns.js";
import { withKeyShards } from "../../../../../beam/runners/portable/key_shards.js";
import { type Collection, protoOf } from "../../../../../beam/sdk/collection.js";
import { createPipeline, parDo, windowInto } from "../../../../../beam/sdk/graph.js";
import { elementCoderOf, shardedStepFromBytes } from "../../../../../beam/sdk/key_shards.js";
import { valueState } from "../../../../../beam/sdk/state.js";
import { eventTimeTimer, processingTimeTimer } from "../../../../../beam/sdk/timer.js";
import { createKeyed, doFn, ints, keyedInts, stateful } from "../small_graphs.js";

const remember = stateful(
  "test:dofn:key_shards:remember",
  { state: { last: valueState(ints) }, timers: { end: eventTimeTimer() } },
  () => undefined,
  { end: () => undefined },
);
const byClock = stateful(
  "test:dofn:key_shards:by_clock",
  { state: {}, timers: { end: processingTimeTimer() } },
  () => undefined,
  { end: () => undefined },
);
const forget = doFn("test:dofn:key_shards:forget", () => undefined);

/** The graph before, and with two shards. */
function sharded(build: (keyed: Collection<any>) => void): [runnerApi.Pipeline, runnerApi.Pipeline] {
  const { pipeline, root } = createPipeline();
  build(createKeyed(root, []));
  const before = runnerApi.Pipeline.clone(protoOf(pipeline));
  return [before, withKeyShards(runnerApi.Pipeline.clone(before), 2)];
}

const named = ({ components }: runnerApi.Pipeline, name: string): [string, runnerApi.PTransform] =>
  Object.entries(components!.transforms).find(([, { uniqueName }]) => uniqueName === name)!;

describe("keys in shards", () => {
  it("are brought together in front of a stateful step, of which the runner sees a log and wakes", () => {
    const [before, after] = sharded((keyed) => void parDo("Remember", keyed, remember));
    const { components, rootTransformIds } = after;
    const [frontId, front] = named(after, "Remember/ShardKeys");
    const [id, step] = named(after, "Remember");
    assert.deepEqual(Object.values(front.inputs), Object.values(named(before, "Remember")[1].inputs));
    assert.deepEqual(Object.values(step.inputs), Object.values(front.outputs));
    assert.deepEqual(step.outputs, named(before, "Remember")[1].outputs);
    assert.equal(front.environmentId, step.environmentId);
    assert.equal(rootTransformIds.indexOf(frontId), rootTransformIds.indexOf(id) - 1);
    const payload = runnerApi.ParDoPayload.fromBinary(step.spec!.payload);
    assert.deepEqual(Object.keys(payload.stateSpecs), ["log"]);
    assert.deepEqual(Object.keys(payload.timerFamilySpecs), ["wake"]);
    const own = shardedStepFromBytes(payload.doFn!.payload);
    assert.equal(own.shards, 2);
    assert.equal(own.doFn.urn, "test:dofn:key_shards:remember");
    assert.deepEqual(elementCoderOf(own), keyedInts);
    for (const { coderId } of Object.values(components!.pcollections))
      assert.ok(coderId in components!.coders);
  });

  it("leave as they are steps that others than this SDK's in the global window with event time see", () => {
    for (const build of [
      (keyed: Collection<any>) => void parDo("By clock", keyed, byClock),
      (keyed: Collection<any>) => void parDo("Forget", keyed, forget),
      (keyed: Collection<any>) => {
        const windowed = windowInto("Minutes", keyed, { windowFn: fixedWindows(60_000) });
        parDo("Remember", windowed, remember);
      },
    ]) {
      const [before, after] = sharded(build);
      assert.deepEqual(after, before);
    }
    const [before] = sharded((keyed) => void parDo("Remember", keyed, remember));
    const foreign = runnerApi.Pipeline.clone(before);
    const [id, step] = named(foreign, "Remember");
    const payload = runnerApi.ParDoPayload.fromBinary(step.spec!.payload);
    payload.doFn!.urn = "beam:dofn:pickled_python_info:v1";
    foreign.components!.transforms[id]!.spec = {
      urn: urns.parDo,
      payload: runnerApi.ParDoPayload.toBinary(payload),
    };
    assert.deepEqual(withKeyShards(runnerApi.Pipeline.clone(foreign), 2), foreign);
    assert.deepEqual(withKeyShards(runnerApi.Pipeline.clone(before), 0), before);
  });

  it("are a number that is checked", () => {
    const [before] = sharded((keyed) => void parDo("Remember", keyed, remember));
    for (const count of [-1, 1.5, 32_769, Number.NaN]) {
      assert.throws(
        () => withKeyShards(before, count),
        /keyShards is .*: expected a whole number from 0 to 32768/,
      );
    }
  });
});
