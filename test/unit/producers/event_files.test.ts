/** A scenario as files: what a topic would hold, by partition and in its order. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { produceFiles } from "../../../producers/event_files.js";
import { partitionOf } from "../../../producers/partitioner.js";
import { scenario } from "../../../producers/scenario.js";
import { scenarioOptions, schedule } from "../../../producers/schedule.js";
import { TemporaryFolder } from "../../fixtures/avro_files.js";

const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2026, 0, 1);

describe("event files", () => {
  const folder = new TemporaryFolder();
  after(() => folder.remove());
  const common = {
    which: "all",
    count: 2_000,
    rate: 0,
    seed: 7,
    startMs: START_MS,
    isBackfill: true,
  } as const;

  it("hold what the partitions of a topic would, in its order", async () => {
    const files = 3;
    const written = await produceFiles({
      ...common,
      folder: folder.path,
      format: "jsonl",
      codec: "null",
      files,
    });
    const wanted = new Map<string, string[]>();
    let leftOut = 0;
    const timing = schedule(common, START_MS + DAY_MS);
    for (const { topic, key, value } of scenario(
      scenarioOptions({ ...common, shares: { json: 1 } }, timing),
    )) {
      if (value === null || value.length === 0 || value.includes(0x0a) || value.includes(0x0d)) {
        leftOut++;
        continue;
      }
      const name = `${topic}/part-0000${partitionOf(Buffer.from(key), files)}.jsonl`;
      const lines = wanted.get(name) ?? [];
      lines.push(value.toString("utf8"));
      wanted.set(name, lines);
    }
    assert.equal(written.leftOut, leftOut);
    assert.ok(written.orders > common.count && written.payments > 1_500);
    for (const topic of ["orders", "payments"]) {
      const names = readdirSync(join(folder.path, topic));
      assert.equal(names.length, files);
      for (const name of names) {
        const text = readFileSync(join(folder.path, topic, name), "utf8");
        assert.deepEqual(text.trimEnd().split("\n"), wanted.get(`${topic}/${name}`));
      }
    }
  });

  it("are none where it is broken off", async () => {
    const controller = new AbortController();
    controller.abort(new Error("enough"));
    const target = join(folder.path, "broken");
    const options = {
      ...common,
      count: 20_000,
      folder: target,
      format: "avro",
      codec: "snappy",
      files: 2,
    } as const;
    await assert.rejects(produceFiles({ ...options, signal: controller.signal }), /enough/);
    for (const topic of ["orders", "payments"]) assert.deepEqual(readdirSync(join(target, topic)), []);
  });
});

describe("a backfill", () => {
  const options = { which: "all", count: 86_400, rate: 500, isBackfill: true } as const;

  it("is a day that is over, sent without waiting for anything", () => {
    const now = Date.UTC(2026, 5, 1);
    const { startMs, eventRatePerSecond, dueMs } = schedule(options, now);
    assert.equal(dueMs, undefined);
    assert.equal(eventRatePerSecond, 1);
    const endMs = startMs + DAY_MS;
    assert.ok(endMs < now - 15 * 60_000 && endMs > now - 60 * 60_000, new Date(endMs).toISOString());
  });

  it("has an end", () => {
    assert.throws(
      () => schedule({ ...options, count: Number.POSITIVE_INFINITY }, 0),
      /a backfill needs a number of orders/,
    );
  });
});
