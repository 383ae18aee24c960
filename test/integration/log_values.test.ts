/** What events hold is nobody's business who reads the log: whatever becomes of them, at info none of it is there. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeOrderAvro } from "../../schemas/encode.js";
import { CommandLine, environmentOf } from "../fixtures/command_line.js";
import { anOrder, aPayment, EventTopics, recordOf } from "../fixtures/event_topics.js";
import { kafkaFixture, mongodbFixture } from "../fixtures/services.js";
import { TestDatabase } from "../fixtures/test_run.js";

const MARK = "zqmark";
const DAY_MS = 86_400_000;

describe("the log", function () {
  this.timeout(90_000);
  const kafka = kafkaFixture();
  const mongodb = mongodbFixture();

  it("holds nothing of any event, whatever becomes of it", async () => {
    const topics = await EventTopics.create(kafka.bootstrap());
    const database = await TestDatabase.open(mongodb.uri());
    const folder = mkdtempSync(join(tmpdir(), "order-payment-stream-log-"));
    const nowMs = Date.now() - 60_000;
    const marked = (i: number, atMs = nowMs + i) =>
      anOrder(`${MARK}-${i}`, atMs, { customer_id: `${MARK} customer` });
    const json = (text: string) =>
      ({ topic: "orders", key: `${MARK}-json`, value: Buffer.from(text) }) as const;
    try {
      // Documents of the pairs cannot be written.
      await database.db
        .collection("spark_streaming_stateful_writes")
        .createIndex({ customer_id: 1 }, { unique: true });
      await topics.send(
        ...[1, 2, 3, 4].flatMap((i) => [
          recordOf(marked(i)),
          recordOf(aPayment(`${MARK}-p-${i}`, `${MARK}-${i}`, nowMs + i)),
        ]),
        // Twice, with another amount; without a partner; from the future; long over; in microseconds.
        recordOf({ ...marked(1), amount: 7 }),
        recordOf(marked(5)),
        ...[6, 7, 8].map((i) => recordOf(marked(i, nowMs + 30 * DAY_MS))),
        ...[9, 10, 11].map((i) => recordOf(marked(i, nowMs - 30 * DAY_MS))),
        ...[12, 13].map((i) => recordOf(marked(i, nowMs * 1_000))),
        json(`{"order_id": "${MARK}", `),
        json(
          `{"order_id": "${MARK}", "order_date": "${MARK}", "created_at": "${MARK}", "customer_id": 1, "amount": "${MARK}"}`,
        ),
        json(`${MARK} is no event`),
        { topic: "orders", key: `${MARK}-cut`, value: encodeOrderAvro(marked(14)).subarray(0, 20) },
        { topic: "orders", key: `${MARK}-none`, value: null },
        { topic: "payments", key: `${MARK}-other`, value: encodeOrderAvro(marked(15)) },
      );
      const run = new CommandLine(["run", "--bounded", "--summary=json"], {
        ...environmentOf(kafka.bootstrap(), topics, database),
        LOG_LEVEL: "info",
        LOG_DIR: join(folder, "log"),
        STATE_DIR: join(folder, "state"),
      });
      const summary = await run.summary();
      const letters = Object.keys(summary.dead_letters);
      for (const reason of ["CONFLICT", "INVALID", "LATE", "NULL_VALUE", "SINK_REJECTED", "UNDECODABLE"])
        assert.ok(letters.includes(reason), `${reason} is none of ${letters}`);
      const files = readdirSync(join(folder, "log"));
      const kept = files.map((name) => readFileSync(join(folder, "log", name), "utf8")).join("");
      assert.match(kept, /reading/);
      for (const text of [run.stderr, kept, run.stdout]) {
        const lines = text.split("\n").filter((line) => line.includes(MARK));
        assert.deepEqual(lines, []);
      }
    } finally {
      await Promise.all([topics.close(), database.close()]);
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    }
  });
});
