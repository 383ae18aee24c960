/** The Kafka client against a real broker: what a fake cannot tell, from transactions to a broker that is killed. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CompressionTypes, Kafka, logLevel, type Message, type Producer } from "kafkajs";
import { connectKafka } from "../../beam/io/kafka/client/connect_kafka.js";
import type { KafkaClient, PartitionSubscription } from "../../beam/io/kafka/client/kafka_client.js";
import { type LocalServer, startKafka } from "../../services/index.js";
import { kafkaFixture, uniqueName } from "../fixtures/services.js";

process.env.KAFKAJS_NO_PARTITIONER_WARNING = "1";

const TIMEOUT_MS = 90_000;
const logger = { debug() {}, info() {}, warn() {}, error() {} };
const connect = (address: string, limits = {}) =>
  connectKafka({ brokers: [address], clientId: "kafka-client-test", logger, limits });

class Peer {
  readonly kafka: Kafka;
  readonly admin;
  readonly producer: Producer;

  constructor(address: string) {
    // Retried for long, because the producer outlives a broker's restart.
    this.kafka = new Kafka({
      brokers: [address],
      logLevel: logLevel.NOTHING,
      retry: { retries: 20, maxRetryTime: 1_000 },
    });
    this.admin = this.kafka.admin();
    this.producer = this.kafka.producer();
  }

  async open(): Promise<void> {
    await Promise.all([this.admin.connect(), this.producer.connect()]);
  }

  async close(): Promise<void> {
    await Promise.all([this.admin.disconnect(), this.producer.disconnect()]);
  }

  async topic(prefix: string, numPartitions = 3): Promise<string> {
    const topic = uniqueName(prefix);
    await this.admin.createTopics({ topics: [{ topic, numPartitions }] });
    return topic;
  }

  async send(topic: string, messages: Message[], compression = CompressionTypes.None): Promise<void> {
    await this.producer.send({ topic, messages, compression });
  }
}

/** Collects the values of one partition until told to stop. */
class Collector {
  readonly values: string[] = [];
  readonly offsets: number[] = [];
  readonly subscription: PartitionSubscription;
  calls = 0;
  #changed: () => void = () => {};

  constructor(client: KafkaClient, topic: string, partition: number, offset = 0) {
    this.subscription = client.subscribe(topic, partition, offset, () => {
      this.calls++;
      this.#take();
      this.#changed();
    });
  }

