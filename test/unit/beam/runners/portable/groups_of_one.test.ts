import assert from "node:assert/strict";
import { runnerApi } from "../../../../../beam/model/apache_beam.js";
import { ByteReader } from "../../../../../beam/model/bytes.js";
import { encodeToBytes } from "../../../../../beam/model/coders/encode_to_bytes.js";
import type { KVCoder } from "../../../../../beam/model/coders/kv_coder.js";
import { coderFromProto } from "../../../../../beam/model/coders/registry.js";
import type { KV } from "../../../../../beam/model/kv.js";
import { urns } from "../../../../../beam/model/urns.js";
import { fixedWindows } from "../../../../../beam/model/window_fns.js";
import { withoutGroupsOfOne } from "../../../../../beam/runners/portable/groups_of_one.js";
import { coGroupByKey, coGroupTagged } from "../../../../../beam/sdk/co_group_by_key.js";
import { type Collection, pcollectionOf, protoOf } from "../../../../../beam/sdk/collection.js";
import { createPipeline, parDo, type Windowing, windowInto } from "../../../../../beam/sdk/graph.js";
import { valueState } from "../../../../../beam/sdk/state.js";
import { createKeyed, doFn, ints, stateful } from "../small_graphs.js";

const AS_THEY_COME: Windowing = {
  trigger: { kind: "repeated-count", count: 1 },
  outputTime: "EARLIEST_IN_PANE",
};

const remember = stateful(
  "test:dofn:groups_of_one:remember",
  { state: { last: valueState(ints) }, timers: {} },
  ({ key }: KV<string, unknown>, { emit }) => emit.main(key),
  {},
);
const forget = doFn("test:dofn:groups_of_one:forget", ({ key }: KV<string, any>, ctx) => ctx.emit.main(key));

type Grouped = Collection<KV<string, any>>;

/** The URN of the group behind two collections with this windowing, after what is tested. */
function groupOf(windowing: Windowing, read: (grouped: Grouped) => void, group: any = coGroupTagged): string {
  const { pipeline, root } = createPipeline();
  const keyed = createKeyed(root, []);
  const [a, b] = ["a", "b"].map((name) => windowInto(`Window ${name}`, keyed, windowing));
  const grouped: Grouped = group("Co", { a, b });
  read(grouped);
  const before = runnerApi.Pipeline.clone(protoOf(pipeline));
  const after = withoutGroupsOfOne(runnerApi.Pipeline.clone(before));
  const isGroup = ([, { uniqueName }]: [string, runnerApi.PTransform]): boolean => uniqueName === "Co/Group";
  const [id, transform] = Object.entries(after.components!.transforms).find(isGroup)!;
  for (const [each, one] of Object.entries(after.components!.transforms)) {
    if (each !== id) assert.deepEqual(one, before.components!.transforms[each]);
  }
  const isStep = transform.spec!.urn === urns.parDo;
  for (const [each, { coderId, ...one }] of Object.entries(after.components!.pcollections)) {
    const { coderId: coderBefore, ...same } = before.components!.pcollections[each]!;
    assert.deepEqual(one, same);
    if (isStep && Object.values(transform.outputs).includes(each)) {
      const coder = coderFromProto(coderId, after.components!.coders) as KVCoder<string, any>;
      const pane = { key: "k", value: [{ tag: "b", value: 7 }] };
      const value = encodeToBytes(coder, pane, "nested");
      assert.deepEqual(value, Buffer.from([1, "k".charCodeAt(0), 1, 7]), "the value alone");
      assert.deepEqual(coder.decode(new ByteReader(value), "nested"), pane);
    } else {
      assert.equal(coderId, coderBefore);
    }
  }
  assert.deepEqual(transform.outputs, before.components!.transforms[id]!.outputs);
  if (group === coGroupTagged)
    assert.deepEqual(Object.values(transform.outputs), [pcollectionOf(grouped).getId()]);
  return transform.spec!.urn;
}

const stateReads = (grouped: Grouped): void => void parDo("Remember", grouped, remember);

describe("a group whose panes are of one element each", () => {
  it("becomes a step where stateful steps alone read it", () => {
    assert.equal(groupOf(AS_THEY_COME, stateReads), urns.parDo);
    assert.equal(groupOf({ ...AS_THEY_COME, outputTime: "LATEST_IN_PANE" }, stateReads), urns.parDo);
  });

  it("stays where somebody else reads it, who needs its keys in one place", () => {
    const bothRead = (grouped: Grouped): void => {
      stateReads(grouped);
      parDo("Forget", grouped, forget);
    };
    assert.equal(groupOf(AS_THEY_COME, bothRead), urns.groupByKey);
    assert.equal(
      groupOf(AS_THEY_COME, (grouped) => void parDo("Forget", grouped, forget)),
      urns.groupByKey,
    );
    assert.equal(
      groupOf(AS_THEY_COME, () => undefined),
      urns.groupByKey,
    );
  });

  it("stays where its panes could be told", () => {
    const others: Windowing[] = [
      { ...AS_THEY_COME, trigger: { kind: "repeated-count", count: 2 } },
      { ...AS_THEY_COME, trigger: { kind: "default" } },
      { ...AS_THEY_COME, outputTime: "END_OF_WINDOW" },
      { ...AS_THEY_COME, windowFn: fixedWindows(1_000) },
    ];
    for (const windowing of others) assert.equal(groupOf(windowing, stateReads), urns.groupByKey);
  });

  it("stays where it does not say that nobody looks at them", () => {
    assert.equal(groupOf(AS_THEY_COME, stateReads, coGroupByKey), urns.groupByKey);
  });
});
