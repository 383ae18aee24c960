/** The Kafka client against a real broker: the suite that every client passes, and what no fake can tell. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CompressionTypes, Kafka, logLevel, type Message, type Producer } from "kafkajs";
import { BrokerConnection } from "../../connectors/kafka/client/broker_connection.js";
import { connectKafka } from "../../connectors/kafka/client/connect_kafka.js";
import { FETCH_BY_ID_VERSION, FETCH_VERSION } from "../../connectors/kafka/client/fetch_protocol.js";
import type { KafkaClient } from "../../connectors/kafka/client/kafka_client.js";
import {
  apiKeys,
  createBroker,
  createKafkaJsLogger,
  Encoder,
  socketFactory,
} from "../../connectors/kafka/client/kafkajs_internals.js";
import { type LocalServer, startKafka } from "../../services/index.js";
import {
  Collector,
  type KafkaHarness,
  numbered,
  type SentRecord,
  testKafkaClient,
  testKafkaOutage,
} from "../connector/kafka_client_suite.js";
import { kafkaFixture, uniqueName } from "../fixtures/services.js";

process.env.KAFKAJS_NO_PARTITIONER_WARNING = "1";

const TIMEOUT_MS = 90_000;
const logger = { debug() {}, info() {}, warn() {}, error() {} };

/** A real cluster, used through kafkajs. */
class RealKafka implements KafkaHarness {
  readonly kafka: Kafka;
  readonly admin;
  readonly producer: Producer;

  constructor(readonly address: string) {
    // Retried for long, because the producer outlives a broker's restart.
    this.kafka = new Kafka({
      brokers: [address],
      logLevel: logLevel.NOTHING,
      retry: { retries: 20, maxRetryTime: 1_000 },
    });
    this.admin = this.kafka.admin();
    this.producer = this.kafka.producer();
  }

  async open(): Promise<this> {
    await Promise.all([this.admin.connect(), this.producer.connect()]);
    return this;
  }

  async close(): Promise<void> {
    await Promise.all([this.admin.disconnect(), this.producer.disconnect()]);
  }

  connect(limits = {}): Promise<KafkaClient> {
    return connectKafka({ brokers: [this.address], clientId: "kafka-client-test", logger, limits });
  }

  async createTopic(prefix: string, numPartitions: number): Promise<string> {
    const topic = uniqueName(prefix);
    await this.admin.createTopics({ topics: [{ topic, numPartitions }] });
    return topic;
  }

  async deleteTopic(topic: string): Promise<void> {
    await this.admin.deleteTopics({ topics: [topic] });
  }

  async makeAgain(topic: string, numPartitions: number): Promise<void> {
    await this.deleteTopic(topic);
    for (let tries = 0; ; tries++) {
      // The name is free a moment after the deletion was confirmed.
      try {
        await this.admin.createTopics({ topics: [{ topic, numPartitions }], waitForLeaders: true });
        return;
      } catch (error) {
        if (tries === 50) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  async deleteRecordsBefore(topic: string, partition: number, offset: number): Promise<void> {
    await this.admin.fetchTopicOffsets(topic); // without which kafkajs does not know the leader
    await this.admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] });
  }

  async send(
    topic: string,
    records: readonly SentRecord[],
    compression = CompressionTypes.None,
  ): Promise<void> {
    const messages = records.map(
      ({ value, partition, timestampMs }): Message => ({
        value,
        key: value,
        ...(partition === undefined ? {} : { partition }),
        ...(timestampMs === undefined ? {} : { timestamp: String(timestampMs) }),
      }),
    );
    await this.producer.send({ topic, messages, compression });
  }

  async sendInTransaction(topic: string, values: readonly string[]) {
    const producer = this.kafka.producer({
      transactionalId: uniqueName("tx"),
      maxInFlightRequests: 1,
      idempotent: true,
    });
    await producer.connect();
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: values.map((value) => ({ value })) });
    return async (outcome: "commit" | "abort"): Promise<void> => {
      await transaction[outcome]();
      await producer.disconnect();
    };
  }

  newGroup(): string {
    return uniqueName("group");
  }

  async joinGroup(groupId: string, topic: string): Promise<() => Promise<void>> {
    const consumer = this.kafka.consumer({ groupId });
    await consumer.connect();
    await consumer.subscribe({ topic });
    const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve));
    await consumer.run({ eachMessage: async () => {} });
    await joined;
    return () => consumer.disconnect();
  }

  now(): number {
    return Date.now();
  }

  wait(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }
}

