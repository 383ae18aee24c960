import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Health, systemClock } from "@order-payment-stream/beam/direct";
import { MemoryObjectStore } from "../../../../beam/store/checkpoint/memory_object_store.js";
import { LogFiles } from "../../../../pipeline/logs/log_files.js";
import { LogUploader } from "../../../../pipeline/logs/log_uploader.js";
import { until } from "../../../fixtures/until.js";

const LINE = `${"x".repeat(99)}\n`;

describe("the log in files", () => {
  let folder: string;
  let now: number;
  const health = new Health(systemClock);

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "log-files-"));
    now = Date.parse("2026-01-31T12:00:00Z");
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const open = (changes: Partial<ConstructorParameters<typeof LogFiles>[0]> = {}): LogFiles =>
    new LogFiles({
      folder,
      bytesMax: 1_000,
      ageMaxMs: 60_000,
      keptMs: 60_000,
      health,
      now: () => now,
      ...changes,
    });
  const contents = (): string[] =>
    readdirSync(folder)
      .sort()
      .map((name) => readFileSync(join(folder, name), "utf8"));

  it("is finished by size and by time, and no line is torn or lost", async () => {
    const files = open();
    for (let i = 0; i < 25; i++) files.write(LINE);
    now += 61_000;
    files.write("later\n");
    await files.close();
    assert.deepEqual(contents(), [LINE.repeat(10), LINE.repeat(10), LINE.repeat(5), "later\n"]);
    assert.match(readdirSync(folder).sort()[0]!, /^order-payment-stream-20260131T120000Z-\d+-1\.log$/);
  });

  it("stays as long as it is to, and other files are left alone", async () => {
    writeFileSync(join(folder, "notes.txt"), "mine");
    const files = open({ now: Date.now, keptMs: 0, bytesMax: 100 });
    files.write(LINE);
    files.write(LINE);
    await until("two files", async () => (await files.list()).length === 2);
    await files.prune(() => false);
    assert.equal((await files.list()).length, 2, "what is not in the bucket stays");
    await until("one file", async () => {
      await files.prune();
      return (await files.list()).length === 1;
    });
    assert.equal((await files.list())[0]!.name, files.current, "the one that is written stays");
    await files.close();
    assert.ok(readdirSync(folder).includes("notes.txt"));
  });

  it("is dropped where there is no directory any more, and that is told", async () => {
    rmSync(folder, { recursive: true });
    const files = open();
    files.write(LINE);
    await until("a problem", () => health.problems()[0]?.problem.includes("cannot be written"));
    files.write(LINE);
    await files.close();
    health.clear("log files");
  });

  describe("in a bucket", () => {
    let store: MemoryObjectStore;
    let failing = false;
    const uploads: LogUploader[] = [];

    beforeEach(() => {
      store = new MemoryObjectStore();
      failing = false;
    });
    afterEach(async () => {
      for (const one of uploads.splice(0)) await one.close();
    });

    const uploader = (files: LogFiles): LogUploader => {
      const one = new LogUploader({
        files,
        open: async () => {
          if (failing) throw new Error("the bucket is away");
          return store;
        },
        intervalMs: 3_600_000,
        clock: systemClock,
        health,
        host: "machine-1",
      });
      uploads.push(one);
      return one;
    };
    const inBucket = async (): Promise<string> => {
      let text = "";
      for await (const { name } of store.list("machine-1/")) {
        const chunks: Uint8Array[] = [];
        for await (const chunk of (await store.get(name)).bytes) chunks.push(chunk);
        text += Buffer.concat(chunks).toString();
      }
      return text;
    };

    it("is there while it grows, and at the end", async () => {
      const files = open();
      const up = uploader(files);
      files.write("one\n");
      await until("one", async () => {
        await up.upload();
        return (await inBucket()) === "one\n";
      });
      files.write("two\n");
      await files.close();
      await up.close();
      assert.equal(await inBucket(), "one\ntwo\n");
    });

    it("is there after a crash, at the next start", async () => {
      const left = "order-payment-stream-20260131T115900Z-77-1.log";
      writeFileSync(join(folder, left), "before\n");
      const first = uploader(open());
      await until("the first part", async () => (await inBucket()) === "before\n");
      await first.close();
      // The process went on writing, and was killed before it carried that away.
      appendFileSync(join(folder, left), "the last words\n");
      uploader(open());
      await until("the rest", async () => (await inBucket()) === "before\nthe last words\n");
    });

    it("comes later when the bucket is away, and stays on this machine until then", async () => {
      failing = true;
      const files = open({ keptMs: 0, bytesMax: 10 });
      const up = uploader(files);
      for (let i = 0; i < 3; i++) files.write(`line ${i}, long enough\n`);
      await until("a problem", () => health.problems()[0]?.component === "logs");
      assert.match(health.problems()[0]!.problem, /the bucket is away/);
      await up.upload();
      assert.equal((await files.list()).length, 3);
      failing = false;
      await until("all of it", async () => {
        await up.upload();
        return (await inBucket()).includes("line 2");
      });
      assert.deepEqual(health.problems(), []);
      await files.close();
    });
  });
});
