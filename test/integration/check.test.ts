/** `check` against real servers: a line for each thing that `run` would use. */
import assert from "node:assert/strict";
import { type AddressInfo, createServer } from "node:net";
import { encodeConfluent, encodePaymentAvro } from "../../schemas/encode.js";
import { CommandLine, environmentOf } from "../fixtures/command_line.js";
import { ConfluentRegistry } from "../fixtures/confluent_registry.js";
import { anOrder, aPayment, EventTopics } from "../fixtures/event_topics.js";
import { kafkaFixture, mongodbFixture } from "../fixtures/services.js";
import { TestDatabase } from "../fixtures/test_run.js";

const NOW_MS = Date.now();

describe("check", function () {
  this.timeout(90_000);
  const kafka = kafkaFixture();
  const mongodb = mongodbFixture();
  let topics: EventTopics;
  let database: TestDatabase;
  let registry: ConfluentRegistry;

  before(async () => {
    registry = await ConfluentRegistry.start();
    topics = await EventTopics.create(kafka.bootstrap());
    database = await TestDatabase.open(mongodb.uri());
    const schema = '{"type":"record","name":"Order","fields":[{"name":"order_id","type":"string"}]}';
    const { id } = registry.add("orders-value", schema);
    const value = encodeConfluent(id, "order", anOrder("o", NOW_MS));
    await topics.send(
      { topic: "orders", key: "o", value },
      { topic: "payments", key: "o", value: encodePaymentAvro(aPayment("p", "o", NOW_MS)) },
    );
  });

  after(() => Promise.all([topics?.close(), database?.close(), registry?.close()]));

  async function check(environment: Record<string, string>) {
    const own = environmentOf(kafka.bootstrap(), topics, database);
    const command = new CommandLine(["check"], { ...own, SCHEMA_REGISTRY_URL: registry.url, ...environment });
    const { code } = await command.ended;
    return { code, lines: command.stdout.trimEnd().split("\n"), stderr: command.stderr };
  }

  it("says of each thing that it works, and of a record that it would be a dead letter", async () => {
    const { code, lines, stderr } = await check({});
    const wanted = [
      /^ok {5}Kafka {8}answers at 127\.0\.0\.1:\d+ \(PLAINTEXT\)$/,
      /^note {3}topic {8}orders_\w+: 3 partitions, 1 offsets, but the record at offset 0 of partition \d would be a dead letter, UNDECODABLE: .*schema id 1, .*no field order_date/,
      /^ok {5}topic {8}payments_\w+: 3 partitions, 1 offsets, and the last record of partition \d can be decoded$/,
      /^ok {5}group {8}order-payment-stream \(KAFKA_GROUP_ID\): its offsets may be read$/,
      /^ok {5}registry {5}answers at http:/,
      /^ok {5}MongoDB {6}answers at mongodb:.* \(version /,
      /^ok {5}collection {3}\w+\.spark_streaming_stateful_writes \(MONGODB_COLLECTION\) can be written$/,
      /^ok {5}collection {3}\w+\.unmatched /,
      /^ok {5}collection {3}\w+\.dead_letters /,
    ];
    assert.equal(lines.length, wanted.length, [...lines, stderr].join("\n"));
    for (const [i, pattern] of wanted.entries()) assert.match(lines[i]!, pattern);
    assert.equal(code, 0);
    assert.deepEqual(await database.db.listCollections().toArray(), [], "nothing is made");
  });

  it("says what is wrong and what to do, of all at once", async () => {
    const { code, lines, stderr } = await check({
      KAFKA_PAYMENT_TOPIC: "payment",
      SCHEMA_REGISTRY_URL: `${registry.url}/nowhere`,
      MONGODB_URI: "mongodb://127.0.0.1:1",
    });
    const wrong = lines.filter((line) => line.startsWith("wrong"));
    assert.equal(wrong.length, 4, [...lines, stderr].join("\n"));
    assert.match(wrong.shift()!, /^wrong {2}topic {8}orders_\w+: there is no schema registry at/);
    assert.match(
      wrong[0]!,
      /^wrong {2}topic .*has no topic "payment"\. Correct KAFKA_PAYMENT_TOPIC, or create the topic/,
    );
    assert.match(
      wrong[1]!,
      /^wrong {2}registry .*there is no schema registry at http:.*Expected the address under/,
    );
    assert.match(wrong[2]!, /^wrong {2}MongoDB .*no MongoDB answers at 127\.0\.0\.1:1 within/);
    assert.equal(code, 1);
  });

  for (const [how, answers] of [
    ["refuses", false],
    ["accepts connections and never answers", true],
  ] as const) {
    it(`ends in time where everything ${how}`, async () => {
      const hole = createServer();
      await new Promise<void>((resolve) => hole.listen(0, "127.0.0.1", resolve));
      const port = answers ? (hole.address() as AddressInfo).port : 1;
      const helpAtMs = performance.now();
      await new CommandLine(["check", "--help"], {}).ended;
      const beganAtMs = performance.now();
      const startMs = beganAtMs - helpAtMs;
      const { code, lines } = await check({
        KAFKA_BOOTSTRAP: `127.0.0.1:${port}`,
        MONGODB_URI: `mongodb://127.0.0.1:${port}`,
        SCHEMA_REGISTRY_URL: `http://127.0.0.1:${port}`,
      });
      const tookMs = performance.now() - beganAtMs;
      hole.close();
      const [kafkaLine, registryLine, mongodbLine, ...others] = lines;
      // On a machine with much else to do the whole time is over first.
      assert.match(kafkaLine!, /^wrong {2}Kafka {8}.*127\.0\.0\.1:\d+: /);
      assert.match(registryLine!, /^wrong {2}registry .*(connect ECONNREFUSED \S+|no answer within \d+ s)$/);
      assert.match(
        mongodbLine!,
        /^wrong {2}MongoDB .*(no MongoDB answers at 127\.0\.0\.1:\d+|no answer) within /,
      );
      assert.deepEqual(others, []);
      assert.equal(code, 1);
      // Of the program as it is built; from the sources, or on a machine that has other work, it takes long to start.
      const overMs = Math.max(0, startMs - 1_000);
      assert.ok(tookMs < 10_000 + overMs, `${Math.round(tookMs)} ms`);
    });
  }
});