describe("Kafka client", function () {
  this.timeout(TIMEOUT_MS);
  const fixture = kafkaFixture();
  let real: RealKafka;
  let client: KafkaClient;

  before(async () => {
    real = await new RealKafka(fixture.bootstrap()).open();
    client = await real.connect();
  });

  after(async () => {
    await client?.close();
    await real?.close();
  });

  testKafkaClient(() => real);

  it("reads what is compressed with gzip", async () => {
    const topic = await real.createTopic("gzip", 1);
    await real.send(topic, numbered(0, 500), CompressionTypes.GZIP);
    const collector = new Collector(real, client, topic, 0);
    await collector.count(500);
    collector.assertInOrder();
    collector.subscription.close();
  });

  it("tells of new records within 50 ms of their acknowledgement", async () => {
    const topic = await real.createTopic("latency", 1);
    const collector = new Collector(real, client, topic, 0);
    await collector.until("the first fetch", () => collector.calls > 0);
    await real.wait(1_200);
    const delays: number[] = [];
    for (let i = 0; i < 15; i++) {
      await real.send(topic, [{ value: `v${i}` }]);
      const acknowledgedAt = performance.now();
      await collector.count(i + 1);
      delays.push(performance.now() - acknowledgedAt);
    }
    delays.sort((a, b) => a - b);
    assert.ok(delays[7]! < 50, `delays in ms: ${delays.map(Math.round)}`);
    collector.subscription.close();
  });

  it("commits offsets without becoming a member of the group", async () => {
    const topic = await real.createTopic("no_member", 1);
    const groupId = real.newGroup();
    await client.commitOffsets(groupId, [{ topic, partition: 0, offset: 12 }]);
    const { groups } = await real.admin.describeGroups([groupId]);
    assert.deepEqual(groups[0]!.members, []);
  });

  it("says that a host cannot be reached", async () => {
    const connecting = connectKafka({
      brokers: ["no-such-host.invalid:9092"],
      clientId: "kafka-client-test",
      logger,
      limits: { connectTimeoutMs: 500 },
    });
    await assert.rejects(connecting, {
      name: "KafkaUnreachableError",
      message: /no-such-host\.invalid:9092/,
    });
  });

  it("reads a million records in order, in a bounded buffer", async () => {
    const topic = await real.createTopic("million", 3);
    const total = 1_000_000;
    const value = Buffer.alloc(72, "x");
    for (let sent = 0; sent < total; sent += 20_000) {
      await real.producer.send({
        topic,
        messages: Array.from({ length: 20_000 }, (_, i) => ({
          key: `order-${sent + i}`,
          value,
          partition: (sent + i) % 3,
        })),
      });
    }
    const ends = await client.offsets(topic, "latest");
    const startedAt = performance.now();
    let records = 0;
    await Promise.all(
      [...ends].map(
        ([partition, end]) =>
          new Promise<void>((resolve, reject) => {
            let expected = 0;
            const subscription = client.subscribe(topic, partition, 0, () => {
              for (let cursor = subscription.take(10_000); cursor; cursor = subscription.take(10_000)) {
                while (cursor.next()) {
                  if (cursor.offset !== expected++ || cursor.valueEnd - cursor.valueStart !== value.length) {
                    reject(new Error(`unexpected record at ${partition}:${cursor.offset}`));
                  }
                  records++;
                }
              }
              if (subscription.error !== undefined) reject(subscription.error);
              if (subscription.position === end) {
                subscription.close();
                resolve();
              }
            });
          }),
      ),
    );
    assert.equal(records, total);
    const perSecond = Math.round(total / ((performance.now() - startedAt) / 1_000));
    assert.ok(perSecond > 100_000, `${perSecond} records/s`);
    console.log(`      ${perSecond.toLocaleString("en")} records/s`);
  });

  it("fetches by the topic's id", async () => {
    const { send } = BrokerConnection.prototype;
    const versions = new Set<number>();
    BrokerConnection.prototype.send = function (this: BrokerConnection, call, use) {
      if (call.request.apiName === "Fetch") versions.add(call.request.apiVersion);
      return send.call(this, call, use) as Promise<never>;
    };
    try {
      const topic = await real.createTopic("by_id", 1);
      await real.send(topic, numbered(0, 3));
      const collector = new Collector(real, client, topic, 0);
      await collector.count(3);
      collector.subscription.close();
    } finally {
      BrokerConnection.prototype.send = send;
    }
    assert.deepEqual([...versions], [FETCH_BY_ID_VERSION]);
  });

  it("reads on, and says so, where a quota holds the answers back", async () => {
    const clientId = uniqueName("quota");
    await limitBytes(real.address, clientId, 2_500);
    const topic = await real.createTopic("quota", 1);
    const values = Array.from({ length: 8 }, (_, i) => ({ value: `${i}`.repeat(2_000) }));
    for (const value of values) await real.send(topic, [value]);
    const warnings: string[] = [];
    const limits = { fetchPartitionMaxBytes: 4_000 };
    const slow = await connectKafka({
      brokers: [real.address],
      clientId,
      logger: { ...logger, warn: (text) => warnings.push(text) },
      limits,
    });
    try {
      const collector = new Collector(real, slow, topic, 0);
      await collector.count(values.length);
      collector.assertInOrder();
      collector.subscription.close();
      assert.deepEqual(warnings, [
        "Kafka throttles this client: a quota of the broker holds its answers back",
      ]);
    } finally {
      await slow.close();
    }
  });

  describe("with a broker that knows topics by name alone", () => {
    const { speaks } = BrokerConnection.prototype;

    before(() => {
      BrokerConnection.prototype.speaks = function (this: BrokerConnection, apiKey, apiVersion) {
        return (
          !(apiKey === apiKeys.Fetch && apiVersion > FETCH_VERSION) && speaks.call(this, apiKey, apiVersion)
        );
      };
    });

    after(() => {
      BrokerConnection.prototype.speaks = speaks;
    });

    testKafkaClient(() => real);
  });

  describe("with a broker of its own", () => {
    let dataDir: string;
    let server: LocalServer;

    before(async () => {
      dataDir = mkdtempSync(join(tmpdir(), "order-payment-stream-kafka-client-"));
      server = await startKafka({ dataDir });
    });

    after(async () => {
      await server?.stop();
      rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 });
    });

    testKafkaOutage(async () => {
      const own = await new RealKafka(server.address).open();
      return Object.assign(own, { kill: () => server.kill(), start: () => server.start() });
    });
  });
});

