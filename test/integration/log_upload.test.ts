/** The log of a process that is killed, in a bucket of an emulator of Google Cloud Storage. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GcsObjectStore } from "../../connectors/gcs/gcs_object_store.js";
import { CommandLine, environmentOf } from "../fixtures/command_line.js";
import { EventTopics } from "../fixtures/event_topics.js";
import { gcsFixture, kafkaFixture, mongodbFixture } from "../fixtures/services.js";
import { TestDatabase } from "../fixtures/test_run.js";
import { until } from "../fixtures/until.js";

describe("the log in a bucket", function () {
  this.timeout(60_000);
  const kafka = kafkaFixture();
  const mongodb = mongodbFixture();
  const gcs = gcsFixture();
  let topics: EventTopics;
  let database: TestDatabase;
  let folder: string;

  before(async () => {
    topics = await EventTopics.create(kafka.bootstrap(), 1);
    database = await TestDatabase.open(mongodb.uri());
    folder = mkdtempSync(join(tmpdir(), "log-upload-"));
  });
  after(async () => {
    rmSync(folder, { recursive: true, force: true });
    await database?.close();
    await topics?.close();
  });

  it("has all lines of a process that was killed, but for the last moment's, and those with the next start", async () => {
    const bucket = await gcs.newBucket();
    const environment = {
      ...environmentOf(kafka.bootstrap(), topics, database),
      LOG_DIR: folder,
      LOG_LEVEL: "debug",
      GCS_LOG_PATH: `gs://${bucket}/logs`,
      LOG_UPLOAD_INTERVAL: "1s",
      STORAGE_EMULATOR_HOST: gcs.apiEndpoint(),
    };
    const store = await GcsObjectStore.open({ bucket, prefix: "logs" }, { apiEndpoint: gcs.apiEndpoint() });
    const inBucket = async (): Promise<string> => {
      let text = "";
      for await (const { name } of store.list()) {
        for await (const chunk of (await store.get(name)).bytes) text += Buffer.from(chunk).toString();
      }
      return text;
    };
    const onDisk = (): string =>
      readdirSync(folder)
        .sort()
        .map((name) => readFileSync(join(folder, name), "utf8"))
        .join("");

    const run = new CommandLine(["run"], environment);
    await until("a line of progress", () => run.stderr.includes('"msg":"progress"'), 40_000);
    const written = onDisk();
    await until(
      "what was written by then",
      // The emulator has no object for the moment in which it is replaced.
      async () => (await inBucket().catch(() => "")).startsWith(written),
      10_000,
    );
    run.kill("SIGUSR2");
    await until("another level", () => run.stderr.includes("the level of the log has changed"));
    run.kill("SIGKILL");
    await run.ended;
    const left = onDisk();
    assert.ok(left.includes("the level of the log has changed"));
    // Every line that stderr has is in the file.
    const first = JSON.parse(left.split("\n")[0]!);
    assert.equal(first.msg, "the log is kept in files");

    const next = new CommandLine(["run", "--bounded", "--summary=json"], environment);
    await next.summary();
    const all = await inBucket();
    assert.ok(all.startsWith(left), "what the killed process had left on disk is there now");
    assert.equal(all, onDisk(), "so is all of the next one's");
  });
});
