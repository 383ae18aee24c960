import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "../../../../beam/harness/worker.js";
import { stderrLog } from "../../../../beam/harness/worker_log.js";
import { ByteReader } from "../../../../beam/model/bytes.js";
import { create } from "../../../../beam/sdk/create.js";
import type { ElementContext } from "../../../../beam/sdk/do_fn.js";
import { DoFn } from "../../../../beam/sdk/do_fn.js";
import { createPipeline, parDo } from "../../../../beam/sdk/graph.js";
import { counter } from "../../../../beam/sdk/metrics.js";
import { registerDoFn } from "../../../../beam/sdk/registry.js";
import { until } from "../../../fixtures/until.js";
import { doFn, ints, type Main, strings } from "../runners/small_graphs.js";
import { decodeElements, encodeElements, WorkerUnderTest } from "./worker_under_test.js";

const life: string[] = [];

/** Tells of its life; -1 is more than it can bear. */
class Doubled extends DoFn<number, Main> {
  static readonly urn = "test:dofn:harness_doubled:v1";
  readonly outputs = { main: strings };
  override readonly metrics = { seen: counter() };
  override setup(): void {
    life.push("setup");
  }
  override teardown(): void {
    life.push("teardown");
  }
  process(element: number, ctx: ElementContext<Main>): void {
    if (element === -1) throw new Error("not minus one");
    this.metrics.seen.inc();
    ctx.emit.main(String(2 * element));
  }
}
registerDoFn(Doubled);

/** Keeps its bundle open until the test lets it go. */
let release: () => void = () => undefined;
const held = doFn<number>("test:dofn:harness_held:v1", (element, ctx) => ctx.emit.main(String(element)));
(held.constructor as any).prototype.finishBundle = () =>
  new Promise<void>((resolve) => {
    release = resolve;
  });

