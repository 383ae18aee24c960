/**
 * A backlog with every fault in it, against the oracle: `run --bounded`, the same again after a kill, and a stream that
 * finds the backlog at its start.
 */
import assert from "node:assert/strict";
import type { Shares } from "../../producers/shares.js";
import { CommandLine, environmentOf } from "../fixtures/command_line.js";
import { EventTopics, scenarioRecords } from "../fixtures/event_topics.js";
import { kafkaFixture, mongodbFixture } from "../fixtures/services.js";
import { assertStateEmpty, balancedFigures, startRun, TestDatabase } from "../fixtures/test_run.js";
import { until } from "../fixtures/until.js";
import { oracle } from "../oracle/oracle.js";

const T_MS = 60_000;
const D_MS = 5_000;
const SEED = 20_260_101;
const SHARES: Partial<Shares> = {
  paid: 0.7,
  multiplePayments: 0.06,
  early: 0.08,
  delayed: 0.08,
  missing: 0.08,
  orphan: 0.03,
  duplicate: 0.04,
  farDuplicate: 0.02,
  conflict: 0.02,
  disorder: 0.3,
  late: 0.01,
  malformed: 0.01,
  nullValue: 0.005,
  json: 0.3,
};

describe("a backlog", function () {
  this.timeout(120_000);
  const kafka = kafkaFixture();
  const mongodb = mongodbFixture();
  let topics: EventTopics;
  let database: TestDatabase;

  before(async () => {
    topics = await EventTopics.create(kafka.bootstrap());
    database = await TestDatabase.open(mongodb.uri());
    const options = {
      seed: SEED,
      orders: 9_000,
      startMs: Date.parse("2026-01-01T00:00:00Z"),
      eventRatePerSecond: 40,
      timeoutMs: T_MS,
      outOfOrdernessMs: D_MS,
      shares: SHARES,
    };
    await topics.send(...scenarioRecords(options));
  });

  after(async () => {
    await Promise.all([topics?.close(), database?.close()]);
  });

  function start(args: readonly string[] = []): CommandLine {
    return new CommandLine(["run", "--runner=direct", "--bounded", "--summary=json", ...args], {
      ...environmentOf(kafka.bootstrap(), topics, database),
      STATE_TIMEOUT_MINUTES: String(T_MS / 60_000),
      MAX_OUT_OF_ORDERNESS: `${D_MS}ms`,
    });
  }

  it("is read by run --bounded, which is killed in the middle of its work", async () => {
    const run = start(["--bundle_size=256"]);
    await until("the first documents", async () => (await database.joined.estimatedDocumentCount()) > 0);
    run.kill("SIGKILL");
    assert.deepEqual(await run.ended, { code: null, signal: "SIGKILL" });
    assert.equal(run.stdout, "");
  });

  it("is read again, and gives exactly the oracle's collections and counts", async () => {
    const expected = oracle(topics.log, { timeoutMs: T_MS, outOfOrdernessMs: D_MS });
    assert.ok(topics.log.length > 18_000, `${topics.log.length} events`);
    assert.deepEqual(
      new Set(expected.deadLetters.values()),
      new Set(["UNDECODABLE", "INVALID", "NULL_VALUE", "LATE", "CONFLICT"]),
    );
    const { duration_ms, ...counts } = await start().summary();
    await database.assertAsOracle(topics, T_MS, D_MS);
    const { orders, payments } = expected.books;
    const deadLetters: Record<string, number> = {};
    for (const reason of expected.deadLetters.values()) deadLetters[reason] = (deadLetters[reason] ?? 0) + 1;
    assert.deepEqual(counts, {
      orders: orders.read,
      payments: payments.read,
      joined: sum(expected.joined),
      unmatched: sum(expected.unmatched),
      duplicates: expected.duplicates,
      dead_letters: deadLetters,
      pending: 0,
    });
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
    const options = { timeoutMs: T_MS, maxOutOfOrdernessMs: D_MS };
    const run = startRun(kafka.bootstrap(), topics, streamed, options);
    try {
      // Once all is read the clock takes over, for which all of it has long expired.
      await until("all events", () => run.metrics.counter("records") === topics.log.length);
      await until("the state to be empty", () => run.status().every(({ eventTimers }) => eventTimers === 0));
      await run.stop();
      assertStateEmpty(run);
      balancedFigures(run);
      await streamed.assertAsOracle(topics, T_MS, D_MS);
    } finally {
      await run.stop().catch(() => undefined);
      await streamed.close();
    }
  });
});

function sum(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((total, count) => total + count, 0);
}
