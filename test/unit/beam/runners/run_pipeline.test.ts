import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as beam from "../../../../beam/index.js";

const seen: string[] = [];
const remember = beam.defineStatefulDoFn({
  urn: "test:run_pipeline:remember:v1",
  outputs: {},
  state: { count: beam.valueState(beam.coders.int) },
  process({ key }: beam.KV<string, string>, ctx) {
    const count = (ctx.state.count.read() ?? 0) + 1;
    ctx.state.count.write(count);
    seen.push(`${key} ${count}`);
  },
});
const itself = beam.keyFn("test:run_pipeline:itself:v1", beam.coders.string, (word: string) => word);

function graph(words: string[]): beam.Pipeline {
  const { pipeline, root } = beam.createPipeline();
  const keyed = beam.withKeys("Key", beam.create("Words", root, words, beam.coders.string), itself);
  beam.parDo("Remember", keyed, remember());
  return pipeline;
}

describe("runPipeline", () => {
  const folder = mkdtempSync(join(tmpdir(), "run-pipeline-"));
  after(() => rmSync(folder, { recursive: true, force: true }));

  it("keeps state in a directory, and lets go of it when the run has ended", async () => {
    const stateDir = join(folder, "state");
    const first = await beam.runPipeline(graph(["a", "b", "a"]), { runner: "direct", stateDir });
    await first.finished;
    assert.deepEqual(seen.sort(), ["a 1", "a 2", "b 1"]);
    const again = await beam.runPipeline(graph(["a", "b", "a"]), { runner: "direct", stateDir });
    await again.finished;
    assert.equal(seen.length, 3, "a bounded pipeline that has ended reads nothing again");
  });

  it("passes the direct runner's options on", async () => {
    const { Health, systemClock } = await import("../../../../beam/direct.js");
    const health = new Health(systemClock, () => undefined);
    const run = await beam.runPipeline(graph(["c"]), { runner: "direct", health });
    health.report("here", "wrong");
    assert.equal(run.health().length, 1);
    await run.finished;
  });

  it("refuses a directory beside a store", async () => {
    const { MemoryStore } = await import("../../../../beam/direct.js");
    await assert.rejects(
      beam.runPipeline(graph(["d"]), { runner: "direct", stateDir: folder, store: new MemoryStore() }),
      /either stateDir or store/,
    );
  });
});
