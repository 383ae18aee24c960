/**
 * State on disk as a user has it: `run --state_dir`, killed again and again by SIGKILL, goes on where it was; and what a
 * directory is refused for.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  BACKLOG_D_MS,
  BACKLOG_T_MS,
  backlogEnvironment,
  backlogSummary,
  backlogTopics,
} from "../fixtures/backlog.js";
import { CommandLine } from "../fixtures/command_line.js";
import type { EventTopics } from "../fixtures/event_topics.js";
import { kafkaFixture, mongodbFixture } from "../fixtures/services.js";
import { TestDatabase } from "../fixtures/test_run.js";
import { until } from "../fixtures/until.js";

/** RECOVERY_KILLS=100 for a long run by hand. */
const KILLS = Number(process.env.RECOVERY_KILLS ?? 4);

describe("state on disk", function () {
  this.timeout(60_000 + KILLS * 15_000);
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

  it("carries a bounded run over many a kill -9, and its counts with it", async () => {
    for (let i = 0; i < KILLS; i++) {
      const documents = await database.joined.estimatedDocumentCount();
      const run = start("--bounded", "--bundle_size=64");
      await until("more documents, or the end", async () => {
        return run.hasEnded || (await database.joined.estimatedDocumentCount()) > documents;
      });
      await sleep(Math.random() * 100);
      run.kill("SIGKILL");
      await run.ended;
    }
    const { duration_ms, ...counts } = await start("--bounded").summary();
    await database.assertAsOracle(topics, BACKLOG_T_MS, BACKLOG_D_MS);
    assert.deepEqual(counts, backlogSummary(topics));
    // It is over: there is nothing to go on with.
    const again = await start("--bounded").summary();
    assert.deepEqual({ ...again, duration_ms: 0 }, { ...counts, duration_ms: 0 });
  });

  it("carries a stream over SIGTERM and kill -9", async () => {
    for (let i = 0; i < KILLS; i++) {
      const documents = await database.joined.estimatedDocumentCount();
      const run = start("--bundle_size=64");
      await until("more documents", async () => {
        const count = await database.joined.estimatedDocumentCount();
        return count > documents || count === backlogSummary(topics).joined;
      });
      await sleep(Math.random() * 100);
      run.kill(i % 2 === 0 ? "SIGKILL" : "SIGTERM");
      await run.ended;
    }
    const run = start();
    await until("every event to be somewhere", async () => {
      const [joined, unmatched] = await database.counts();
      const expected = backlogSummary(topics);
      return joined === expected.joined && unmatched === expected.unmatched;
    });
    run.kill("SIGTERM");
    const { duration_ms, ...counts } = await run.summary();
    await database.assertAsOracle(topics, BACKLOG_T_MS, BACKLOG_D_MS);
    assert.deepEqual(counts, backlogSummary(topics));
  });

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
