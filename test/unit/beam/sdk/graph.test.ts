import assert from "node:assert/strict";
import { runnerApi } from "../../../../beam/model/apache_beam.js";
import { DoubleCoder } from "../../../../beam/model/coders/double_coder.js";
import { KVCoder } from "../../../../beam/model/coders/kv_coder.js";
import { CoderUrn } from "../../../../beam/model/coders/urns.js";
import { urns } from "../../../../beam/model/urns.js";
import { fixedWindows, slidingWindows } from "../../../../beam/model/window_fns.js";
import { runDirect } from "../../../../beam/runners/direct/direct_runner.js";
import { coGroupByKey } from "../../../../beam/sdk/co_group_by_key.js";
import type { Pipeline } from "../../../../beam/sdk/collection.js";
import { pcollectionOf, protoOf } from "../../../../beam/sdk/collection.js";
import { combinePerKey } from "../../../../beam/sdk/combine.js";
import { create } from "../../../../beam/sdk/create.js";
import { DoFn } from "../../../../beam/sdk/do_fn.js";
import {
  type Collection,
  createPipeline,
  flattenAll,
  groupByKey,
  impulse,
  parDo,
  windowInto,
} from "../../../../beam/sdk/graph.js";
import { type OffsetRange, OffsetRangeTracker } from "../../../../beam/sdk/offset_range.js";
import { offsetRangeCoder } from "../../../../beam/sdk/offset_range_coder.js";
import { registerDoFn } from "../../../../beam/sdk/registry.js";
import { SplittableDoFn, stop } from "../../../../beam/sdk/splittable.js";
import {
  bagState,
  combiningState,
  mapState,
  multimapState,
  orderedListState,
  valueState,
} from "../../../../beam/sdk/state.js";
import { TestStream } from "../../../../beam/sdk/test_stream.js";
import { eventTimeTimer, processingTimeTimer } from "../../../../beam/sdk/timer.js";
import {
  at,
  collect,
  createKeyed,
  doFn,
  ints,
  keyedInts,
  mean,
  stateful,
  strings,
  valuesOf,
} from "../runners/small_graphs.js";

const outputs = { main: strings };

class Source extends SplittableDoFn<Uint8Array, OffsetRange, number, typeof outputs, { isBounded: boolean }> {
  static readonly urn = "test:graph:source";
  readonly outputs = outputs;
  readonly restrictionCoder = offsetRangeCoder;
  readonly isBounded = this.config.isBounded;
  override readonly requestsFinalization = true;
  initialRestriction(): OffsetRange {
    return { start: 0, end: 0 };
  }
  newTracker(range: OffsetRange): OffsetRangeTracker {
    return new OffsetRangeTracker(range);
  }
  process() {
    return stop();
  }
}
registerDoFn(Source);

const everything = stateful(
  "test:graph:everything",
  {
    state: {
      value: valueState(ints),
      bag: bagState(strings),
      map: mapState(strings, ints),
      mean: combiningState(mean),
      multimap: multimapState(strings, ints),
      list: orderedListState(keyedInts),
    },
    timers: { event: eventTimeTimer(), clock: processingTimeTimer() },
  },
  ({ value }: { key: string; value: number }, { emit, timers, timestamp }) => {
    emit.main(`${value}`);
    timers.event.set(timestamp + 1);
  },
  { event: ({ emit }) => emit.main("event"), clock: () => undefined },
);

function parts(pipeline: Pipeline) {
  const proto = protoOf(pipeline);
  const { transforms, pcollections, coders, windowingStrategies, environments } = proto.components!;
  const transform = (name: string): runnerApi.PTransform =>
    Object.values(transforms).find(({ uniqueName }) => uniqueName === name) ??
    assert.fail(`no transform ${name}`);
  const output = (collection: Collection<any>): runnerApi.PCollection =>
    pcollections[pcollectionOf(collection).getId()]!;
  return { proto, transform, output, coders, windowingStrategies, environments, transforms };
}