  #take(): void {
    for (let cursor = this.subscription.take(100); cursor; cursor = this.subscription.take(100)) {
      while (cursor.next()) {
        this.values.push(cursor.buffer.toString("utf8", cursor.valueStart, cursor.valueEnd));
        this.offsets.push(cursor.offset);
      }
    }
  }

  async until(what: string, condition: () => boolean, timeoutMs = 30_000): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!condition()) {
      const left = deadline - Date.now();
      assert.ok(left > 0, `waited for ${what}; error: ${this.subscription.error}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#changed = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  count(n: number): Promise<void> {
    return this.until(`${n} records`, () => this.values.length >= n);
  }
}

const numbered = (from: number, to: number, partition?: number): Message[] =>
  Array.from({ length: to - from }, (_, i) => ({
    key: `k${from + i}`,
    value: `v${from + i}`,
    ...(partition === undefined ? {} : { partition }),
  }));

describe("Kafka client", function () {
  this.timeout(TIMEOUT_MS);
  const fixture = kafkaFixture();
  let peer: Peer;
  let client: KafkaClient;

  before(async () => {
    peer = new Peer(fixture.bootstrap());
    await peer.open();
    client = await connect(fixture.bootstrap());
  });

  after(async () => {
    await client?.close();
    await peer?.close();
  });

  it("reads every record of three partitions, plain and gzip", async () => {
    const topic = await peer.topic("read_all");
    await peer.send(topic, numbered(0, 500));
    await peer.send(topic, numbered(500, 1_000), CompressionTypes.GZIP);
    assert.deepEqual(await client.partitions(topic), [0, 1, 2]);
    const ends = await client.offsets(topic, "latest");
    const collectors = [0, 1, 2].map((partition) => new Collector(client, topic, partition));
    for (const [partition, collector] of collectors.entries()) {
      await collector.count(ends.get(partition)!);
      assert.deepEqual(
        collector.offsets,
        collector.offsets.map((_, i) => i),
      );
      assert.equal(collector.subscription.position, ends.get(partition));
      assert.equal(collector.subscription.highWatermark, ends.get(partition));
      collector.subscription.close();
    }
    const values = collectors.flatMap((collector) => collector.values).sort();
    assert.deepEqual(
      values,
      numbered(0, 1_000)
        .map(({ value }) => value)
        .sort(),
    );
  });

  it("hides aborted transactions, waits for open ones, and steps over their markers", async () => {
    const topic = await peer.topic("transactions", 1);
    const producer = peer.kafka.producer({
      transactionalId: uniqueName("tx"),
      maxInFlightRequests: 1,
      idempotent: true,
    });
    await producer.connect();
    try {
      for (const outcome of ["commit", "abort", "commit"] as const) {
        const transaction = await producer.transaction();
        await transaction.send({ topic, messages: [{ value: `${outcome} 1` }, { value: `${outcome} 2` }] });
        await transaction[outcome]();
      }
      const collector = new Collector(client, topic, 0);
      await collector.until("the end of the log", () => collector.subscription.caughtUpAtMs !== undefined);
      assert.deepEqual(collector.values, ["commit 1", "commit 2", "commit 1", "commit 2"]);
      assert.equal(collector.subscription.position, 9);

      const open = await producer.transaction();
      await open.send({ topic, messages: [{ value: "later" }] });
      assert.equal((await client.offsets(topic, "latest")).get(0), 9);
      const calls = collector.calls;
      await collector.until("two more fetches", () => collector.calls >= calls + 2);
      assert.equal(collector.subscription.highWatermark, 9);
      await open.abort();
      await collector.until("the end of the log", () => collector.subscription.position === 11);
      assert.equal(collector.values.length, 4);
      assert.notEqual(collector.subscription.caughtUpAtMs, undefined);
      collector.subscription.close();
    } finally {
      await producer.disconnect();
    }
  });

  it("tells of new records within 50 ms of their acknowledgement", async () => {
    const topic = await peer.topic("latency", 1);
    const collector = new Collector(client, topic, 0);
    await collector.until("the first fetch", () => collector.calls > 0);
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    const delays: number[] = [];
    for (let i = 0; i < 15; i++) {
      await peer.send(topic, [{ value: `v${i}` }]);
      const acknowledgedAt = performance.now();
      await collector.count(i + 1);
      delays.push(performance.now() - acknowledgedAt);
    }
    delays.sort((a, b) => a - b);
    assert.ok(delays[7]! < 50, `delays in ms: ${delays.map(Math.round)}`);
    collector.subscription.close();
  });

  it("is caught up on a partition that never held a record, as time goes on", async () => {
    const topic = await peer.topic("empty", 1);
    const startedAt = Date.now();
    const collector = new Collector(client, topic, 0);
    await collector.until("the end", () => collector.subscription.caughtUpAtMs !== undefined);
    const first = collector.subscription.caughtUpAtMs!;
    assert.ok(first >= startedAt && first <= Date.now());
    await collector.until("a later end", () => collector.subscription.caughtUpAtMs! > first + 400);
    assert.equal(collector.subscription.position, 0);
    assert.equal(collector.subscription.highWatermark, 0);
    collector.subscription.close();
  });

  it("finds offsets: earliest, latest, by time, and after the end", async () => {
    const topic = await peer.topic("offsets", 2);
    const time = 1_700_000_000_000;
    const messages = [0, 1, 2].map((i) => ({
      value: `v${i}`,
      partition: 0,
      timestamp: String(time + i * 1_000),
    }));
    await peer.send(topic, messages);
    const offsets = async (at: Parameters<KafkaClient["offsets"]>[1]) => [
      ...(await client.offsets(topic, at)),
    ];
    assert.deepEqual(await offsets("earliest"), [
      [0, 0],
      [1, 0],
    ]);
    assert.deepEqual(await offsets("latest"), [
      [0, 3],
      [1, 0],
    ]);
    assert.deepEqual(await offsets({ timestampMs: time + 500 }), [
      [0, 1],
      [1, 0],
    ]);
    assert.deepEqual(await offsets({ timestampMs: time + 60_000 }), [
      [0, 3],
      [1, 0],
    ]);
  });

  it("commits and reads a group's offsets without joining it", async () => {
    const topic = await peer.topic("committed");
    const groupId = uniqueName("group");
    assert.deepEqual(await client.committedOffsets(groupId, topic), new Map());
    await client.commitOffsets(groupId, [
      { topic, partition: 0, offset: 12 },
      { topic, partition: 2, offset: 5_000_000_000 },
    ]);
    await client.commitOffsets(groupId, []);
    assert.deepEqual(
      await client.committedOffsets(groupId, topic),
      new Map([
        [0, 12],
        [2, 5_000_000_000],
      ]),
    );
    const { groups } = await peer.admin.describeGroups([groupId]);
    assert.deepEqual(groups[0]!.members, []);
  });

  it("is refused a commit for a group that has members, at once", async () => {
    const topic = await peer.topic("busy_group", 1);
    const groupId = uniqueName("group");
    const consumer = peer.kafka.consumer({ groupId });
    await consumer.connect();
    try {
      await consumer.subscribe({ topic });
      const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve));
      await consumer.run({ eachMessage: async () => {} });
      await joined;
      await assert.rejects(client.commitOffsets(groupId, [{ topic, partition: 0, offset: 1 }]), {
        name: "KafkaRequestError",
        message: /UNKNOWN_MEMBER_ID/,
      });
    } finally {
      await consumer.disconnect();
    }
  });

  it("says that an offset is out of range, and which are in it", async () => {
    const topic = await peer.topic("range", 1);
    await peer.send(topic, numbered(0, 10));
    await peer.admin.fetchTopicOffsets(topic); // without which kafkajs does not know the leader
    await peer.admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: "4" }] });
    for (const wanted of [2, 99]) {
      const collector = new Collector(client, topic, 0, wanted);
      await collector.until("the error", () => collector.subscription.error !== undefined);
      const { name, message } = collector.subscription.error!;
      assert.equal(name, "OffsetOutOfRangeError");
      assert.match(message, new RegExp(`${topic}\\[0\\].* ${wanted}: .*4 to 10`));
      collector.subscription.close();
    }
  });

  it("says that a topic does not exist, and fails a subscription whose topic is deleted", async () => {
    await assert.rejects(client.partitions("no_such_topic"), {
      name: "TopicNotFoundError",
      message: /no_such_topic/,
    });
    await assert.rejects(client.offsets("not a name", "latest"), { name: "TopicNotFoundError" });
    const impatient = await connect(fixture.bootstrap(), { topicMissingMaxMs: 500 });
    const topic = await peer.topic("deleted", 1);
    const collector = new Collector(impatient, topic, 0);
    await collector.until("the first fetch", () => collector.calls > 0);
    await peer.admin.deleteTopics({ topics: [topic] });
    await collector.until("the error", () => collector.subscription.error !== undefined);
    assert.equal(collector.subscription.error!.name, "TopicNotFoundError");
    await impatient.close();
  });

  it("says that a host cannot be reached", async () => {
    await assert.rejects(connect("no-such-host.invalid:9092", { connectTimeoutMs: 500 }), {
      name: "KafkaUnreachableError",
      message: /no-such-host\.invalid:9092/,
    });
  });

  it("closes within a second while fetches are under way, and is of no use then", async () => {
    const topic = await peer.topic("closing");
    const other = await connect(fixture.bootstrap(), { fetchMaxWaitMs: 20_000 });
    for (const partition of [0, 1, 2]) new Collector(other, topic, partition);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const startedAt = performance.now();
    await other.close();
    assert.ok(performance.now() - startedAt < 1_000);
    await assert.rejects(other.partitions(topic), { name: "KafkaClosedError" });
    assert.throws(() => other.subscribe(topic, 0, 0, () => {}), /after close/);
  });

  it("reads a million records in order, in a bounded buffer", async () => {
    const topic = await peer.topic("million");
    const total = 1_000_000;
    const value = Buffer.alloc(72, "x");
    for (let sent = 0; sent < total; sent += 20_000) {
      await peer.send(
        topic,
        Array.from({ length: 20_000 }, (_, i) => ({
          key: `order-${sent + i}`,
          value,
          partition: (sent + i) % 3,
        })),
      );
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

    it("survives the broker being killed and started again", async () => {
      const own = new Peer(server.address);
      await own.open();
      const topic = await own.topic("killed");
      await own.send(topic, numbered(0, 300));
      const reader = await connect(server.address);
      const ends = await reader.offsets(topic, "latest");
      const collectors = [0, 1, 2].map((partition) => new Collector(reader, topic, partition));
      for (const [partition, collector] of collectors.entries()) await collector.count(ends.get(partition)!);
      await collectors[0]!.until("the end", () => collectors[0]!.subscription.caughtUpAtMs !== undefined);

      await server.kill();
      await collectors[0]!.until("the outage", () => collectors[0]!.subscription.caughtUpAtMs === undefined);
      assert.equal(collectors[0]!.subscription.error, undefined);
      await server.start();
      await own.send(topic, numbered(300, 600));
      const after = await reader.offsets(topic, "latest");
      for (const [partition, collector] of collectors.entries()) {
        await collector.count(after.get(partition)!);
        assert.deepEqual(
          collector.offsets,
          collector.offsets.map((_, i) => i),
        );
      }
      await collectors[0]!.until("the end", () => collectors[0]!.subscription.caughtUpAtMs !== undefined);
      await reader.close();
      await own.close();
    });
  });
});
