/** Dead letters that are sent again, and orders that are explained, with a real Kafka and MongoDB-protocol server. */
import assert from "node:assert/strict";
import type { Collection } from "mongodb";
import { connectKafka } from "../../connectors/kafka/client/connect_kafka.js";
import type { LetterDocument } from "../../pipeline/dead_letters/letters.js";
import {
  HEADER_ID,
  HEADER_REPLAYS,
  type ReplayContext,
  type ReplayRequest,
  replay,
} from "../../pipeline/dead_letters/replay.js";
import { explain } from "../../pipeline/explain/explain.js";
import { RUN_SETTINGS, type RunSettings } from "../../pipeline/settings/options.js";
import { readSettings } from "../../pipeline/settings/read_settings.js";
import { encodeOrderJson } from "../../schemas/encode.js";
import type { RecordReason } from "../../transforms/dead_letter.js";
import { deadLetterDocument } from "../../transforms/dead_letter_document.js";
import { joinedDocument, unmatchedDocument } from "../../transforms/documents.js";
import { anOrder, aPayment, EventTopics } from "../fixtures/event_topics.js";
import { kafkaFixture, mongodbFixture, uniqueName } from "../fixtures/services.js";
import { quiet, TestDatabase } from "../fixtures/test_run.js";

const T_MS = 900_000;