describe("the graph proto", () => {
  it("declares state, timers and the requirement of a stateful DoFn", () => {
    const { pipeline, root } = createPipeline();
    parDo("Everything", createKeyed(root, []), everything);
    const { proto, transform, coders } = parts(pipeline);
    assert.deepEqual(proto.requirements, [urns.requirementStateful]);
    const payload = runnerApi.ParDoPayload.fromBinary(transform("Everything").spec!.payload);
    assert.equal(payload.doFn!.urn, "test:graph:everything");
    assert.equal(Buffer.from(payload.doFn!.payload).toString(), "null");
    const { value, bag, map, mean, multimap, list } = payload.stateSpecs;
    assert.equal(Object.keys(payload.stateSpecs).length, 6);
    assert.equal(value!.spec.oneofKind, "readModifyWriteSpec");
    assert.ok(bag!.spec.oneofKind === "bagSpec" && map!.spec.oneofKind === "bagSpec");
    assert.equal(coders[bag!.spec.bagSpec.elementCoderId]!.spec!.urn, "beam:coder:string_utf8:v1");
    assert.equal(coders[map!.spec.bagSpec.elementCoderId]!.spec!.urn, "beam:coder:kv:v1");
    assert.ok(mean!.spec.oneofKind === "combiningSpec" && multimap!.spec.oneofKind === "mapSpec");
    assert.equal(mean!.spec.combiningSpec.combineFn!.urn, "test:combine_fn:mean");
    assert.equal(coders[multimap!.spec.mapSpec.keyCoderId]!.spec!.urn, "beam:coder:string_utf8:v1");
    assert.ok(list!.spec.oneofKind === "orderedListSpec");
    // Runners that sort must find the borders between elements, whatever these are.
    assert.equal(coders[list!.spec.orderedListSpec.elementCoderId]!.spec!.urn, "beam:coder:length_prefix:v1");
    for (const spec of [value, bag, map, mean]) assert.equal(spec!.protocol!.urn, "beam:user_state:bag:v1");
    assert.equal(multimap!.protocol!.urn, "beam:user_state:multimap:v1");
    assert.equal(list!.protocol!.urn, "beam:user_state:ordered_list:v1");
    const { event, clock } = payload.timerFamilySpecs;
    assert.equal(event!.timeDomain, runnerApi.TimeDomain_Enum.EVENT_TIME);
    assert.equal(clock!.timeDomain, runnerApi.TimeDomain_Enum.PROCESSING_TIME);
    const timerCoder = coders[event!.timerFamilyCoderId]!;
    assert.equal(timerCoder.spec!.urn, CoderUrn.TIMER);
    assert.deepEqual(
      timerCoder.componentCoderIds.map((id) => coders[id]!.spec!.urn),
      ["beam:coder:string_utf8:v1", "beam:coder:global_window:v1"],
    );
  });

  it("declares restriction, finalization and boundedness of a splittable DoFn", () => {
    const passOn = doFn("test:graph:behind", (text: string, { emit }) => emit.main(text));
    for (const isBounded of [true, false]) {
      const { pipeline, root } = createPipeline();
      const { main } = parDo("Source", impulse("Impulse", root), new Source({ isBounded }));
      const behind = parDo("Behind", main, passOn).main;
      const { proto, transform, output, coders } = parts(pipeline);
      assert.deepEqual([...proto.requirements].sort(), [
        urns.requirementFinalization,
        urns.requirementSplittable,
      ]);
      const payload = runnerApi.ParDoPayload.fromBinary(transform("Source").spec!.payload);
      assert.ok(payload.requestsFinalization);
      const restriction = coders[payload.restrictionCoderId]!;
      assert.equal(coders[restriction.componentCoderIds[0]!]!.spec!.urn, "beam:coder:ts:offset_range:v1");
      assert.deepEqual(JSON.parse(Buffer.from(payload.doFn!.payload).toString()), { isBounded });
      const expected = isBounded ? runnerApi.IsBounded_Enum.BOUNDED : runnerApi.IsBounded_Enum.UNBOUNDED;
      assert.equal(output(main).isBounded, expected);
      assert.equal(output(behind).isBounded, expected);
    }
  });

  it("makes of a combine a composite that a runner may lift, with a group and a step that need no lifting", () => {
    const { pipeline, root } = createPipeline();
    const means = combinePerKey("Mean", createKeyed(root, []), mean);
    const { transform, transforms, output, coders } = parts(pipeline);
    const { spec, subtransforms, environmentId } = transform("Mean");
    assert.equal(spec!.urn, "beam:transform:combine_per_key:v1");
    assert.notEqual(environmentId, "");
    const payload = runnerApi.CombinePayload.fromBinary(spec!.payload);
    assert.equal(payload.combineFn!.urn, "test:combine_fn:mean");
    assert.equal(Buffer.from(payload.combineFn!.payload).toString(), "null");
    assert.equal(coders[payload.accumulatorCoderId]!.spec!.urn, "test:coder:mean_accumulator");
    const [group, combine] = subtransforms.map((id) => transforms[id]!);
    assert.equal(group!.spec!.urn, urns.groupByKey);
    assert.equal(combine!.spec!.urn, urns.parDo, "which every runner knows");
    const [key, value] = coders[output(means).coderId]!.componentCoderIds;
    assert.deepEqual(
      [coders[key!]!.spec!.urn, coders[value!]!.spec!.urn],
      ["beam:coder:string_utf8:v1", "beam:coder:double:v1"],
    );
  });

  it("requires nothing of a plain graph, and lists what the worker can do", () => {
    const { pipeline, root } = createPipeline();
    parDo(
      "Plain",
      create("Create", root, ["a"], strings),
      doFn("test:graph:plain", (_text: string) => undefined),
    );
    const { proto, environments } = parts(pipeline);
    assert.deepEqual(proto.requirements, []);
    const capabilities = Object.values(environments).flatMap((environment) => environment.capabilities);
    for (const urn of ["beam:coder:kv:v1", "beam:coder:iterable:v1", "beam:coder:row:v1"])
      assert.ok(capabilities.includes(urn), urn);
  });

  it("carries windowing through to what is behind a group", () => {
    const { pipeline, root } = createPipeline();
    const windowed = windowInto("Window", createKeyed(root, []), {
      windowFn: slidingWindows(1_500, 500),
      trigger: { kind: "repeated-count", count: 3 },
      outputTime: "EARLIEST_IN_PANE",
      allowedLatenessMs: 7,
    });
    const grouped = groupByKey("Group", windowed);
    const { output, windowingStrategies, coders, transform } = parts(pipeline);
    const before = windowingStrategies[output(windowed).windowingStrategyId]!;
    assert.equal(before.windowFn!.urn, urns.slidingWindows);
    assert.equal(before.assignsToOneWindow, false);
    assert.equal(before.allowedLateness, 7n);
    assert.equal(before.accumulationMode, runnerApi.AccumulationMode_Enum.DISCARDING);
    assert.equal(before.outputTime, runnerApi.OutputTime_Enum.EARLIEST_IN_PANE);
    assert.equal(coders[before.windowCoderId]!.spec!.urn, "beam:coder:interval_window:v1");
    const after = windowingStrategies[output(grouped).windowingStrategyId]!;
    assert.ok(after.trigger!.trigger.oneofKind === "repeat");
    const inner = after.trigger!.trigger.repeat.subtrigger!.trigger;
    assert.ok(inner.oneofKind === "elementCount" && inner.elementCount.elementCount === 1);
    assert.equal(coders[output(grouped).coderId]!.componentCoderIds.length, 2);
    assert.equal(transform("Group").environmentId, "", "a runner groups; no worker does");
  });

  it("still runs when it has travelled as bytes", async () => {
    const { pipeline, root } = createPipeline();
    const stream = new TestStream(keyedInts)
      .add(at(1, 5), at(2, 6))
      .advanceWatermarkTo(20)
      .read("Stream", root);
    const windowed = windowInto("Window", stream, { windowFn: fixedWindows(10) });
    const grouped = coGroupByKey("Join", { a: windowed, b: windowed });
    const seen = collect(grouped);
    const texts = collect(parDo("Everything", windowed, everything).main);
    const read = collect(parDo("Source", impulse("Impulse", root), new Source({ isBounded: true })).main);
    const bytes = runnerApi.Pipeline.toBinary(protoOf(pipeline));
    const arrived = { getProto: () => runnerApi.Pipeline.fromBinary(bytes) } as unknown as Pipeline;
    await runDirect(arrived).finished;
    assert.deepEqual(valuesOf(seen), [{ key: "k", value: { a: [1, 2], b: [1, 2] } }]);
    assert.deepEqual(valuesOf(texts), ["1", "2", "event"]);
    assert.deepEqual(read, []);
    await runDirect(pipeline).finished;
    assert.equal(seen.length, 2, "and the graph itself was left as it was");
  });

  it("refuses what cannot work, by name", () => {
    const { pipeline, root } = createPipeline();
    const texts: Collection<any> = create("Create", root, ["a"], strings);
    assert.throws(
      () => groupByKey("Group texts", texts),
      /Group texts: its input is not a collection of KVs/,
    );
    assert.throws(() => coGroupByKey("Join texts", { a: texts }), /Join texts: a is not a collection of KVs/);
    const fuzzy: Collection<any> = create("Doubles", root, [], new KVCoder(new DoubleCoder(), ints) as any);
    const coder = Object.values(parts(pipeline).coders).filter(
      ({ spec }) => spec!.urn === "beam:coder:double:v1",
    );
    assert.equal(coder.length, 1);
    if (!new DoubleCoder().isDeterministic)
      assert.throws(
        () => groupByKey("Group doubles", fuzzy),
        /Group doubles: the key coder must be deterministic/,
      );
    assert.throws(() => parDo("Stateful", texts, everything as any), /needs a collection of KVs/);
    class Unregistered extends DoFn<string, typeof outputs> {
      readonly outputs = outputs;
      process(): void {}
    }
    assert.throws(
      () => parDo("New", texts, new Unregistered(null)),
      /Unregistered is not registered: give it a static urn/,
    );
    class Twice extends DoFn<string, typeof outputs> {
      static readonly urn = "test:graph:source";
      readonly outputs = outputs;
      process(): void {}
    }
    assert.throws(
      () => registerDoFn(Twice),
      /test:graph:source belongs to Source; Twice needs one of its own/,
    );
  });

  it("flattens bounded and unbounded collections to an unbounded one", () => {
    const { pipeline, root } = createPipeline();
    const bounded = createKeyed(root, []);
    const unbounded = new TestStream(keyedInts).read("Stream", root);
    const both = flattenAll("Both", [bounded, unbounded]);
    const { output } = parts(pipeline);
    assert.equal(output(bounded).isBounded, runnerApi.IsBounded_Enum.BOUNDED);
    assert.equal(output(unbounded).isBounded, runnerApi.IsBounded_Enum.UNBOUNDED);
    assert.equal(output(both).isBounded, runnerApi.IsBounded_Enum.UNBOUNDED);
  });
});