describe("worker, control", () => {
  let test: WorkerUnderTest;

  beforeEach(async () => {
    life.length = 0;
    test = await WorkerUnderTest.start();
    const { pipeline, root } = createPipeline();
    const numbers = create("Numbers", root, [1], ints);
    parDo("Double", numbers, new Doubled(null));
    parDo("Hold", numbers, held);
    test.describe(pipeline, ["Double"]);
    test.describe(pipeline, ["Hold"], "held");
  });
  afterEach(() => test.close());

  const elements = (...values: number[]): Buffer =>
    encodeElements(ints, ...values.map((value) => [value, 10] as const));

  async function run(...values: number[]): Promise<string> {
    const id = await test.runner.startBundle("d");
    await test.runner.sendData(id, elements(...values));
    return id;
  }

  it("runs a bundle: output, terminator, answer, the worker's id on every call", async () => {
    const id = await run(1, 2);
    const { error, response } = await test.runner.answer(id);
    assert.equal(error, "");
    assert.equal(response.oneofKind, "processBundle");
    assert.deepEqual(decodeElements(strings, await test.runner.output(id)), [
      ["2", 10],
      ["4", 10],
    ]);
    const last = test.runner.sent(id).data.at(-1)!;
    assert.equal(last.isLast, true);
    assert.equal(last.data.length, 0, "the terminator is a segment of its own");
    assert.deepEqual([...test.runner.workerIds], ["worker[1]"]);
  });

  it("takes input that comes before its bundle is asked for", async () => {
    await test.runner.answer(await run(1));
    await test.runner.sendData("early", elements(5), false);
    await test.runner.sendData("early", elements(6));
    await sleep(30);
    await test.runner.startBundle("d", "early");
    await test.runner.answer("early");
    assert.deepEqual(decodeElements(strings, await test.runner.output("early")), [
      ["10", 10],
      ["12", 10],
    ]);
  });

  it("sends a terminator where there was no output", async () => {
    const id = await run();
    await test.runner.answer(id);
    assert.equal((await test.runner.output(id)).length, 0);
  });

  it("asks once for a descriptor, and uses a processor again", async () => {
    const ids = [await run(1), await run(2)];
    for (const id of ids) await test.runner.answer(id);
    await test.runner.answer(await run(3));
    assert.deepEqual(test.runner.descriptorRequests, ["d"]);
    assert.ok(life.filter((event) => event === "setup").length <= 2);
  });

  it("knows registered descriptors", async () => {
    const descriptor = test.runner.descriptors.get("d")!;
    test.runner.descriptors.clear();
    const register = { processBundleDescriptor: [descriptor] };
    assert.equal((await test.runner.ask({ oneofKind: "register", register })).error, "");
    const id = await run(4);
    assert.equal((await test.runner.answer(id)).error, "");
    assert.deepEqual(test.runner.descriptorRequests, []);
  });

  it("answers a failed bundle with the stack, throws its processor away, and goes on", async () => {
    const failed = await run(1, -1);
    const { error } = await test.runner.answer(failed);
    assert.match(error, /not minus one/);
    assert.match(error, /at Doubled\.process/);
    await until("the teardown", () => life.includes("teardown"));
    const id = await run(7);
    assert.equal((await test.runner.answer(id)).error, "");
    assert.deepEqual(life, ["setup", "teardown", "setup"]);
    // What the failed bundle counted is gone with it.
    assert.equal(await metric(id, "beam:metric:user:sum_int64:v1"), 1);
  });

  it("names step, element and coder of bytes that are no element", async () => {
    const id = await test.runner.startBundle("d");
    await test.runner.sendData(id, Buffer.concat([elements(1), Buffer.alloc(13), Buffer.from([0xff])]));
    const { error } = await test.runner.answer(id);
    assert.match(error, /Source: element 1, at byte 14 of its segment, cannot be decoded by VarintCoder/);
  });

  it("does not queue one bundle behind another", async () => {
    const slow = await test.runner.startBundle("held");
    await test.runner.sendData(slow, elements(1));
    const quick = await run(1);
    await test.runner.answer(quick);
    assert.ok(!test.runner.responses.has(slow));
    release();
    assert.equal((await test.runner.answer(slow)).error, "");
    assert.deepEqual(test.runner.answered, [quick, slow]);
  });

  it("tells bundles under way, over, failed and unknown apart", async () => {
    const ask = async (instructionId: string) => {
      const split = await test.runner.ask({
        oneofKind: "processBundleSplit",
        processBundleSplit: { instructionId, desiredSplits: {} },
      });
      const progress = await test.runner.ask({
        oneofKind: "processBundleProgress",
        processBundleProgress: { instructionId },
      });
      return [split.error.split("\n")[0], progress.error.split("\n")[0]];
    };
    const done = await run(1);
    await test.runner.answer(done);
    const failed = await run(-1);
    await test.runner.answer(failed);
    const waiting = await test.runner.startBundle("d");
    assert.deepEqual(await ask(waiting), ["", ""]);
    assert.deepEqual(await ask(done), ["", ""]);
    assert.match((await ask(failed)).join(), /has failed.*has failed/);
    assert.match((await ask("nobody")).join(), /Unknown process bundle nobody/);
    await test.runner.sendData(waiting, elements());
    await test.runner.answer(waiting);
  });

  it("answers what it does not know with an error", async () => {
    const { error, response } = await test.runner.ask({ oneofKind: undefined });
    assert.match(error, /does not know/);
    assert.equal(response.oneofKind, undefined);
    assert.match((await test.runner.askOfTomorrow("sample")).error, /does not know/);
    assert.equal((await test.runner.answer(await run(1))).error, "");
  });

  it("answers a finalization of which it knows nothing", async () => {
    const { error } = await test.runner.ask({
      oneofKind: "finalizeBundle",
      finalizeBundle: { instructionId: "nobody" },
    });
    assert.equal(error, "");
  });

  it("reports elements, metrics and how far it read, and explains its short ids", async () => {
    const id = await run(1, 2, 3);
    assert.equal(await metric(id, "beam:metric:user:sum_int64:v1"), 3);
    assert.equal(await metric(id, "beam:metric:data_channel:read_index:v1"), 3);
    assert.equal(await metric(id, "beam:metric:element_count:v1"), 3);
    const again = await run(1);
    assert.equal(await metric(again, "beam:metric:user:sum_int64:v1"), 1, "each bundle counts anew");
  });

  it("gives whole monitoring infos too, unless the runner says that it needs none", async () => {
    const { response } = await test.runner.answer(await run(1));
    assert.ok(response.oneofKind === "processBundle" && response.processBundle.monitoringInfos.length > 0);
    await test.close();
    test = await WorkerUnderTest.start({
      runnerCapabilities: ["beam:protocol:monitoring_info_short_ids:v1"],
    });
    const { pipeline, root } = createPipeline();
    parDo("Double", create("Numbers", root, [1], ints), new Doubled(null));
    test.describe(pipeline, ["Double"]);
    const { response: short } = await test.runner.answer(await run(1));
    assert.ok(short.oneofKind === "processBundle");
    assert.deepEqual(short.processBundle.monitoringInfos, []);
    assert.notDeepEqual(short.processBundle.monitoringData, {});
  });

  it("tells no two bundles' counts under one short id before the runner has asked what it means", async () => {
    const told = async (id: string): Promise<string[]> => {
      const { response } = await test.runner.answer(id);
      assert.ok(response.oneofKind === "processBundle");
      return Object.keys(response.processBundle.monitoringData);
    };
    const first = await told(await run(1));
    const second = await told(await run(1));
    assert.deepEqual(
      second.filter((shortId) => first.includes(shortId)),
      [],
    );
    const underWay = await test.runner.startBundle("d");
    await until("the bundle to run", () => test.worker.status().includes(underWay), 5_000);
    const monitoringInfoId = [...first, ...second];
    const { response } = await test.runner.ask({
      oneofKind: "monitoringInfos",
      monitoringInfos: { monitoringInfoId },
    });
    assert.ok(response.oneofKind === "monitoringInfos");
    const infos = response.monitoringInfos.monitoringInfo;
    // Of a step that took less than a millisecond no time is told.
    const isCount = (shortId: string) => !infos[shortId]!.urn.includes("execution_time");
    assert.deepEqual(
      second.filter(isCount).map((shortId) => infos[shortId]),
      first.filter(isCount).map((shortId) => infos[shortId]),
    );
    await test.runner.sendData(underWay, encodeElements(ints, [1, 0]));
    // The runner may take this bundle's counts before the answer that it waits for.
    assert.deepEqual(
      (await told(underWay)).filter((shortId) => monitoringInfoId.includes(shortId)),
      [],
    );
    const last = new Set(await told(await run(1)));
    assert.deepEqual(
      first.filter(isCount).filter((shortId) => !last.has(shortId)),
      [],
      "once it is known, one id is enough",
    );
  });

  /** The value of a bundle's first metric with this URN, found by its short id. */
  async function metric(id: string, urn: string): Promise<number | undefined> {
    const { response } = await test.runner.answer(id);
    assert.ok(response.oneofKind === "processBundle");
    const { monitoringData } = response.processBundle;
    const known = await test.runner.ask({
      oneofKind: "monitoringInfos",
      monitoringInfos: { monitoringInfoId: Object.keys(monitoringData) },
    });
    assert.ok(known.response.oneofKind === "monitoringInfos");
    const infos = Object.entries(known.response.monitoringInfos.monitoringInfo);
    const found = infos.find(([, info]) => info.urn === urn);
    if (found === undefined) return undefined;
    return new ByteReader(Buffer.from(monitoringData[found[0]]!)).readVarint();
  }
});

