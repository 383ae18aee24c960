/** `--state_dir` as a user has it: what a directory is refused for, a disk that is full, and how to look into one. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { backlogEnvironment, backlogTopics } from "../fixtures/backlog.js";
import { CommandLine } from "../fixtures/command_line.js";
import type { EventTopics } from "../fixtures/event_topics.js";
import { kafkaFixture, mongodbFixture } from "../fixtures/services.js";
import { TestDatabase } from "../fixtures/test_run.js";
import { until } from "../fixtures/until.js";

describe("a state directory", function () {
  this.timeout(60_000);
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
    path = mkdtempSync(join(tmpdir(), "recovery-"));
  });

  afterEach(async () => {
    await database.close();
    rmSync(path, { recursive: true, force: true });
  });

  after(() => topics?.close());

  function start(...args: readonly string[]): CommandLine {
    return new CommandLine(
      ["run", "--runner=direct", `--state_dir=${path}`, "--summary=json", ...args],
      backlogEnvironment(kafka.bootstrap(), topics, database),
    );
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
    assert.match(await refusal(), /is no state directory: it holds letter\.txt/);
    assert.deepEqual(readdirSync(path), ["letter.txt"]);
    rmSync(join(path, "letter.txt"));

    const first = start();
    await until("the first documents", async () => (await database.joined.estimatedDocumentCount()) > 0);
    assert.match(await refusal(), /in use by another process/);
    first.kill("SIGTERM");
    await first.ended;
    assert.match(await refusal(), /belongs to another pipeline: .*unbounded/);
  });

  it("can be looked at and exported, once nobody uses it", async () => {
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
    const run = new CommandLine(["run", "--runner=direct", `--state_dir=${path}`, "--summary=json"], {
      ...backlogEnvironment(kafka.bootstrap(), topics, database),
      STATE_TIMEOUT_MINUTES: "100000",
    });
    await until("the first documents", async () => (await database.joined.estimatedDocumentCount()) > 0);
    run.kill("SIGTERM");
    await run.ended;
    const { code, lines } = await state("inspect");
    assert.equal(code, 0);
    const waiting = lines.find((line) => line.endsWith("state/JoinOrdersPayments/waiting"))!;
    const count = Number(waiting.trim().split(" ")[0]!.replaceAll(",", ""));
    assert.ok(count > 0, waiting);
    const records = (await state("export")).lines.map((line) => JSON.parse(line));
    const orders = records.filter(({ table }) => table === "state/JoinOrdersPayments/waiting");
    assert.equal(orders.length, count);
    for (const { key, value } of orders) {
      for (const { event } of [...value.orders, ...value.payments]) assert.equal(event.order_id, key);
    }
  });
});
