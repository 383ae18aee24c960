/**
 * A backlog with every fault in it, against the oracle: `run --bounded`, the same again after a kill, and a stream that
 * finds the backlog at its start.
 */
import assert from "node:assert/strict";
import {
  BACKLOG_D_MS,
  BACKLOG_T_MS,
  backlogEnvironment,
  backlogOracle,
  backlogSummary,
  backlogTopics,
} from "../fixtures/backlog.js";
import { CommandLine } from "../fixtures/command_line.js";
import type { EventTopics } from "../fixtures/event_topics.js";
import { kafkaFixture, mongodbFixture } from "../fixtures/services.js";
import { assertStateEmpty, balancedFigures, startRun, TestDatabase } from "../fixtures/test_run.js";
import { until } from "../fixtures/until.js";

describe("a backlog", function () {
  this.timeout(120_000);
  const kafka = kafkaFixture();
  const mongodb = mongodbFixture();
  let topics: EventTopics;
  let database: TestDatabase;

  before(async () => {
    topics = await backlogTopics(kafka.bootstrap());
    database = await TestDatabase.open(mongodb.uri());
  });

  after(async () => {
    await Promise.all([topics?.close(), database?.close()]);
  });

  function start(args: readonly string[] = []): CommandLine {
    return new CommandLine(
      ["run", "--runner=direct", "--bounded", "--summary=json", ...args],
      backlogEnvironment(kafka.bootstrap(), topics, database),
    );
  }

  it("is read by run --bounded, which is killed in the middle of its work", async () => {
    const run = start(["--bundle_size=256"]);
    await until("the first documents", async () => (await database.joined.estimatedDocumentCount()) > 0);
    run.kill("SIGKILL");
    assert.deepEqual(await run.ended, { code: null, signal: "SIGKILL" });
    assert.equal(run.stdout, "");
  });

  it("is read again, and gives exactly the oracle's collections and counts", async () => {
    assert.deepEqual(
      new Set(backlogOracle(topics).deadLetters.values()),
      new Set(["UNDECODABLE", "INVALID", "NULL_VALUE", "LATE", "CONFLICT"]),
    );
    const { duration_ms, ...counts } = await start().summary();
    await database.assertAsOracle(topics, BACKLOG_T_MS, BACKLOG_D_MS);
    assert.deepEqual(counts, backlogSummary(topics));
    assert.ok(duration_ms > 0);
  });

  it("is read once more, and changes nothing", async () => {
    const before = await database.contents();
    const summary = await start().summary();
    assert.deepEqual(await database.contents(), before);
    assert.equal(summary.orders + summary.payments, topics.log.length);
  });

  it("gives the same when a stream finds it", async () => {
    const streamed = await TestDatabase.open(mongodb.uri());
    const options = { timeoutMs: BACKLOG_T_MS, maxOutOfOrdernessMs: BACKLOG_D_MS };
    const run = startRun(kafka.bootstrap(), topics, streamed, options);
    try {
      // Once all is read the clock takes over, for which all of it has long expired.
      await until("all events", () => run.metrics.counter("records") === topics.log.length);
      await until("the state to be empty", () => run.status().every(({ eventTimers }) => eventTimers === 0));
      await run.stop();
      assertStateEmpty(run);
      balancedFigures(run);
      await streamed.assertAsOracle(topics, BACKLOG_T_MS, BACKLOG_D_MS);
    } finally {
      await run.stop().catch(() => undefined);
      await streamed.close();
    }
  });
});
