/** Records and documents beyond what MongoDB holds: each becomes a dead letter that is stored, and nothing ends the run. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CompressionTypes } from "kafkajs";
import type { Document } from "mongodb";
import type { Summary } from "../../pipeline/report/summary.js";
import { CommandLine, environmentOf } from "../fixtures/command_line.js";
import { anOrder, aPayment, type EventRecord, EventTopics, recordOf } from "../fixtures/event_topics.js";
import { kafkaFixture, mongodbFixture } from "../fixtures/services.js";
import { TestDatabase } from "../fixtures/test_run.js";

const MIB = 1024 * 1024;
/** What Kafka's protocol calls a topic among its resources. */
const TOPIC = 2;
const LETTERS = { UNDECODABLE: 1, CONFLICT: 1, SINK_REJECTED: 2 };

describe("large records", function () {
  this.timeout(180_000);
  const kafka = kafkaFixture();
  const mongodb = mongodbFixture();
  let folder: string;
  let topics: EventTopics;
  let database: TestDatabase;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "order-payment-stream-large-"));
    topics = await EventTopics.create(kafka.bootstrap(), 1);
    database = await TestDatabase.open(mongodb.uri());
    for (const name of [topics.orders, topics.payments]) {
      const configEntries = [{ name: "max.message.bytes", value: String(40 * MIB) }];
      await topics.peer.admin.alterConfigs({
        validateOnly: false,
        resources: [{ type: TOPIC, name, configEntries }],
      });
    }
  });

  after(async () => {
    await Promise.all([topics?.close(), database?.close()]);
    rmSync(folder, { recursive: true, force: true });
  });

  function run(): Promise<Summary> {
    return new CommandLine(["run", "--runner=direct", "--bounded", "--summary=json"], {
      ...environmentOf(kafka.bootstrap(), topics, database),
      STATE_DIR: join(folder, "state"),
    }).summary();
  }

  const letterAt = async (topic: string, offset: number): Promise<Document> =>
    (await database.deadLetters.findOne({ topic, offset })) ??
    assert.fail(`no dead letter of ${topic} ${offset}`);

  it("become dead letters with their length, digest and place", async () => {
    const now = Date.now() - 60_000;
    const undecodable = Buffer.alloc(20 * MIB, 0xff);
    const large = (orderId: string, size: number, amount: number): EventRecord =>
      recordOf(anOrder(orderId, now, { customer_id: "c".repeat(size * MIB), amount }));
    await topics.sendEvents(anOrder("before", now), aPayment("p-before", "before", now));
    await topics.peer.producer.send({
      topic: topics.orders,
      compression: CompressionTypes.GZIP,
      messages: [{ partition: 0, key: "poison", value: undecodable, timestamp: String(now) }],
    });
    const more: readonly EventRecord[] = [
      large("twice", 6, 1),
      large("twice", 6, 2),
      // Its document holds the customer_id twice, in the _id, too.
      large("too-large", 9, 1),
      large("refused", 4, 1),
      recordOf(aPayment("p-too-large", "too-large", now)),
      recordOf(aPayment("p-refused", "refused", now, { amount: 7 })),
    ];
    for (const { topic, key, value } of more) {
      const name = topics[topic];
      await topics.peer.producer.send({
        topic: name,
        messages: [{ partition: 0, key, value, timestamp: String(now) }],
      });
    }
    // A rule of the user's that refuses a document of 8 MB: there is one with this amount.
    await database.joined.createIndex({ payment_amount: 1 }, { unique: true });
    await database.joined.insertOne({ payment_amount: 7 });
    const summary = await run();

    const poison = await letterAt(topics.orders, 1);
    assert.deepEqual([poison.reason, poison.partition, poison.value.length()], ["UNDECODABLE", 0, MIB]);
    assert.equal(poison.value_length, 20 * MIB);
    assert.equal(poison.value_sha256, createHash("sha256").update(undecodable).digest("hex"));
    const conflict = await letterAt(topics.orders, 3);
    assert.equal(conflict.reason, "CONFLICT");
    assert.deepEqual([conflict.first.amount, conflict.event.amount], [1, 2]);
    assert.equal(conflict.first.customer_id_length, 6 * MIB);
    const rejected = database.deadLetters.find({ reason: "SINK_REJECTED" }).sort({ code: 1 });
    const [tooLarge, refused, ...others] = await rejected.toArray();
    assert.deepEqual([tooLarge!.code, refused!.code, others.length], [10334, 11000, 0]);
    assert.match(tooLarge!.message, /the document has \d+ bytes, and MongoDB accepts less than 16 MiB/);
    const { order_id, customer_id_length } = JSON.parse(tooLarge!.document);
    assert.deepEqual([order_id, customer_id_length], ["too-large", 9 * MIB]);
    assert.deepEqual([refused!.document.order_id, refused!.document.customer_id.length], ["refused", MIB]);
    assert.equal(refused!.document.customer_id_length, 4 * MIB);
    assert.deepEqual(summary.dead_letters, LETTERS);
    assert.equal(summary.orders + summary.payments, 9);
    const joined = await database.joined.find({ payment_id: { $exists: true } }).toArray();
    assert.deepEqual(
      joined.map(({ payment_id }) => payment_id),
      ["p-before"],
    );
  });

  it("do not come again at the next start, nor when all is read from the beginning", async () => {
    const before = await database.counts();
    rmSync(join(folder, "state"), { recursive: true });
    const summary = await run();
    assert.deepEqual(await database.counts(), before);
    assert.deepEqual(summary.dead_letters, LETTERS);
  });
});
