/** `--state_dir` as a user has it: what a directory is refused for, a disk that is full, and how to look into one. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { LOCK_FILE } from "../../beam/store/directory_lock.js";
import { DurableStore } from "../../beam/store/durable_store.js";
import { FORMAT } from "../../beam/store/journal.js";
import { LocalDirectory } from "../../beam/store/local_directory.js";
import { logName, snapshotName } from "../../beam/store/recovery.js";
import {
  BACKLOG_D_MS,
  BACKLOG_T_MS,
  backlogEnvironment,
  backlogSummary,
  backlogTopics,
  runOnState,
} from "../fixtures/backlog.js";
import { CommandLine } from "../fixtures/command_line.js";
import type { EventTopics } from "../fixtures/event_topics.js";
import { kafkaFixture, mongodbFixture } from "../fixtures/services.js";
import { SmallDisk } from "../fixtures/small_disk.js";
import { TestDatabase } from "../fixtures/test_run.js";
import { until } from "../fixtures/until.js";

/** Holds a part of what the whole run commits. */
const DISK_BYTES = 400_000;

describe("a state directory", function () {
  this.timeout(120_000);
  const kafka = kafkaFixture();
  const mongodb = mongodbFixture();
  let topics: EventTopics;
  let database: TestDatabase;
  let path: string;

  before(async () => {
    topics = await backlogTopics(kafka.bootstrap());
  });

  beforeEach(async () => {
    database = await TestDatabase.open(mongodb.uri());
    path = mkdtempSync(join(tmpdir(), "state-directory-"));
  });

  afterEach(async () => {
    await database.close();
    rmSync(path, { recursive: true, force: true });
  });

  after(() => topics?.close());

  function start(...args: readonly string[]): CommandLine {
    return runOnState(path, backlogEnvironment(kafka.bootstrap(), topics, database), args);
  }

  it("refuses in one line what it cannot go on with", async () => {
    const refusal = async (...args: string[]): Promise<string> => {
      const run = start("--bounded", ...args);
      const { code } = await run.ended;
      assert.notEqual(code, 0);
      assert.equal(run.stdout, "");
      return run.stderr.trimEnd().split("\n").at(-1)!;
    };
    writeFileSync(join(path, "letter.txt"), "Dear …");
    assert.match(await refusal(), /is not a state directory: it holds letter\.txt/);
    assert.deepEqual(readdirSync(path), ["letter.txt"]);
    rmSync(join(path, "letter.txt"));

    const first = start();
    await until("the first documents", async () => (await database.joined.estimatedDocumentCount()) > 0);
    assert.match(await refusal(), /in use by another process/);
    first.kill("SIGTERM");
    await first.ended;
    const before = filesOf(path);
    assert.match(
      await refusal("--kafka_order_topic=other"),
      /^KAFKA_ORDER_TOPIC was [-\w]+ and is other, but the state holds offsets/,
    );
    assert.deepEqual(filesOf(path), before);
  });

  it("refuses in one line what is damaged or of a newer version, and leaves it as it is", async () => {
    const run = start();
    await until("the first documents", async () => (await database.joined.estimatedDocumentCount()) > 0);
    run.kill("SIGTERM");
    await run.ended;
    const refuses = async (name: string, change: (bytes: Buffer) => void, message: RegExp): Promise<void> => {
      const file = join(path, name);
      const whole = readFileSync(file);
      const changed = Buffer.from(whole);
      change(changed);
      writeFileSync(file, changed);
      const before = filesOf(path);
      // What is wrongly taken for sound belongs to another pipeline then, and ends as well.
      // One after the other: for the moment that it takes to look, the directory is in use.
      for (const begin of [
        () => start("--bounded"),
        () => new CommandLine(["state", "inspect", `--state_dir=${path}`], {}),
      ]) {
        const command = begin();
        const { code } = await command.ended;
        assert.deepEqual([code, command.stdout], [1, ""]);
        assert.match(command.stderr, message);
        assert.deepEqual(filesOf(path), before);
      }
      writeFileSync(file, whole);
    };
    const refusesEach = async (name: string): Promise<void> => {
      await refuses(
        name,
        (bytes) => bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1),
        new RegExp(
          `^the state in ${path} is damaged: ${name} at byte \\d+: [^\n]*checksum[^\n]*\\. Nothing was changed\\. [^\n]*\n$`,
        ),
      );
      await refuses(
        name,
        toNewerFormat,
        new RegExp(`^the state in ${path} was written by a newer version: ${name} has format [^\n]*\n$`),
      );
    };
    await refusesEach(logName(1));
    const store = await DurableStore.open(await LocalDirectory.open(path));
    await store.snapshot();
    await store.close();
    await refusesEach(snapshotName(2));

    // Whole again, it goes on.
    assert.deepEqual(Object.keys(filesOf(path)), [LOCK_FILE, logName(2), snapshotName(2)]);
    const last = start();
    await until("all pairs", async () => {
      return (await database.joined.estimatedDocumentCount()) === backlogSummary(topics).joined;
    });
    last.kill("SIGTERM");
    assert.equal((await last.summary()).joined, backlogSummary(topics).joined);
  });

  it("ends in one message when the disk is full, and goes on from there when there is room", async function () {
    const disk = SmallDisk.mount(this, path, DISK_BYTES);
    try {
      for (const isFirst of [true, false]) {
        const run = start("--bounded");
        const { code } = await run.ended;
        assert.deepEqual([code, run.stdout], [1, ""]);
        const lines = run.stderr.trimEnd().split("\n");
        assert.match(
          lines.pop()!,
          new RegExp(
            `^state cannot be written to ${path}: the disk is full \\(ENOSPC: [^)]*\\)\\. What was committed before is safe: start again once this is fixed$`,
          ),
        );
        const logged: string[] = lines.map((line) => JSON.parse(line).msg);
        // The commit that found the disk full may have left a part of itself.
        const whole = logged.filter(
          (message) => isFirst || !message.startsWith("the end of the state was torn"),
        );
        assert.deepEqual(whole, [
          isFirst ? "state is kept on disk" : "going on from the last commit",
          "reading",
        ]);
      }
      disk.resize(100 * DISK_BYTES);
      const { duration_ms, ...counts } = await start("--bounded").summary();
      await database.assertAsOracle(topics, BACKLOG_T_MS, BACKLOG_D_MS);
      assert.deepEqual(counts, backlogSummary(topics));
    } finally {
      disk.unmount();
    }
  });

  it("can be looked at and exported, beside the run and behind it", async () => {
    const state = async (
      what: string,
      directory = path,
    ): Promise<{ code: number | null; lines: string[] }> => {
      const command = new CommandLine(["state", what, `--state_dir=${directory}`], {});
      const { code } = await command.ended;
      return { code, lines: `${command.stdout}${command.stderr}`.trimEnd().split("\n") };
    };
    assert.deepEqual(await state("inspect"), { code: 1, lines: [`${path} holds no state`] });
    // Long enough that all that was read waits when it ends.
    const run = runOnState(path, {
      ...backlogEnvironment(kafka.bootstrap(), topics, database),
      STATE_TIMEOUT_MINUTES: "10000000",
    });
    await until("the first documents", async () => (await database.joined.estimatedDocumentCount()) > 0);
    const beside = await state("inspect");
    assert.equal(beside.code, 0, beside.lines.join("\n"));
    run.kill("SIGTERM");
    await run.ended;
    const { code, lines } = await state("inspect");
    assert.equal(code, 0);
    const waiting = lines.find((line) => line.endsWith("timed/JoinOrdersPayments/waiting/orders+payments"))!;
    const count = Number(waiting.trim().split(" ")[0]!.replaceAll(",", ""));
    assert.ok(count > 0, waiting);
    const records = (await state("export")).lines.map((line) => JSON.parse(line));
    const orders = records.filter(
      ({ table }) => table === "timed/JoinOrdersPayments/waiting/orders+payments",
    );
    assert.equal(orders.length, count);
    for (const { key, value } of orders) {
      for (const { event } of [...value.orders, ...value.payments]) assert.equal(event.order_id, key);
    }
  });
});

/** Name → hash of the contents. */
function filesOf(path: string): Record<string, string> {
  const hashes = readdirSync(path)
    .sort()
    .map((name) => [
      name,
      createHash("sha256")
        .update(readFileSync(join(path, name)))
        .digest("hex"),
    ]);
  return Object.fromEntries(hashes);
}

/** Grammar in beam/store/frames.ts. */
function toNewerFormat(bytes: Buffer): void {
  bytes.writeUInt32BE(FORMAT + 1, 12);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, 16)), 16);
}
