/** What the page of a job shows of a worker: sizes of elements, times of steps, and steps that take long. */
import assert from "node:assert/strict";
import { OngoingBundles } from "../../../../beam/harness/ongoing.js";
import { ByteReader } from "../../../../beam/model/bytes.js";
import { VirtualClock } from "../../../../beam/platform/clock.js";
import { create } from "../../../../beam/sdk/create.js";
import { DoFn, type ElementContext } from "../../../../beam/sdk/do_fn.js";
import { createPipeline, parDo } from "../../../../beam/sdk/graph.js";
import { registerDoFn } from "../../../../beam/sdk/registry.js";
import { ints, type Main, strings } from "../runners/small_graphs.js";
import { encodeElements, WorkerUnderTest } from "./worker_under_test.js";

const BUSY_MS = 20;

/** Keeps the processor busy for a while with each element. */
class Busy extends DoFn<number, Main> {
  static readonly urn = "test:dofn:harness_busy:v1";
  readonly outputs = { main: strings };
  process(value: number, ctx: ElementContext<Main>): void {
    const end = performance.now() + BUSY_MS;
    while (performance.now() < end) {
      // It works.
    }
    ctx.emit.main(String(value));
  }
}
registerDoFn(Busy);

/** Passes on what it gets. */
class Quick extends DoFn<string, Main> {
  static readonly urn = "test:dofn:harness_quick:v1";
  readonly outputs = { main: strings };
  process(text: string, ctx: ElementContext<Main>): void {
    ctx.emit.main(text);
  }
}
registerDoFn(Quick);

describe("worker, what a job's page shows", () => {
  it("is told sizes of elements that come and go, and how long each step took", async () => {
    const test = await WorkerUnderTest.start();
    try {
      const { pipeline, root } = createPipeline();
      const { main } = parDo("Busy", create("Numbers", root, [1], ints), new Busy(null));
      parDo("Quick", main, new Quick(null));
      test.describe(pipeline, ["Busy", "Quick"]);
      const id = await test.runner.startBundle("d");
      await test.runner.sendData(id, encodeElements(ints, [1, 10], [2, 10], [3, 10]));
      const { response } = await test.runner.answer(id);
      assert.ok(response.oneofKind === "processBundle");
      const infos = response.processBundle.monitoringInfos;
      const sizes = infos.filter(({ urn }) => urn === "beam:metric:sampled_byte_size:v1");
      assert.equal(sizes.length, 2, "of what comes in, and of what goes out");
      for (const { payload, labels } of sizes) {
        assert.ok(labels.PCOLLECTION);
        const reader = new ByteReader(Buffer.from(payload));
        const [count, sum, min, max] = [0, 1, 2, 3].map(() => reader.readVarint());
        assert.deepEqual([count, sum], [1, min]);
        assert.equal(min, max);
        assert.ok(sum! > 8 && sum! < 40, `${sum} bytes`);
      }
      const times = (urn: string) =>
        new Map(
          infos
            .filter((info) => info.urn === urn)
            .map(({ labels, payload }) => [
              labels.PTRANSFORM!,
              new ByteReader(Buffer.from(payload)).readVarint(),
            ]),
        );
      const total = times("beam:metric:ptransform_execution_time:total_msecs:v1");
      assert.deepEqual(times("beam:metric:pardo_execution_time:process_bundle_msecs:v1"), total);
      const [[busiest, ms] = ["", 0]] = [...total].sort(([, a], [, b]) => b - a);
      const name = test.runner.descriptors.get("d")!.transforms[busiest]!.uniqueName;
      assert.equal(name, "Busy");
      assert.ok(ms >= 3 * BUSY_MS - 5, `${ms} ms`);
      assert.ok(
        [...total.values()].reduce((sum, each) => sum + each, 0) < 2 * ms,
        "the quick step took little",
      );
    } finally {
      await test.close();
    }
  });

  it("is told of steps that take long, less and less often", () => {
    const clock = new VirtualClock(0);
    const told: string[] = [];
    const log = { warn: (text: string) => told.push(text) } as never;
    const ongoing = new OngoingBundles(clock, log, 1_000);
    let within = 0;
    ongoing.begin(
      "b1",
      () => "Join",
      (tell) => {
        within++;
        tell();
      },
    );
    for (let ms = 500; ms <= 5_000; ms += 500) clock.advanceTo(ms);
    assert.deepEqual(told.length, 3);
    assert.match(told[0]!, /^Operation ongoing in bundle b1 for at least 1 s, in the step Join$/);
    assert.match(told[2]!, /for at least 4 s/);
    assert.equal(within, 3);
    ongoing.end("b1");
    clock.advanceTo(100_000);
    assert.equal(told.length, 3);
  });
});
