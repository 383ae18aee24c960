/** Checkpoints as a user has them: by settings, flags and commands, in an emulator of Google Cloud Storage. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../beam/platform/clock.js";
import { CheckpointWriter } from "../../beam/store/checkpoint/checkpoint_writer.js";
import { GcsObjectStore } from "../../connectors/gcs/gcs_object_store.js";
import { CommandLine, environmentOf } from "../fixtures/command_line.js";
import { anOrder, aPayment, EventTopics } from "../fixtures/event_topics.js";
import { MemoryDirectory } from "../fixtures/memory_directory.js";
import { gcsFixture, kafkaFixture, mongodbFixture } from "../fixtures/services.js";
import { D_MS, TestDatabase } from "../fixtures/test_run.js";
import { until } from "../fixtures/until.js";

/** Longer than all of a test. */
const TIMEOUT_MS = 600_000;

describe("checkpoints list", function () {
  this.timeout(60_000);
  const gcs = gcsFixture();

  async function listed(
    path: string | undefined,
    ...args: string[]
  ): Promise<{ code: number | null; text: string; errors: string }> {
    const command = new CommandLine(["checkpoints", "list", ...args], {
      STORAGE_EMULATOR_HOST: gcs.apiEndpoint(),
      ...(path !== undefined && { GCS_CHECKPOINT_PATH: path }),
    });
    const { code } = await command.ended;
    return { code, text: command.stdout, errors: command.stderr };
  }

  it("shows what can be restored, newest first, and which is the latest", async () => {
    const bucket = await gcs.newBucket();
    assert.deepEqual(await listed(`gs://${bucket}/a`), {
      code: 0,
      text: `gs://${bucket}/a holds no checkpoint\n`,
      errors: "",
    });
    const objects = await GcsObjectStore.open({ bucket, prefix: "a" }, { apiEndpoint: gcs.apiEndpoint() });
    const directory = new MemoryDirectory();
    directory.files.set("log", randomBytes(2_500_000));
    const options = { keptMax: 5, clock: systemClock, sessionId: "s", host: "somewhere" };
    const writer = await CheckpointWriter.open(objects, directory, options);
    const ids: string[] = [];
    for (const commit of [7, 12]) {
      ids.push((await writer.publish({ files: [{ name: "log", length: 2_500_000 }], commit })).id);
    }
    const { code, text } = await listed(`gs://${bucket}/a/`);
    assert.equal(code, 0);
    const lines = text
      .trimEnd()
      .split("\n")
      .map((line) => line.split(/ {2,}/));
    assert.deepEqual(
      lines.map(([id]) => id),
      ids.reverse(),
    );
    assert.deepEqual(lines[0]!.slice(3), ["2.5 MB", "commit 12", "of somewhere"]);
    assert.equal(lines[0]![1], "latest");
  });

  it("says in one line what is wrong", async () => {
    const missing = await listed("gs://nobodys-bucket/a");
    assert.deepEqual([missing.code, missing.text], [1, ""]);
    assert.match(missing.errors, /^gs:\/\/nobodys-bucket does not exist: [^\n]+\n$/);
    const unset = await listed(undefined);
    assert.equal(unset.code, 2);
    assert.match(unset.errors, /GCS_CHECKPOINT_PATH .*is not set: expected gs:\/\/bucket/);
    const wrong = await listed("s3://bucket/a");
    assert.equal(wrong.code, 2);
    assert.match(wrong.errors, /GCS_CHECKPOINT_PATH .* is "s3:\/\/bucket\/a": expected gs:\/\/bucket/);
    const away = await listed("gs://bucket/a", "--storage_emulator_host=http://127.0.0.1:1");
    assert.equal(away.code, 1);
    assert.match(away.errors, /^gs:\/\/bucket\/a cannot be reached: [^\n]*ECONNREFUSED[^\n]*\n$/);
  });
});