/** AlterClientQuotas v0, which kafkajs does not know. @param perSecond bytes that a consumer of this client id may fetch */
async function limitBytes(address: string, clientId: string, perSecond: number): Promise<void> {
  const [host, port] = address.split(":");
  const broker = createBroker({
    host: host!,
    port: Number(port),
    clientId: "kafka-client-test",
    ssl: null,
    sasl: null,
    connectionTimeoutMs: 5_000,
    requestTimeoutMs: 5_000,
    logger: createKafkaJsLogger(() => {}),
    socketFactory: socketFactory(() => {}),
  });
  await broker.connect();
  const value = Buffer.alloc(8);
  value.writeDoubleBE(perSecond);
  const entity = new Encoder().writeString("client-id").writeString(clientId);
  const operation = new Encoder().writeString("consumer_byte_rate").writeBuffer(value).writeBoolean(false);
  const entry = new Encoder().writeArray([entity]).writeArray([operation]);
  const ALTER_CLIENT_QUOTAS = 49;
  const errorCode = await broker.connectionPool.send<number>({
    request: {
      apiKey: ALTER_CLIENT_QUOTAS,
      apiVersion: 0,
      apiName: "AlterClientQuotas",
      encode: async () => new Encoder().writeArray([entry]).writeBoolean(false),
    },
    response: {
      // throttle_ms int32, [error_code int16, ..]
      decode: async (payload) => ({ clientSideThrottleTime: 0, errorCode: payload.readInt16BE(8) }),
      parse: async ({ errorCode }) => errorCode,
    },
  });
  await broker.disconnect();
  assert.equal(errorCode, 0);
}
