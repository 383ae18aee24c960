import assert from "node:assert/strict";
import { type fnApi, runnerApi, type Timestamp } from "../../../../beam/model/apache_beam.js";
import { ByteReader } from "../../../../beam/model/bytes.js";
import { encodeToBytes } from "../../../../beam/model/coders/encode_to_bytes.js";
import { ProtoCoders } from "../../../../beam/model/coders/registry.js";
import { CoderUrn } from "../../../../beam/model/coders/urns.js";
import { NO_FIRING } from "../../../../beam/model/pane.js";
import { urns } from "../../../../beam/model/urns.js";
import { IN_GLOBAL_WINDOW } from "../../../../beam/model/windows.js";
import { protoOf } from "../../../../beam/sdk/collection.js";
import { create } from "../../../../beam/sdk/create.js";
import { createPipeline, parDo } from "../../../../beam/sdk/graph.js";
import { type OffsetRange, OffsetRangeTracker } from "../../../../beam/sdk/offset_range.js";
import { offsetRangeCoder } from "../../../../beam/sdk/offset_range_coder.js";
import { registerDoFn } from "../../../../beam/sdk/registry.js";
import {
  type ProcessContinuation,
  type RestrictionTracker,
  resume,
  type SplittableContext,
  SplittableDoFn,
  stop,
} from "../../../../beam/sdk/splittable.js";
import { descriptorOf } from "../../../fixtures/fake_fn_runner.js";
import { until } from "../../../fixtures/until.js";
import { ints } from "../runners/small_graphs.js";
import { decodeElements, WorkerUnderTest } from "./worker_under_test.js";

const outputs = { main: ints };
const ELEMENT_TIMESTAMP = 1_000;

/** Where `process` waits after a claim, until the test says so. */
let waitAt = Number.POSITIVE_INFINITY;
let goOn: (() => void) | undefined;
/** It waits before its first claim, too. */
let waitBefore = false;

/** Counts from the start of its range to its end; at 5 it takes a break, with the watermark at 5.25 s. */
class Count extends SplittableDoFn<number, OffsetRange, number, typeof outputs> {
  static readonly urn = "test:dofn:harness_count:v1";
  readonly outputs = outputs;
  readonly restrictionCoder = offsetRangeCoder;
  readonly isBounded = false;
  initialRestriction(end: number): OffsetRange {
    return { start: 0, end };
  }
  override split(_element: number, { start, end }: OffsetRange): OffsetRange[] {
    const middle = Math.floor((start + end) / 2);
    return [
      { start, end: middle },
      { start: middle, end },
    ];
  }
  override size(_element: number, { start, end }: OffsetRange): number {
    return end - start;
  }
  override truncate(_element: number, { start }: OffsetRange): OffsetRange | undefined {
    return start === 0 ? { start, end: 1 } : undefined;
  }
  newTracker(range: OffsetRange): OffsetRangeTracker {
    return new OffsetRangeTracker(range);
  }
  async process(
    _element: number,
    tracker: RestrictionTracker<OffsetRange, number>,
    ctx: SplittableContext<typeof outputs>,
  ): Promise<ProcessContinuation> {
    assert.equal(ctx.heedsReady, false);
    if (waitBefore) {
      await new Promise<void>((resolve) => {
        goOn = resolve;
      });
    }
    for (let i = tracker.restriction.start; ; i++) {
      if (i === 5 && tracker.restriction.start < 5 && tracker.restriction.end > 5) {
        ctx.watermark.set(5_250);
        return resume(1_500);
      }
      if (!tracker.tryClaim(i)) return stop();
      ctx.emit.main(i);
      if (i === waitAt) {
        await new Promise<void>((resolve) => {
          goOn = resolve;
        });
      }
    }
  }
}
registerDoFn(Count);

interface Sized {
  readonly key: {
    readonly key: number;
    readonly value: { readonly key: OffsetRange; readonly value: number };
  };
  readonly value: number;
}

