import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { LoggingChannel } from "../../../../beam/harness/logging_channel.js";
import { create } from "../../../../beam/sdk/create.js";
import { type BundleContext, DoFn, type ElementContext } from "../../../../beam/sdk/do_fn.js";
import { createPipeline, parDo } from "../../../../beam/sdk/graph.js";
import { registerDoFn } from "../../../../beam/sdk/registry.js";
import { valueState } from "../../../../beam/sdk/state.js";
import { eventTimeTimer } from "../../../../beam/sdk/timer.js";
import { until } from "../../../fixtures/until.js";
import { createKeyed, ints, keyedInts, type Main, stateful, strings } from "../runners/small_graphs.js";
import { encodeElements, encodeTimers, WorkerUnderTest } from "./worker_under_test.js";

let log: LoggingChannel;

/** Tells of all that it does. The text "bad" is more than it can bear. */
class Talkative extends DoFn<string, Main, string> {
  static readonly urn = "test:dofn:harness_talkative:v1";
  readonly outputs = { main: strings };
  override setup(): void {
    log.info(`${this.config} setup`);
  }
  override startBundle(): void {
    log.info(`${this.config} start`);
  }
  process(text: string, ctx: ElementContext<Main>): void {
    log.info(`${this.config} before ${text}`);
    if (text === "bad") throw new Error("more than it can bear");
    ctx.emit.main(text);
    log.info(`${this.config} behind ${text}`);
  }
  override async finishBundle(ctx: BundleContext<Main>): Promise<void> {
    await sleep(5);
    ctx.emit.main("last", 0);
    await sleep(5);
    log.info(`${this.config} finish`);
  }
}
registerDoFn(Talkative);

const remember = stateful(
  "test:dofn:harness_log_of_a_key:v1",
  { state: { last: valueState(ints) }, timers: { end: eventTimeTimer() } },
  ({ key, value }: { key: string; value: number }, { state }) => {
    log.info(`element ${key}`);
    state.last.write(value);
  },
  { end: ({ key }) => log.info(`timer ${key}`) },
);

describe("worker, log", () => {
  let test: WorkerUnderTest;

  beforeEach(async () => {
    test = await WorkerUnderTest.start((endpoint) => {
      log = new LoggingChannel(endpoint, "worker[1]");
      return { log };
    });
    const { pipeline, root } = createPipeline();
    const texts = create("Texts", root, ["x"], strings);
    const first = parDo("First", texts, new Talkative("first")).main;
    parDo("Second", first, new Talkative("second"));
    parDo("Remember", createKeyed(root, []), remember);
    test.describe(pipeline, ["First", "Second"]);
    test.describe(pipeline, ["Remember"], "remember");
  });
  afterEach(async () => {
    log.close();
    await test.close();
  });

  /** Entries as [message, transform], of a bundle, when there are so many. */
  async function entries(id: string, count: number): Promise<[string, string][]> {
    const own = () => test.runner.logged.filter(({ instructionId }) => instructionId === id);
    await until(`${count} entries`, () => own().length >= count, 5_000);
    return own().map(({ message, transformId }) => [message, transformId]);
  }

  const texts = (...values: string[]): Buffer =>
    encodeElements(strings, ...values.map((value) => [value, 0] as const));

  it("names bundle and transform in all that user code does, also behind what it waits for", async () => {
    const ids = [await test.runner.startBundle("d"), await test.runner.startBundle("d")];
    await test.runner.sendData(ids[0]!, texts("a"));
    await test.runner.sendData(ids[1]!, texts("b"));
    for (const [i, id] of ids.entries()) {
      const text = ["a", "b"][i]!;
      assert.equal((await test.runner.answer(id)).error, "");
      assert.deepEqual(await entries(id, 12), [
        ["first setup", "do"],
        ["second setup", "do1"],
        ["second start", "do1"],
        ["first start", "do"],
        [`first before ${text}`, "do"],
        [`second before ${text}`, "do1"],
        [`second behind ${text}`, "do1"],
        [`first behind ${text}`, "do"],
        ["second before last", "do1"],
        ["second behind last", "do1"],
        ["first finish", "do"],
        ["second finish", "do1"],
      ]);
    }
  });

  it("names the transform that a bundle failed in", async () => {
    const id = await test.runner.startBundle("d");
    await test.runner.sendData(id, texts("bad"));
    assert.notEqual((await test.runner.answer(id)).error, "");
    const [message, transform] = (await entries(id, 6)).at(-1)!;
    assert.match(message, /^a bundle failed .*more than it can bear/);
    assert.equal(transform, "do");
  });

  it("names them with elements that had to wait for their state, and with timers", async () => {
    const id = await test.runner.startBundle("remember");
    await test.runner.sendData(id, encodeElements(keyedInts, [{ key: "k", value: 1 }, 0]));
    await test.runner.sendTimers(id, "end", encodeTimers(["t", 5]), true);
    assert.equal((await test.runner.answer(id)).error, "");
    assert.deepEqual((await entries(id, 2)).sort(), [
      ["element k", "do"],
      ["timer t", "do"],
    ]);
  });
});
