/** What the fake of Dataflow checks: jobs as the service would, and answers to splits. */
import assert from "node:assert/strict";
import { type DataflowJob, prepareDataflowJob } from "@order-payment-stream/beam/dataflow";
import { fnApi, runnerApi } from "@order-payment-stream/beam/protos";
import { elementsOn, timersIn } from "../../../services/dataflow/coder_lengths.js";
import { checkJob, type ReceivedJob } from "../../../services/dataflow/job_checks.js";
import { SplitChecks } from "../../../services/dataflow/split_checks.js";
import { productGraph, REFERENCE_SUBMISSION } from "../../fixtures/dataflow_graph.js";

const PLACE = { projectId: "my-proj", location: "us-central1" };

describe("the fake of Dataflow", () => {
  const { job, staged } = prepareDataflowJob(productGraph(), REFERENCE_SUBMISSION);

  const check = (change: (job: any) => void = () => undefined, bytes = staged.bytes, place = PLACE) => {
    const copy = structuredClone(job) as DataflowJob & ReceivedJob;
    change(copy);
    return checkJob(copy, place, { read: async () => bytes, write: async () => undefined });
  };
  const changed = (change: (proto: runnerApi.Pipeline) => void): Uint8Array => {
    const proto = runnerApi.Pipeline.fromBinary(staged.bytes);
    change(proto);
    return runnerApi.Pipeline.toBinary(proto);
  };
  const restaged = (bytes: Uint8Array) =>
    import("node:crypto").then(({ createHash }) =>
      check((job) => {
        job.environment.sdkPipelineOptions.options.pipelineProtoHash = createHash("sha256")
          .update(bytes)
          .digest("hex");
      }, bytes),
    );

  it("takes a job of ours", async () => {
    const { image } = await check();
    assert.equal(image, REFERENCE_SUBMISSION.sdkContainerImage);
  });

  it("refuses jobs that are not right, each with its reason", async () => {
    const cases: readonly [(job: any) => void, RegExp][] = [
      [(job) => (job.steps = [{}]), /has no steps/],
      [(job) => (job.name = "No"), /invalid job name/],
      [(job) => (job.type = "JOB_TYPE_BATCH"), /job_type is FNAPI_STREAMING: expected FNAPI_BATCH/],
      [(job) => (job.environment.version.major = ""), /major is missing/],
      [(job) => job.environment.experiments.pop(), /experiments are missing: enable_windmill_service/],
      [(job) => (job.environment.tempStoragePrefix = "/tmp"), /no place in Cloud Storage/],
      [(job) => (job.environment.sdkPipelineOptions.options.pipelineProtoHash = "00"), /has not the hash/],
      [(job) => delete job.environment.sdkPipelineOptions.options.pipelineUrl, /no pipelineUrl/],
      [(job) => (job.environment.workerPools[0].kind = "other"), /of the kind harness/],
      [(job) => (job.environment.workerPools[0].workerHarnessContainerImage = "x"), /is not the image/],
      [
        (job) => (job.environment.workerPools[0].sdkHarnessContainerImages[0].containerImage = "x"),
        /not among sdkHarnessContainerImages/,
      ],
      [
        (job) => job.environment.workerPools[0].sdkHarnessContainerImages[0].capabilities.pop(),
        /capabilities/,
      ],
      [(job) => (job.environment.workerPools[0].sdkHarnessContainerImages = []), /not among/],
    ];
    for (const [change, expected] of cases) await assert.rejects(check(change), expected);
    await assert.rejects(check(undefined, undefined, { ...PLACE, location: "mars" }), /unexpected location/);
  });

  it("refuses graphs that are not right", async () => {
    const [impulse] = Object.values(runnerApi.Pipeline.fromBinary(staged.bytes).components!.transforms);
    assert.equal(impulse!.spec!.urn, "beam:transform:impulse:v1");
    const cases: readonly [(proto: runnerApi.Pipeline) => void, RegExp][] = [
      [(proto) => proto.requirements.push("beam:requirement:unknown:v1"), /unknown requirements/],
      [
        ({ components }) => {
          components!.transforms = Object.fromEntries(Object.entries(components!.transforms).reverse());
        },
        /not found in unordered_steps/,
      ],
      [
        ({ components }) => {
          for (const one of Object.values(components!.transforms))
            if (one.spec?.urn === impulse!.spec!.urn) one.environmentId = "jsEnvironment";
        },
        /must have no environment/,
      ],
      [
        ({ components }) => {
          for (const one of Object.values(components!.transforms)) one.uniqueName = "same";
        },
        /two transforms are called same/,
      ],
      [
        ({ components }) => {
          for (const one of Object.values(components!.environments)) one.urn = "beam:env:process:v1";
        },
        /is no container/,
      ],
      [
        ({ components }) => {
          components!.coders = {};
        },
        /there is no coder/,
      ],
    ];
    for (const [change, expected] of cases) await assert.rejects(restaged(changed(change)), expected);
  });

  it("finds what is wrong with an answer to a split", () => {
    const checks = new SplitChecks();
    const root = { transformId: "t", inputId: "i", element: Buffer.from("e") } as never;
    const split = (last: bigint, first: bigint, roots = 0) =>
      fnApi.ProcessBundleSplitResponse.create({
        channelSplits: [{ transformId: "t", lastPrimaryElement: last, firstResidualElement: first }],
        primaryRoots: Array(roots).fill(root),
        residualRoots: Array(roots).fill({ application: root }),
      });
    assert.equal(checks.problem("b", split(9n, 10n)), undefined);
    assert.match(checks.problem("b", split(10n, 11n))!, /First residual index 11 of t cannot be greater/);
    assert.match(checks.problem("b", split(5n, 5n))!, /is not before/);
    assert.match(checks.problem("b", split(1n, 5n))!, /3 elements of t are in neither part/);
    assert.match(checks.problem("b", split(3n, 5n))!, /its halves are not there/);
    assert.equal(checks.problem("b", split(3n, 5n, 1)), undefined);
    checks.forget("b");
    assert.equal(checks.problem("b", split(99n, 100n)), undefined);
    assert.match(
      checks.problem("b", fnApi.ProcessBundleSplitResponse.create({ primaryRoots: [root] }))!,
      /says not where/,
    );
  });

  describe("takes apart what stands on a port", () => {
    const coder = (urn: string, ...componentCoderIds: string[]) =>
      runnerApi.Coder.create({
        spec: { urn: `beam:coder:${urn}:v1`, payload: new Uint8Array() },
        componentCoderIds,
      });
    const coders = {
      text: coder("string_utf8"),
      number: coder("varint"),
      pair: coder("kv", "text", "number"),
      sized: coder("kv", "pair", "size"),
      size: coder("double"),
      global: coder("global_window"),
      interval: coder("interval_window"),
      windowed: coder("windowed_value", "sized", "interval"),
      timer: coder("timer", "text", "global"),
      odd: coder("row"),
      oddly: coder("windowed_value", "odd", "global"),
    };
    const port = (coderId: string) =>
      runnerApi.PTransform.create({
        spec: { urn: "", payload: fnApi.RemoteGrpcPort.toBinary({ coderId }) },
      });
    const bytes = (...parts: (string | number[])[]) =>
      Buffer.concat(parts.map((part) => Buffer.from(part as never)));
    const time = [0x80, 0, 0, 0, 0, 0, 0, 1];

    it("elements, in several windows and with panes of each form", () => {
      const size = [0, 0, 0, 0, 0, 0, 0, 0];
      const windows = [0, 0, 0, 2, ...time, 0x80, 0x01, ...time, 0x05];
      const first = bytes(time, windows, [0x0f], [3], "abc", [0x96, 0x01], size);
      const second = bytes(
        time,
        [0, 0, 0, 0],
        [0x2f, 0x81, 0x01, 0x00],
        [0x80, 0x01],
        "x".repeat(128),
        [0],
        size,
      );
      assert.deepEqual(
        elementsOn(port("windowed"), coders, bytes([...first], [...second])).map((one) => Buffer.from(one)),
        [first, second],
      );
      assert.throws(() => elementsOn(port("oddly"), coders, first), /coder beam:coder:row:v1 ends/);
    });

    it("timers, those that are set and those that are cleared", () => {
      const identity = [1, 0x6b, 1, 0x74, 0, 0, 0, 1];
      const set = bytes([...identity, 0], time, time, [0x0f]);
      const cleared = bytes([...identity, 1]);
      const found = timersIn("timer", coders, bytes([...set], [...cleared]));
      assert.deepEqual(
        found.map((one) => [one.isCleared, one.bytes.length]),
        [
          [false, set.length],
          [true, cleared.length],
        ],
      );
      assert.equal(found[0]!.identity, found[1]!.identity);
    });
  });
});