describe("worker, splittable DoFns", () => {
  let test: WorkerUnderTest;
  let coders: ProtoCoders;

  afterEach(() => test.close());

  async function start(options: { readonly honoursMs?: boolean } = {}): Promise<void> {
    waitAt = Number.POSITIVE_INFINITY;
    goOn = undefined;
    waitBefore = false;
    test = await WorkerUnderTest.start(options);
    const { pipeline, root } = createPipeline();
    parDo("Count", create("Ends", root, [1], ints), new Count(null));
    const proto = runnerApi.Pipeline.clone(protoOf(pipeline));
    const components = proto.components!;
    const [, count] = Object.entries(components.transforms).find(
      ([, { uniqueName }]) => uniqueName === "Count",
    )!;
    const [input] = Object.values(count.inputs);
    const { coderId } = components.pcollections[input!]!;
    const { restrictionCoderId } = runnerApi.ParDoPayload.fromBinary(count.spec!.payload);
    const kv = (key: string, value: string): runnerApi.Coder => ({
      spec: { urn: CoderUrn.KV, payload: new Uint8Array() },
      componentCoderIds: [key, value],
    });
    components.coders.paired = kv(coderId, restrictionCoderId);
    components.coders.double = {
      spec: { urn: CoderUrn.DOUBLE, payload: new Uint8Array() },
      componentCoderIds: [],
    };
    components.coders.sized = kv("paired", "double");
    for (const name of ["paired", "sized", "truncated"]) {
      const coder = name === "truncated" ? "sized" : name;
      components.pcollections[name] = {
        ...components.pcollections[input!]!,
        uniqueName: name,
        coderId: coder,
      };
    }
    const step = (name: string, urn: string, from: string, to: Record<string, string>): void => {
      const spec = { urn, payload: count.spec!.payload };
      components.transforms[name] = { ...count, uniqueName: name, spec, inputs: { in: from }, outputs: to };
    };
    step("pair", urns.sdfPair, input!, { out: "paired" });
    step("split", urns.sdfSplitAndSize, "paired", { out: "sized" });
    step("truncate", urns.sdfTruncate, "sized", { out: "truncated" });
    step("process", urns.sdfProcess, "sized", count.outputs);
    const add = (id: string, ...steps: string[]): void => {
      test.runner.descriptors.set(id, descriptorOf(proto, steps, test.runner.endpoint, id));
    };
    add("pair", "pair", "split");
    add("truncate", "truncate");
    add("process", "process");
    coders = new ProtoCoders(test.runner.descriptors.get("process")!.coders);
  }

  /** Ranges as elements of the process step. */
  function work(...ranges: readonly OffsetRange[]): Buffer {
    const windowed = coders.get("windowed sized");
    return Buffer.concat(
      ranges.map((range) => {
        const value: Sized = {
          key: { key: 9, value: { key: range, value: ELEMENT_TIMESTAMP } },
          value: range.end - range.start,
        };
        const element = { value, timestamp: ELEMENT_TIMESTAMP, windows: IN_GLOBAL_WINDOW, pane: NO_FIRING };
        return encodeToBytes(windowed, element, "nested");
      }),
    );
  }

  function decodeWork(bytes: Uint8Array): [OffsetRange, number][] {
    const reader = new ByteReader(Buffer.from(bytes));
    const ranges: [OffsetRange, number][] = [];
    while (reader.remaining > 0) {
      const { value } = coders.get("windowed sized").decode(reader, "nested") as { value: Sized };
      ranges.push([value.key.value.key, value.value]);
    }
    return ranges;
  }

  async function run(descriptor: string, elements: Buffer): Promise<fnApi.ProcessBundleResponse> {
    const id = await test.runner.startBundle(descriptor);
    await test.runner.sendData(id, elements);
    return finish(id);
  }

  async function finish(id: string): Promise<fnApi.ProcessBundleResponse> {
    const { error, response } = await test.runner.answer(id);
    assert.equal(error, "");
    assert.ok(response.oneofKind === "processBundle");
    return response.processBundle;
  }

  async function split(
    id: string,
    fraction: number,
    elements: number,
  ): Promise<fnApi.ProcessBundleSplitResponse> {
    const desired = {
      fractionOfRemainder: fraction,
      estimatedInputElements: BigInt(elements),
      allowedSplitPoints: [],
    };
    const { error, response } = await test.runner.ask({
      oneofKind: "processBundleSplit",
      processBundleSplit: { instructionId: id, desiredSplits: { source: desired } },
    });
    assert.equal(error, "");
    assert.ok(response.oneofKind === "processBundleSplit");
    return response.processBundleSplit;
  }

  const millis = ({ seconds, nanos }: Timestamp): number => Number(seconds) * 1000 + nanos / 1e6;
  const counted = async (id: string): Promise<number[]> =>
    decodeElements(ints, await test.runner.output(id)).map(([value]) => value);

  it("pair elements with restrictions, and split and size them", async () => {
    await start();
    const id = await test.runner.startBundle("pair");
    const windowed = new ProtoCoders(test.runner.descriptors.get("pair")!.coders).get(
      `windowed ${Object.values(test.runner.descriptors.get("pair")!.transforms.source!.outputs)[0]}`,
    );
    const element = { value: 8, timestamp: 5, windows: IN_GLOBAL_WINDOW, pane: NO_FIRING };
    await test.runner.sendData(id, encodeToBytes(windowed, element, "nested"));
    await finish(id);
    assert.deepEqual(decodeWork(await test.runner.output(id)), [
      [{ start: 0, end: 4 }, 4],
      [{ start: 4, end: 8 }, 4],
    ]);
  });

  it("truncate on drain: what is left is sized anew, the rest is dropped", async () => {
    await start();
    const id = await test.runner.startBundle("truncate");
    await test.runner.sendData(id, work({ start: 0, end: 9 }, { start: 3, end: 9 }));
    await finish(id);
    assert.deepEqual(decodeWork(await test.runner.output(id)), [[{ start: 0, end: 1 }, 1]]);
  });

  it("give back what they put off: element, watermark of every output, delay in whole seconds for Flink", async () => {
    await start({ honoursMs: false });
    const { residualRoots } = await run("process", work({ start: 0, end: 9 }));
    assert.equal(residualRoots.length, 1);
    const { application, requestedTimeDelay } = residualRoots[0]!;
    assert.equal(application!.transformId, "do");
    assert.equal(application!.inputId, "in");
    assert.deepEqual(decodeWork(application!.element), [[{ start: 5, end: 9 }, 4]]);
    assert.deepEqual(Object.keys(application!.outputWatermarks), ["main"]);
    assert.equal(millis(application!.outputWatermarks.main!), 5_250);
    assert.equal(application!.isBounded, runnerApi.IsBounded_Enum.UNBOUNDED);
    assert.deepEqual(requestedTimeDelay, { seconds: 2n, nanos: 0 });
    const { residualRoots: none } = await run("process", application!.element as Buffer);
    assert.deepEqual(none, [], "a restriction that is done leaves nothing");
  });

  it("keep the milliseconds of a delay where the runner looks at them", async () => {
    await start();
    const { residualRoots } = await run("process", work({ start: 0, end: 9 }));
    assert.deepEqual(residualRoots[0]!.requestedTimeDelay, { seconds: 1n, nanos: 500_000_000 });
  });

  it("are cut within the element in progress; what is given away does not come twice", async () => {
    await start();
    waitAt = 11;
    const id = await test.runner.startBundle("process");
    await test.runner.sendData(id, work({ start: 10, end: 20 }, { start: 30, end: 33 }));
    await until("the claim of 11", () => goOn);
    const { primaryRoots, residualRoots, channelSplits } = await split(id, 0, 2);
    assert.deepEqual(channelSplits, [
      { transformId: "source", lastPrimaryElement: -1n, firstResidualElement: 1n },
    ]);
    assert.deepEqual(decodeWork(primaryRoots[0]!.element), [[{ start: 10, end: 12 }, 2]]);
    assert.deepEqual(decodeWork(residualRoots[0]!.application!.element), [[{ start: 12, end: 20 }, 8]]);
    goOn!();
    const response = await finish(id);
    assert.deepEqual(response.residualRoots, []);
    assert.deepEqual(await counted(id), [10, 11]);
  });

  it("are not cut before the first claim, however long they wait for it", async () => {
    await start();
    waitBefore = true;
    const id = await test.runner.startBundle("process");
    await test.runner.sendData(id, work({ start: 10, end: 20 }));
    await until("the wait before the first claim", () => goOn);
    assert.deepEqual(await split(id, 0, 1), { primaryRoots: [], residualRoots: [], channelSplits: [] });
    assert.deepEqual(await split(id, 0.5, 1), { primaryRoots: [], residualRoots: [], channelSplits: [] });
    goOn!();
    await finish(id);
    assert.equal((await counted(id)).length, 10);
  });

  it("are cut between elements; those given away are skipped", async () => {
    await start();
    waitAt = 11;
    const id = await test.runner.startBundle("process");
    const ranges = [10, 20, 30, 40].map((from) => ({ start: from, end: from + 2 }));
    await test.runner.sendData(id, work(...ranges), false);
    await until("the claim of 11", () => goOn);
    const { primaryRoots, residualRoots, channelSplits } = await split(id, 0.5, 4);
    assert.deepEqual([primaryRoots, residualRoots], [[], []]);
    assert.deepEqual(channelSplits, [
      { transformId: "source", lastPrimaryElement: 1n, firstResidualElement: 2n },
    ]);
    await test.runner.sendData(id, Buffer.alloc(0));
    goOn!();
    await finish(id);
    assert.deepEqual(await counted(id), [10, 11, 20, 21]);
  });

  it("tell of the progress of the element in work", async () => {
    await start();
    waitAt = 12;
    const id = await test.runner.startBundle("process");
    await test.runner.sendData(id, work({ start: 10, end: 20 }));
    await until("the claim of 12", () => goOn);
    const { response } = await test.runner.ask({
      oneofKind: "processBundleProgress",
      processBundleProgress: { instructionId: id },
    });
    assert.ok(response.oneofKind === "processBundleProgress");
    const amounts = response.processBundleProgress.monitoringInfos
      .filter(({ urn }) => urn.startsWith("beam:metric:ptransform_progress:"))
      .map(({ urn, payload }) => [urn.split(":")[3], Buffer.from(payload).readDoubleBE(4)]);
    assert.deepEqual(amounts, [
      ["completed", 3],
      ["remaining", 7],
    ]);
    goOn!();
    await finish(id);
  });
});
