import assert from "node:assert/strict";
import * as beam from "../../../../beam/index.js";

const key = beam.defineDoFn({
  urn: "test:define:key:v1",
  outputs: { main: beam.coders.kv(beam.coders.string, beam.coders.string), rest: beam.coders.string },
  config: { lengthMin: 2 },
  metrics: () => ({ short: beam.counter() }),
  process(word: string, ctx) {
    if (word.length >= this.config.lengthMin) return ctx.emit.main({ key: word, value: word });
    this.metrics.short.inc();
    ctx.emit.rest(word);
  },
});

const count = beam.defineStatefulDoFn({
  urn: "test:define:count:v1",
  outputs: { main: beam.coders.string },
  state: { count: beam.valueState(beam.coders.int) },
  timers: { end: beam.eventTimeTimer() },
  config: { label: "of" },
  process({ key }: beam.KV<string, string>, ctx) {
    const now = (ctx.state.count.read() ?? 0) + 1;
    ctx.state.count.write(now);
    if (now === 1) ctx.timers.end.set(1_000);
    assert.equal(typeof key, "string");
  },
  onTimer: {
    end(ctx) {
      ctx.emit.main(`${ctx.state.count.read()} ${this.config.label} ${ctx.key}`);
    },
  },
});

async function run(
  words: string[],
  config: { lengthMin?: number },
): Promise<{ lines: string[]; short: number }> {
  const { pipeline, root } = beam.createPipeline();
  const { main } = beam.parDo("Key", beam.create("Words", root, words, beam.coders.string), key(config));
  const lines = beam.parDo("Count", main, count({ label: "times" })).main;
  beam.parDo("Take", lines, take());
  taken.length = 0;
  const job = await beam.runPipeline(pipeline);
  await job.finished;
  return { lines: taken.sort(), short: job.metrics.counter("short") };
}

const taken: string[] = [];
const take = beam.defineDoFn({
  urn: "test:define:take:v1",
  outputs: {},
  process(line: string) {
    taken.push(line);
  },
});

describe("defineDoFn and defineStatefulDoFn", () => {
  it("run with their configuration, state, timers and metrics", async () => {
    const { lines, short } = await run(["to", "be", "or", "not", "to", "a"], {});
    assert.deepEqual(lines, ["1 times be", "1 times not", "1 times or", "2 times to"]);
    assert.equal(short, 1);
  });

  it("take what is given over the defaults", async () => {
    const { lines, short } = await run(["to", "be", "not"], { lengthMin: 3 });
    assert.deepEqual(lines, ["1 times not"]);
    assert.equal(short, 2);
  });

  it("refuse a URN that another DoFn has", () => {
    assert.throws(
      () => beam.defineDoFn({ urn: "test:define:key:v1", outputs: {}, process(_: string) {} }),
      /the URN test:define:key:v1 belongs to/,
    );
  });
});