describe("dead letters and explanations", function () {
  this.timeout(60_000);
  const kafka = kafkaFixture();
  const mongodb = mongodbFixture();
  let topics: EventTopics;
  let database: TestDatabase;
  let letters: Collection<LetterDocument>;
  let context: ReplayContext;

  before(async () => {
    topics = await EventTopics.create(kafka.bootstrap());
    database = await TestDatabase.open(mongodb.uri());
    letters = database.deadLetters as unknown as Collection<LetterDocument>;
    context = {
      collection: letters,
      kafka: { brokers: [kafka.bootstrap()], clientId: "replay" },
      client: () => connectKafka({ brokers: [kafka.bootstrap()], logger: quiet }),
      topics: { orders: topics.orders, payments: topics.payments },
      timeoutMs: T_MS,
      eventTimeMs: Date.now(),
      maxAheadOfClockMs: 300_000,
      needsRegistry: false,
    };
  });
  after(async () => {
    await database?.close();
    await topics?.close();
  });
  beforeEach(() => letters.deleteMany({}));

  const letter = (reason: RecordReason, offset: number, value: Buffer | null, key = `o-${offset}`) =>
    deadLetterDocument({
      reason,
      message: "planted",
      topic: topics.orders,
      partition: 0,
      offset,
      log: "log",
      timestamp: Date.now() - 1_000 - offset,
      key: Buffer.from(key),
      value,
    });
  const plant = (...documents: ReturnType<typeof letter>[]) =>
    letters.insertMany(documents as LetterDocument[]);
  const request = (changes: Partial<ReplayRequest> = {}): ReplayRequest => ({
    filter: {},
    limit: 1_000,
    ratePerSecond: 10_000,
    isDryRun: false,
    isAnyway: false,
    isAgain: false,
    ...changes,
  });
  /** All records of a topic, with their headers. */
  const recordsOf = async (topic: string) => {
    const consumer = topics.peer.kafka.consumer({ groupId: uniqueName("look") });
    const records: { key: string; value: string; headers: Record<string, string> }[] = [];
    let left = (await topics.peer.ends(topic)).reduce((sum, { end }) => sum + end, 0);
    if (left === 0) return records;
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await new Promise<void>((resolve) => {
      void consumer.run({
        eachMessage: async ({ message }) => {
          const headers = Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(value)]);
          records.push({
            key: String(message.key),
            value: String(message.value),
            headers: Object.fromEntries(headers),
          });
          if (--left === 0) resolve();
        },
      });
    });
    await consumer.disconnect();
    return records;
  };

  it("are sent once, with their bytes and a count, and say where they went", async () => {
    const now = Date.now();
    const good = encodeOrderJson(anOrder("o-1", now));
    await plant(
      letter("FUTURE_TIMESTAMP", 1, good),
      letter("UNDECODABLE", 2, Buffer.from("nonsense")),
      letter("LATE", 3, encodeOrderJson(anOrder("o-3", now - 10 * T_MS))),
      letter("NULL_VALUE", 4, null),
    );
    const dry = await replay(request({ isDryRun: true }), context);
    assert.deepEqual([dry.found, dry.sent], [4, 1]);
    assert.deepEqual(dry.leftOut, {
      "it would be UNDECODABLE again": 1,
      "it would be LATE": 1,
      "it would be NULL_VALUE again": 1,
    });
    assert.deepEqual(await recordsOf(topics.orders), []);

    assert.equal((await replay(request(), context)).sent, 1);
    const again = await replay(request(), context);
    assert.deepEqual([again.sent, again.leftOut["it was replayed already"]], [0, 1]);
    assert.equal((await replay(request({ isAgain: true }), context)).sent, 1);
    const records = await recordsOf(topics.orders);
    const id = String(letter("FUTURE_TIMESTAMP", 1, good)._id).replace(/:[^:]*$/, "");
    assert.deepEqual(
      records.map(({ key, value, headers }) => [key, value, headers[HEADER_REPLAYS]]),
      [
        ["o-1", String(good), "1"],
        ["o-1", String(good), "2"],
      ],
    );
    assert.ok(records[0]!.headers[HEADER_ID]!.startsWith(id));
    const { replay: mark } = (await letters.findOne({ reason: "FUTURE_TIMESTAMP" }))!;
    assert.deepEqual([mark.state, mark.count, mark.topic], ["done", 2, topics.orders]);
    assert.match(mark.offset, /^\d+$/);
  });

  it("are not sent a second time when a replay broke off behind the sending", async () => {
    const topic = await topics.peer.createTopic("resumed", 3);
    const [one, two] = [1, 2].map((n) => encodeOrderJson(anOrder(`r-${n}`, Date.now())));
    await plant(letter("INVALID", 11, one!, "r-1"), letter("INVALID", 12, two!, "r-2"));
    await replay(request({ toTopic: topic, filter: { key: "r-1" } }), context);
    // It was killed between the record and the mark for r-1, and between the first mark and the record for r-2.
    const at = new Date(Date.now() - 1_000);
    await letters.updateMany({}, { $set: { replay: { state: "sending", count: 1, at, topic } } });
    const result = await replay(request({ toTopic: topic }), context);
    assert.deepEqual([result.sent, result.alreadySent], [1, 1]);
    assert.deepEqual((await recordsOf(topic)).map(({ key }) => key).sort(), ["r-1", "r-2"]);
    assert.equal(await letters.countDocuments({ "replay.state": "done" }), 2);
  });

  it("are sent as somebody has mended them, at a rate, and anyway where that is asked for", async () => {
    const topic = await topics.peer.createTopic("mended", 1);
    await plant(...[21, 22, 23].map((offset) => letter("UNDECODABLE", offset, Buffer.from("nonsense"))));
    const [first] = await letters.find({ offset: 21n as never }).toArray();
    const mended = encodeOrderJson(anOrder("o-21", Date.now()));
    const edits = new Map([[first!._id, { key: Buffer.from("o-21"), value: mended }]]);
    await replay(request({ toTopic: topic, edits, filter: { ids: [first!._id] } }), context);
    const startedMs = performance.now();
    const rest = await replay(request({ toTopic: topic, isAnyway: true, ratePerSecond: 2 }), context);
    assert.equal(rest.sent, 2);
    assert.ok(performance.now() - startedMs >= 450, "no faster than it was told");
    assert.deepEqual(
      (await recordsOf(topic)).map(({ value }) => value),
      [String(mended), "nonsense", "nonsense"],
    );
  });

  describe("an explanation", () => {
    let settings: RunSettings;
    const explainFromServers = (orderId: string) =>
      explain(orderId, {
        settings,
        database: async () => database.db,
        kafka: context.client,
        state: undefined,
        watermark: { atMs: null, heldBy: null },
        positions: [{ topic: topics.payments, partition: 0, position: 0 }],
        searchMs: 3_600_000,
      });

    before(() => {
      const flags = { kafka_order_topic: topics.orders, kafka_payment_topic: topics.payments };
      settings = readSettings(RUN_SETTINGS, { flags, environment: {}, file: {} }).settings;
    });

    it("tells from the servers alone what came and what became of it", async () => {
      const now = Date.now();
      const order = anOrder("e-1", now - 60_000);
      const payment = aPayment("p-1", "e-1", now - 30_000);
      const topic = topics.payments;
      await topics.sendEvents(payment);
      await database.joined.insertOne(joinedDocument(order, payment) as never);
      const paired = await explainFromServers("e-1");
      assert.equal(paired.verdict, "It is paired with payment p-1.");
      const [arrival] = paired.arrivals!.filter((one) => one.topic === topic);
      assert.deepEqual([arrival!.id, arrival!.createdAtMs], ["p-1", now - 30_000]);

      const alone = anOrder("e-2", now - 60_000);
      await database.unmatched.insertOne(
        unmatchedDocument("order", alone, "UNPAID", alone.created_at + T_MS) as never,
      );
      assert.match(
        (await explainFromServers("e-2")).verdict,
        /^It is not paired: until .* no payment for it had arrived \(UNPAID\)\.$/,
      );

      await plant(letter("INVALID", 7, Buffer.from("{}"), "e-3"));
      assert.match(
        (await explainFromServers("e-3")).verdict,
        /^It is not paired: its record at .*\[0\], offset 7, became a dead letter, INVALID: planted\.$/,
      );
      const unknown = await explainFromServers("e-4");
      assert.match(
        unknown.verdict,
        /^Nothing is known of it: .* in the collections and the topics\. It may wait/,
      );
      assert.deepEqual(unknown.arrivals, []);
    });
  });
});
