import assert from "node:assert/strict";
import { runnerApi } from "../../../../beam/model/apache_beam.js";
import { fixedWindows } from "../../../../beam/model/window_fns.js";
import { runDirect } from "../../../../beam/runners/direct/direct_runner.js";
import { UnsupportedPipelineError } from "../../../../beam/runners/direct/fusion.js";
import type { Pipeline } from "../../../../beam/sdk/collection.js";
import { protoOf } from "../../../../beam/sdk/collection.js";
import { createPipeline, groupByKey, parDo, windowInto } from "../../../../beam/sdk/graph.js";
import { valueState } from "../../../../beam/sdk/state.js";
import { TestStream } from "../../../../beam/sdk/test_stream.js";
import { at, ints, keyedInts, stateful } from "./small_graphs.js";

const count = stateful(
  "test:unsupported:count",
  { state: { count: valueState(ints) }, timers: {} },
  (_element: { key: string; value: number }) => undefined,
  {},
);

/** A graph with a group, a window and a stateful step, changed by hand into one that a foreign SDK might send. */
function changed(change: (proto: runnerApi.Pipeline) => void): Pipeline {
  const { pipeline, root } = createPipeline();
  const input = new TestStream(keyedInts).add(at(1, 0)).read("Stream", root);
  const windowed = windowInto("Window", input, { windowFn: fixedWindows(10) });
  groupByKey("Group", windowed);
  parDo("Count", windowed, count);
  const proto = runnerApi.Pipeline.clone(protoOf(pipeline));
  change(proto);
  return { getProto: () => proto } as unknown as Pipeline;
}

function transform({ components }: runnerApi.Pipeline, name: string): runnerApi.PTransform {
  return Object.values(components!.transforms).find(({ uniqueName }) => uniqueName === name)!;
}

function strategy(proto: runnerApi.Pipeline): runnerApi.WindowingStrategy {
  const { pcollections, windowingStrategies } = proto.components!;
  const [output] = Object.values(transform(proto, "Window").outputs);
  return windowingStrategies[pcollections[output!]!.windowingStrategyId]!;
}

function changePayload(proto: runnerApi.Pipeline, change: (payload: runnerApi.ParDoPayload) => void): void {
  const { spec } = transform(proto, "Count");
  const payload = runnerApi.ParDoPayload.fromBinary(spec!.payload);
  change(payload);
  spec!.payload = runnerApi.ParDoPayload.toBinary(payload);
}

const SESSIONS = { urn: "beam:window_fn:session_windows:v1", payload: new Uint8Array() };
const EMPTY_TRIGGER: runnerApi.Trigger = { trigger: { oneofKind: "never", never: {} } };

const CASES: readonly (readonly [
  what: string,
  message: RegExp,
  change: (proto: runnerApi.Pipeline) => void,
])[] = [
  [
    "an unknown requirement",
    /does not support beam:requirement:pardo:time_sorted_input:v1/,
    (proto) => proto.requirements.push("beam:requirement:pardo:time_sorted_input:v1"),
  ],
  [
    "an unknown transform",
    /Count: the direct runner does not run beam:transform:of_tomorrow:v1/,
    (proto) => {
      transform(proto, "Count").spec!.urn = "beam:transform:of_tomorrow:v1";
    },
  ],
  [
    "side inputs of a stateful step",
    /Count: side inputs of a stateful step are not supported \(prices\)/,
    (proto) =>
      changePayload(proto, (payload) => {
        payload.sideInputs.prices = runnerApi.SideInput.create();
      }),
  ],
  [
    "time-sorted input",
    /Count: time-sorted or stable input is not supported/,
    (proto) =>
      changePayload(proto, (payload) => {
        payload.requiresTimeSortedInput = true;
      }),
  ],
  [
    "a callback on window expiration",
    /Count: a callback on window expiration is not supported/,
    (proto) =>
      changePayload(proto, (payload) => {
        payload.onWindowExpirationTimerFamilySpec = "expiration";
      }),
  ],
  [
    "accumulating panes",
    /Group: accumulating panes are not supported/,
    (proto) => {
      strategy(proto).accumulationMode = runnerApi.AccumulationMode_Enum.ACCUMULATING;
    },
  ],
  [
    "merging windows",
    /Group: merging windows \(beam:window_fn:session_windows:v1\) are not supported/,
    (proto) => {
      strategy(proto).windowFn = SESSIONS;
      strategy(proto).mergeStatus = runnerApi.MergeStatus_Enum.NEEDS_MERGE;
    },
  ],
  [
    "a composite trigger",
    /Group: trigger afterAny is not supported/,
    (proto) => {
      const afterAny = { subtriggers: [EMPTY_TRIGGER] };
      strategy(proto).trigger = { trigger: { oneofKind: "afterAny", afterAny } };
    },
  ],
  [
    "a trigger that is repeated but does not count",
    /Group: trigger repeat\(never\) is not supported/,
    (proto) => {
      const repeat = { subtrigger: EMPTY_TRIGGER };
      strategy(proto).trigger = { trigger: { oneofKind: "repeat", repeat } };
    },
  ],
  [
    "a window function that it does not know",
    /Window: window function beam:window_fn:session_windows:v1 is not supported/,
    (proto) => {
      const payload = { windowFn: SESSIONS };
      transform(proto, "Window").spec!.payload = runnerApi.WindowIntoPayload.toBinary(payload);
    },
  ],
];

describe("the direct runner rejects at once, by name,", () => {
  for (const [what, message, change] of CASES) {
    it(what, () => {
      assert.throws(
        () => runDirect(changed(change)),
        (error: Error) => {
          assert.ok(error instanceof UnsupportedPipelineError, error.name);
          assert.match(error.message, message);
          return true;
        },
      );
    });
  }

  it("but not the graph as it was", async () => {
    await runDirect(changed(() => undefined)).finished;
  });

  it("and ends with the name of a DoFn that nobody registered", async () => {
    const pipeline = changed((proto) =>
      changePayload(proto, (payload) => {
        payload.doFn!.urn = "nobody:knows";
      }),
    );
    await assert.rejects(runDirect(pipeline).finished, /no DoFn is registered under nobody:knows/);
  });
});