describe("worker, its end", () => {
  it("comes when the runner closes the control stream", async () => {
    const test = await WorkerUnderTest.start();
    await test.runner.ask({ oneofKind: "register", register: { processBundleDescriptor: [] } });
    test.runner.endStreams();
    await test.worker.finished;
    await test.close();
  });

  it("comes with a message when the runner goes away, also in the middle of a bundle", async function () {
    this.timeout(30_000);
    const test = await WorkerUnderTest.start();
    const { pipeline, root } = createPipeline();
    parDo("Double", create("Numbers", root, [1], ints), new Doubled(null));
    test.describe(pipeline, ["Double"]);
    const id = await test.runner.startBundle("d");
    await test.runner.sendData(id, Buffer.alloc(0), false);
    test.runner.kill();
    await assert.rejects(test.worker.finished, /the control stream at .* \((UNAVAILABLE|CANCELLED)\)/);
  });

  it("comes with a message when nobody answers", async () => {
    const worker = new Worker({
      workerId: "w",
      controlEndpoint: "127.0.0.1:1",
      log: stderrLog,
      reachTimeoutMs: 200,
    });
    await assert.rejects(
      worker.finished,
      /the control service at 127\.0\.0\.1:1 did not answer within 0\.2 s/,
    );
  });

  it("is put off when it could not be made ready: each bundle says why", async () => {
    const test = await WorkerUnderTest.start({ initialError: new Error("no such topic") });
    const id = await test.runner.startBundle("d");
    assert.match((await test.runner.answer(id)).error, /no such topic/);
    await test.close();
  });
});