describe("a run with checkpoints", function () {
  this.timeout(90_000);
  const gcs = gcsFixture();
  const kafka = kafkaFixture();
  const mongodb = mongodbFixture();
  let folder: string;
  let bucket: string;
  let topics: EventTopics;
  let database: TestDatabase;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "order-payment-stream-restore-"));
    bucket = await gcs.newBucket();
    topics = await EventTopics.create(kafka.bootstrap());
    database = await TestDatabase.open(mongodb.uri());
  });
  afterEach(async () => {
    await Promise.all([topics?.close(), database?.close()]);
    rmSync(folder, { recursive: true, force: true });
  });

  /** On the machine of this name. */
  function start(machine: string, ...args: readonly string[]): CommandLine {
    return new CommandLine(["run", "--runner=direct", "--summary=json", ...args], {
      ...environmentOf(kafka.bootstrap(), topics, database),
      STATE_DIR: join(folder, machine),
      STATE_TIMEOUT_MINUTES: String(TIMEOUT_MS / 60_000),
      MAX_OUT_OF_ORDERNESS: `${D_MS}ms`,
      STORAGE_EMULATOR_HOST: gcs.apiEndpoint(),
      GCS_CHECKPOINT_PATH: `gs://${bucket}/state`,
      CHECKPOINT_INTERVAL: "1s",
      CHECKPOINTS_KEPT: "2",
    });
  }

  const numbered = (from: number, to: number): string[] =>
    Array.from({ length: to - from }, (_, i) => `o-${from + i}`);
  const sendOrders = (ids: readonly string[]) =>
    topics.sendEvents(...ids.map((id) => anOrder(id, Date.now())));
  const sendPayments = (ids: readonly string[]) =>
    topics.sendEvents(...ids.map((id) => aPayment(`p-${id}`, id, Date.now())));
  const paired = (count: number) =>
    until(`${count} pairs`, async () => (await database.joined.countDocuments()) === count);

  /** The checkpoints that a run has told of, with their numbers of the last commit. */
  function told(run: CommandLine): { id: string; commit: number }[] {
    const lines = run.stderr.split("\n").filter((line) => line.includes('"msg":"checkpoint"'));
    return lines.map((line) => JSON.parse(line));
  }

  async function refused(run: CommandLine): Promise<string> {
    const { code } = await run.ended;
    assert.equal(code, 1, run.stderr);
    return run.stderr.trimEnd().split("\n").at(-1)!;
  }

  it("is killed, restored on another machine, goes on there, and comes to the oracle's result", async () => {
    const first = start("first");
    await sendOrders(numbered(0, 400));
    await sendPayments(numbered(0, 100));
    await paired(100);
    const before = told(first).length;
    await until("a checkpoint that holds all this", () => told(first).length >= before + 2 || undefined);
    // From here on the checkpoint knows of nothing.
    await sendOrders(numbered(400, 500));
    await sendPayments(numbered(100, 250));
    await paired(250);
    first.kill("SIGKILL");
    await first.ended;
    await sendPayments(numbered(250, 300));

    const second = start("second", "--restore=latest");
    await paired(300);
    assert.match(second.stderr, /"msg":"restored"/);
    // One that is not the last: what follows here comes after it.
    await until("a checkpoint behind the restored one", () => told(second).length > 0 || undefined);
    await sendPayments(numbered(400, 450));
    await paired(350);
    second.kill("SIGTERM");
    const { pending } = await second.summary();
    assert.equal(pending, 150);
    const last = told(second).at(-1)!;
    assert.ok(last.commit > told(first).at(-1)!.commit, "no checkpoint at the stop");

    // The first machine comes back with what it had: it may not write over what has gone on elsewhere.
    assert.match(await refused(start("first")), /state holds the checkpoints of another state directory/);

    // Not the latest: what came behind it is read again.
    const older = told(second).at(-2)!;
    const third = start("third", `--restore=${older.id}`, "--drain=expire");
    await sendPayments(numbered(300, 310));
    await paired(360);
    third.kill("SIGTERM");
    const summary = await third.summary();
    assert.deepEqual([summary.orders, summary.pending], [500, 0]);
    assert.ok(told(third).length > 0, "no checkpoint behind the restored one");
    assert.match(await refused(start("second")), /state holds the checkpoints of another state directory/);
    await database.assertAsOracle(topics, TIMEOUT_MS, D_MS);
  });

  it("is refused a restore that it cannot have, in one line, and nothing is changed", async () => {
    const path = `gs://${bucket}/state`;
    assert.equal(await refused(start("fresh", "--restore=latest")), `${path} holds no checkpoint`);
    const first = start("first");
    await until("a checkpoint", () => told(first).length > 0 || undefined);
    first.kill("SIGTERM");
    await first.summary();
    const files = readdirSync(join(folder, "first"));
    assert.match(
      await refused(start("first", "--restore=latest")),
      /cannot restore into .*first: it already holds/,
    );
    assert.deepEqual(readdirSync(join(folder, "first")), files);
    const unknown = await refused(start("fresh", "--restore=20000101T000000Z-00000000"));
    assert.match(unknown, /holds no checkpoint 20000101T000000Z-00000000: there is 2/);
    // Another empty directory must not write into a place that holds the state of this one.
    assert.match(await refused(start("other")), /state holds the checkpoints of another state directory/);
    assert.ok(existsSync(join(folder, "other")));
  });
});
