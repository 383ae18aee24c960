/** How the program ends, and what it outlives: signals, readers of its output that are gone, a state directory that is taken away. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LOCK_FILE } from "../../beam/store/directory_lock.js";
import { logName } from "../../beam/store/recovery.js";
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
import { TestDatabase } from "../fixtures/test_run.js";
import { until } from "../fixtures/until.js";

describe("a run", function () {
  this.timeout(180_000);
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
    path = mkdtempSync(join(tmpdir(), "process-ends-"));
  });
  afterEach(async () => {
    await database.close();
    for (const each of [path, `${path}-moved`]) rmSync(each, { recursive: true, force: true });
  });
  after(() => topics?.close());

  function startAt(stateDir: string, ...args: readonly string[]): CommandLine {
    return runOnState(stateDir, backlogEnvironment(kafka.bootstrap(), topics, database), args);
  }
  const start = (...args: readonly string[]): CommandLine => startAt(path, ...args);
  const firstDocuments = () =>
    until("the first documents", async () => (await database.joined.estimatedDocumentCount()) > 0, 60_000);
  const lastLine = ({ stderr }: CommandLine): string => stderr.trimEnd().split("\n").at(-1)!;
  /** Whatever became of those before it: the state and its counts go on, or all is read again. */
  async function assertGoesOnToTheEnd(run = start("--bounded")): Promise<void> {
    const { duration_ms, ...counts } = await run.summary();
    assert.deepEqual(counts, backlogSummary(topics));
    await database.assertAsOracle(topics, BACKLOG_T_MS, BACKLOG_D_MS);
  }

  it("ends in order at SIGHUP, as it does at SIGTERM", async () => {
    const run = start();
    await firstDocuments();
    run.kill("SIGHUP");
    await run.summary();
    await assertGoesOnToTheEnd();
  });

  it("goes on when nobody reads its log any more", async () => {
    const run = start("--log_level=trace");
    await until("the first line of the log", () => run.stderr.length > 0);
    run.closeOutput("stderr");
    await until(
      "all pairs",
      async () => (await database.joined.estimatedDocumentCount()) === backlogSummary(topics).joined,
      60_000,
    );
    run.kill("SIGTERM");
    assert.equal((await run.summary()).joined, backlogSummary(topics).joined);
  });

  it("is not held up by somebody who stops reading its log", async () => {
    const run = start("--bounded", "--log_level=trace");
    run.stopReading("stderr");
    const { duration_ms, ...counts } = await run.summary();
    assert.deepEqual(counts, backlogSummary(topics));
  });

  it("ends in order when nobody reads its summary", async () => {
    const run = start("--bounded");
    run.closeOutput("stdout");
    assert.deepEqual(await run.ended, { code: 0, signal: null }, run.stderr);
    assert.match(run.stderr, /nobody reads stdout: the summary is not shown/);
    assert.doesNotMatch(run.stderr, /\n {4}at /);
    await database.assertAsOracle(topics, BACKLOG_T_MS, BACKLOG_D_MS);
  });

  const losses: readonly [string, () => void, RegExp][] = [
    ["removed", () => rmSync(path, { recursive: true }), /it was removed or renamed/],
    ["renamed", () => renameSync(path, `${path}-moved`), /it was removed or renamed/],
    ["robbed of its lock", () => rmSync(join(path, LOCK_FILE)), /its lock file was removed/],
  ];
  for (const [what, lose, message] of losses) {
    it(`ends when its state directory is ${what}, and says so in a line`, async () => {
      const run = start();
      await firstDocuments();
      lose();
      assert.deepEqual(await run.ended, { code: 1, signal: null }, run.stderr);
      assert.ok(lastLine(run).startsWith(`${path} is no longer the state directory of this process: `));
      assert.match(lastLine(run), message);
      assert.equal(run.stdout, "");
      // What was committed, or what the topics hold, is gone on from.
      if (what === "renamed") renameSync(`${path}-moved`, path);
      await assertGoesOnToTheEnd();
    });
  }

  it("has its state directory for itself although the lock was removed", async () => {
    const first = start();
    await firstDocuments();
    // It would notice before a slow machine has started the second.
    first.kill("SIGSTOP");
    rmSync(join(path, LOCK_FILE));
    const second = start();
    const two = await second.ended;
    first.kill("SIGCONT");
    const one = await first.ended;
    assert.deepEqual([one.code, two.code], [1, 1], `${first.stderr}${second.stderr}`);
    assert.match(lastLine(second), /in use by another process/);
    await assertGoesOnToTheEnd();
  });

  it("tells of a commit that was cut short, with its place, and goes on from the one before", async () => {
    const run = start();
    await firstDocuments();
    run.kill("SIGKILL");
    await run.ended;
    const [log] = readdirSync(path)
      .filter((name) => name.startsWith("log-"))
      .sort()
      .reverse();
    const file = join(path, log!);
    truncateSync(file, readFileSync(file).length - 3);
    const again = start("--bounded");
    await assertGoesOnToTheEnd(again);
    const line = again.stderr.split("\n").find((text) => text.includes("was torn"))!;
    const { level, in: where, file: named, position, bytes } = JSON.parse(line);
    assert.deepEqual([level, where, named], [40, path, log]);
    assert.ok(position > 0 && bytes > 0, line);
  });

  it("is refused at once, in one line, where there can be no state", async () => {
    const file = join(path, "file");
    writeFileSync(file, "");
    const fifo = join(path, "fifo");
    execFileSync("mkfifo", [fifo]);
    // More of them are in local_directory.test.ts.
    for (const where of ["/proc/state", file, fifo]) {
      for (const command of [
        startAt(where),
        new CommandLine(["state", "inspect", `--state_dir=${where}`], {}),
      ]) {
        const { code } = await command.ended;
        if (code === 1) {
          assert.equal(command.stderr, `${where} holds no state\n`);
          continue;
        }
        assert.equal(code, 2, command.stderr);
        assert.match(
          command.stderr,
          /^STATE_DIR \(--state_dir\): [^\n]* cannot be used as a state directory: [^\n]*\n$/,
        );
        assert.ok(command.stderr.includes(where));
      }
    }
  });

  it("is refused at once where a file of its state is something else", async () => {
    const run = start();
    await firstDocuments();
    run.kill("SIGTERM");
    await run.ended;
    for (const name of [LOCK_FILE, logName(1)]) {
      const file = join(path, name);
      const whole = readFileSync(file);
      rmSync(file);
      execFileSync("mkfifo", [file]);
      const again = start();
      const { code } = await again.ended;
      assert.equal(code, 1);
      assert.match(again.stderr, new RegExp(`^${file} is a FIFO instead of a file: [^\n]*\n$`));
      rmSync(file);
      writeFileSync(file, whole);
    }
    await assertGoesOnToTheEnd();
  });
});
