/** `produce` and `run` side by side, as a user would start them, on the clock; then the oracle reads the log. */
import assert from "node:assert/strict";
import { CommandLine, environmentOf } from "../fixtures/command_line.js";
import { EventTopics } from "../fixtures/event_topics.js";
import { kafkaFixture, mongodbFixture } from "../fixtures/services.js";
import { TestDatabase } from "../fixtures/test_run.js";
import { until } from "../fixtures/until.js";
import { oracle } from "../oracle/oracle.js";

// Producers leave a fifth of D for what Kafka and a busy machine take.
const T_MS = 3_000;
const D_MS = 4_000;

describe("produce and run", function () {
  this.timeout(90_000);
  const kafka = kafkaFixture();
  const mongodb = mongodbFixture();

  it("give what the oracle makes of the log, with load of every kind coming in", async () => {
    const topics = await EventTopics.create(kafka.bootstrap());
    const database = await TestDatabase.open(mongodb.uri());
    const environment = {
      ...environmentOf(kafka.bootstrap(), topics, database),
      STATE_TIMEOUT_MINUTES: String(T_MS / 60_000),
      MAX_OUT_OF_ORDERNESS: `${D_MS}ms`,
    };
    const run = new CommandLine(["run", "--summary=json"], environment);
    try {
      await until("the run to begin", () => run.stderr.includes("reading"));
      const shares = [
        "--late_share=0.02",
        "--malformed_share=0.02",
        "--conflict_share=0.03",
        "--missing_share=0.2",
      ];
      const load = ["--seed=7", "--count=1500", "--rate=500", ...shares];
      const produce = new CommandLine(["produce", "all", ...load], environment);
      let pairsMeanwhile = 0;
      const watch = setInterval(async () => {
        pairsMeanwhile = await database.joined.estimatedDocumentCount();
      }, 500);
      assert.deepEqual(await produce.ended, { code: 0, signal: null }, produce.stderr);
      clearInterval(watch);
      assert.ok(pairsMeanwhile > 500, `${pairsMeanwhile} pairs while load came in`);

      await topics.readBack();
      const expected = oracle(topics.log, { timeoutMs: T_MS, outOfOrdernessMs: D_MS });
      assert.ok(topics.log.length > 3_000, `${topics.log.length} events`);
      const unmatched = [...expected.unmatched.values()].reduce((sum, count) => sum + count, 0);
      await until("all expiries", async () => (await database.unmatched.countDocuments()) >= unmatched);
      run.kill("SIGINT");
      const summary = await run.summary();
      await database.assertAsOracle(topics, T_MS, D_MS);
      assert.equal(summary.pending, 0);
      assert.equal(summary.orders, expected.books.orders.read);
      assert.equal(summary.payments, expected.books.payments.read);
      assert.equal(summary.duplicates, expected.duplicates);
      assert.ok(expected.deadLetters.size > 20, `${expected.deadLetters.size} dead letters`);
    } finally {
      run.kill("SIGKILL");
      await Promise.all([topics.close(), database.close()]);
    }
  });
});
