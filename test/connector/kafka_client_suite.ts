/**
 * What a Kafka client must do, for the real one against a real broker and for the simulation's against its own: a fake
 * that passes is as strict as the real thing.
 */
import assert from "node:assert/strict";
import type {
  KafkaClient,
  KafkaLimits,
  PartitionSubscription,
} from "../../connectors/kafka/client/kafka_client.js";
import type { LogChangedError } from "../../connectors/kafka/client/kafka_errors.js";
import type { BatchMark } from "../../connectors/kafka/client/log_id.js";
import type { LogMark } from "../../connectors/kafka/client/log_identity.js";

export interface SentRecord {
  readonly value: string;
  /** Left out: spread by the key, which is then the value. */
  readonly partition?: number;
  readonly timestampMs?: number;
}

/** A cluster, and what others do to it. */
export interface KafkaHarness {
  /** For messages of errors. */
  readonly address: string;
  connect(limits?: Partial<KafkaLimits>): Promise<KafkaClient>;
  /** Returns its name. */
  createTopic(prefix: string, partitions: number): Promise<string>;
  deleteTopic(topic: string): Promise<void>;
  /** Deletes the topic and creates another one of its name. */
  makeAgain(topic: string, partitions: number): Promise<void>;
  deleteRecordsBefore(topic: string, partition: number, offset: number): Promise<void>;
  send(topic: string, records: readonly SentRecord[]): Promise<void>;
  /** Writes to partition 0 and leaves the transaction open. Returns what ends it. */
  sendInTransaction(
    topic: string,
    values: readonly string[],
  ): Promise<(outcome: "commit" | "abort") => Promise<void>>;
  newGroup(): string;
  /** Has a consumer join the group. Returns what makes it leave. */
  joinGroup(groupId: string, topic: string): Promise<() => Promise<void>>;
  /** By the clock that the client goes by. */
  now(): number;
  wait(ms: number): Promise<void>;
  close(): Promise<void>;
}

/** Collects the values of one partition until told to stop. */
export class Collector {
  readonly values: string[] = [];
  readonly offsets: number[] = [];
  /** Of each record. */
  readonly batches: BatchMark[] = [];
  readonly subscription: PartitionSubscription;
  calls = 0;

  constructor(
    private readonly harness: Pick<KafkaHarness, "now" | "wait">,
    client: KafkaClient,
    topic: string,
    partition: number,
    offset = 0,
    mark?: LogMark,
  ) {
    const onData = (): void => {
      this.calls++;
      this.#take();
    };
    this.subscription = client.subscribe(topic, partition, offset, onData, mark);
  }

  #take(): void {
    for (let cursor = this.subscription.take(100); cursor; cursor = this.subscription.take(100)) {
      while (cursor.next()) {
        this.values.push(cursor.buffer.toString("utf8", cursor.valueStart, cursor.valueEnd));
        this.offsets.push(cursor.offset);
        const { baseOffset, leaderEpoch, checksum } = cursor.batch!;
        this.batches.push({ baseOffset, leaderEpoch, checksum });
      }
    }
  }

  async until(what: string, condition: () => boolean, timeoutMs = 30_000): Promise<void> {
    const deadline = this.harness.now() + timeoutMs;
    while (!condition()) {
      assert.ok(this.harness.now() < deadline, `waited for ${what}; error: ${this.subscription.error}`);
      await this.harness.wait(2);
    }
  }

  count(n: number): Promise<void> {
    return this.until(`${n} records`, () => this.values.length >= n);
  }

  /** Offsets from 0 on, none left out. */
  assertInOrder(): void {
    assert.deepEqual(
      this.offsets,
      this.offsets.map((_, i) => i),
    );
  }
}

export const numbered = (from: number, to: number): SentRecord[] =>
  Array.from({ length: to - from }, (_, i) => ({ value: `v${from + i}` }));

/** The tests of any client. `harness` is opened before them. */
export function testKafkaClient(harness: () => KafkaHarness): void {
  let client: KafkaClient;
  const collector = (topic: string, partition: number, offset = 0, mark?: LogMark): Collector =>
    new Collector(harness(), client, topic, partition, offset, mark);

  before(async () => {
    client = await harness().connect();
  });

  after(async () => {
    await client?.close();
  });

  it("reads every record of three partitions, in order", async () => {
    const topic = await harness().createTopic("read_all", 3);
    await harness().send(topic, numbered(0, 500));
    await harness().send(topic, numbered(500, 1_000));
    assert.deepEqual(await client.partitions(topic), [0, 1, 2]);
    const ends = await client.offsets(topic, "latest");
    const collectors = [0, 1, 2].map((partition) => collector(topic, partition));
    for (const [partition, { subscription }] of collectors.entries()) {
      await collectors[partition]!.count(ends.get(partition)!);
      collectors[partition]!.assertInOrder();
      assert.equal(subscription.position, ends.get(partition));
      assert.equal(subscription.highWatermark, ends.get(partition));
      subscription.close();
    }
    const values = collectors.flatMap((one) => one.values).sort();
    assert.deepEqual(
      values,
      numbered(0, 1_000)
        .map(({ value }) => value)
        .sort(),
    );
  });

  it("hides aborted transactions, waits for open ones, and steps over their markers", async () => {
    const topic = await harness().createTopic("transactions", 1);
    for (const outcome of ["commit", "abort", "commit"] as const) {
      const end = await harness().sendInTransaction(topic, [`${outcome} 1`, `${outcome} 2`]);
      await end(outcome);
    }
    const reading = collector(topic, 0);
    await reading.until("the end of the log", () => reading.subscription.caughtUpAtMs !== undefined);
    assert.deepEqual(reading.values, ["commit 1", "commit 2", "commit 1", "commit 2"]);
    assert.equal(reading.subscription.position, 9);

    const end = await harness().sendInTransaction(topic, ["later"]);
    assert.equal((await client.offsets(topic, "latest")).get(0), 9);
    await end("abort");
    await reading.until("the end of the log", () => reading.subscription.position === 11);
    await reading.until("the end is known", () => reading.subscription.caughtUpAtMs !== undefined);
    assert.equal(reading.values.length, 4);
    reading.subscription.close();
  });

  it("is not caught up behind an open transaction, which hides what others wrote behind it", async () => {
    const topic = await harness().createTopic("open_transaction", 1);
    await harness().send(topic, [{ value: "before", partition: 0 }]);
    const impatient = await harness().connect({ retryMaxMs: 1_500 });
    const reading = new Collector(harness(), impatient, topic, 0);
    await reading.until("the end of the log", () => reading.subscription.caughtUpAtMs !== undefined);
    const end = await harness().sendInTransaction(topic, ["inside"]);
    await harness().send(topic, [{ value: "behind", partition: 0 }]);
    assert.equal((await client.offsets(topic, "latest")).get(0), 1);
    assert.equal((await client.offsets(topic, "end")).get(0), 3);
    await reading.until("the transaction is noticed", () => reading.subscription.caughtUpAtMs === undefined);
    await reading.until("the patience ends", () => reading.subscription.transactionTimeout !== undefined);
    assert.match(reading.subscription.transactionTimeout!.message, new RegExp(`${topic}\\[0\\].* offset 1,`));
    assert.equal(reading.subscription.caughtUpAtMs, undefined);
    assert.equal(reading.subscription.highWatermark, 3);
    assert.equal(reading.subscription.error, undefined);
    assert.deepEqual(reading.values, ["before"]);

    await end("commit");
    await reading.until("the end of the log", () => reading.subscription.caughtUpAtMs !== undefined);
    assert.deepEqual(reading.values, ["before", "inside", "behind"]);
    assert.equal(reading.subscription.transactionTimeout, undefined);
    await impatient.close();
  });

  it("is caught up on a partition that never held a record, as time goes on", async () => {
    const topic = await harness().createTopic("empty", 1);
    const startedAt = harness().now();
    const reading = collector(topic, 0);
    await reading.until("the end", () => reading.subscription.caughtUpAtMs !== undefined);
    const first = reading.subscription.caughtUpAtMs!;
    assert.ok(first >= startedAt && first <= harness().now());
    await reading.until("a later end", () => reading.subscription.caughtUpAtMs! > first + 400);
    assert.equal(reading.subscription.position, 0);
    assert.equal(reading.subscription.highWatermark, 0);
    reading.subscription.close();
  });

  it("is caught up as of when it asked: a record that came meanwhile may be newer", async () => {
    const topic = await harness().createTopic("asked", 1);
    const reading = collector(topic, 0);
    await reading.until("the end", () => reading.subscription.caughtUpAtMs !== undefined);
    for (let i = 0; i < 10; i++) {
      await harness().send(topic, [{ value: `v${i}`, partition: 0 }]);
      const sentAt = harness().now();
      const { caughtUpAtMs } = reading.subscription;
      if (reading.values.length <= i) assert.ok(caughtUpAtMs === undefined || caughtUpAtMs <= sentAt);
      await reading.count(i + 1);
    }
    reading.subscription.close();
  });

  it("finds offsets: earliest, latest, by time, and after the end", async () => {
    const topic = await harness().createTopic("offsets", 2);
    const time = 1_700_000_000_000;
    await harness().send(
      topic,
      [0, 1, 2].map((i) => ({ value: `v${i}`, partition: 0, timestampMs: time + i * 1_000 })),
    );
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
    const topic = await harness().createTopic("committed", 3);
    const groupId = harness().newGroup();
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
  });

  it("is refused a commit for a group that has members, at once", async () => {
    const topic = await harness().createTopic("busy_group", 1);
    const groupId = harness().newGroup();
    const leave = await harness().joinGroup(groupId, topic);
    try {
      await assert.rejects(client.commitOffsets(groupId, [{ topic, partition: 0, offset: 1 }]), {
        name: "KafkaRequestError",
        message: /UNKNOWN_MEMBER_ID/,
      });
    } finally {
      await leave();
    }
  });

  it("says that an offset is out of range, and which are in it", async () => {
    const topic = await harness().createTopic("range", 1);
    await harness().send(topic, numbered(0, 10));
    await harness().deleteRecordsBefore(topic, 0, 4);
    for (const wanted of [2, 99]) {
      const reading = collector(topic, 0, wanted);
      await reading.until("the error", () => reading.subscription.error !== undefined);
      const { name, message } = reading.subscription.error!;
      assert.equal(name, "OffsetOutOfRangeError");
      assert.match(message, new RegExp(`${topic}\\[0\\].* ${wanted}: .*4 to 10`));
      reading.subscription.close();
    }
  });

  it("knows which log a topic's offsets are of, and another one when the topic is made again", async () => {
    const topic = await harness().createTopic("identity", 1);
    const log = await client.log(topic);
    assert.notEqual(log.clusterId, "");
    assert.notEqual(log.topicId, "");
    assert.deepEqual(await client.log(topic), log);
    await harness().send(topic, numbered(0, 3));
    const reading = collector(topic, 0);
    await reading.count(3);
    await harness().makeAgain(topic, 1);
    await harness().send(topic, numbered(10, 15));
    await reading.until("the error", () => reading.subscription.error !== undefined);
    const error = reading.subscription.error as LogChangedError;
    assert.equal(error.name, "LogChangedError");
    assert.match(error.message, /deleted and made again/);
    assert.equal(error.wantedOffset, 3);
    // It may have been found before the new records came.
    const { latestOffset, ...found } = error.found;
    assert.deepEqual(found, { log: await client.log(topic), earliestOffset: 0 });
    assert.ok(latestOffset >= 0 && latestOffset <= 5, `${latestOffset}`);
    assert.notEqual(error.found.log.topicId, log.topicId);
    assert.deepEqual(reading.values, ["v0", "v1", "v2"]);
    reading.subscription.close();

    const later = collector(topic, 0, 3, { ...log, anchor: undefined });
    await later.until("the error", () => later.subscription.error !== undefined);
    assert.equal(later.subscription.error!.name, "LogChangedError");
    assert.deepEqual(later.values, []);
    later.subscription.close();
  });

  it("goes on from a position whose last batch is still there, in its middle too", async () => {
    const topic = await harness().createTopic("goes_on", 1);
    await harness().send(topic, numbered(0, 10));
    const first = collector(topic, 0);
    await first.count(10);
    first.subscription.close();
    const log = await client.log(topic);
    await harness().send(topic, numbered(10, 12));
    for (const offset of [4, 10]) {
      const anchor = { ...first.batches[offset - 1]!, offset: offset - 1 };
      const reading = collector(topic, 0, offset, { ...log, anchor });
      await reading.count(12 - offset);
      assert.equal(reading.offsets[0], offset);
      assert.equal(reading.subscription.error, undefined);
      assert.deepEqual(reading.subscription.log, log);
      await reading.until("the end of the log", () => reading.subscription.caughtUpAtMs !== undefined);
      reading.subscription.close();
    }
  });

  it("refuses a position whose last batch is another one, or lies behind the end", async () => {
    const topic = await harness().createTopic("other_content", 1);
    await harness().send(topic, numbered(0, 10));
    const log = await client.log(topic);
    const first = collector(topic, 0);
    await first.count(10);
    first.subscription.close();
    const anchor = { ...first.batches[9]!, offset: 9 };
    const other = collector(topic, 0, 10, { ...log, anchor: { ...anchor, checksum: anchor.checksum ^ 1 } });
    await other.until("the error", () => other.subscription.error !== undefined);
    assert.equal(other.subscription.error!.name, "LogChangedError");
    assert.match(other.subscription.error!.message, /truncated or restored/);
    other.subscription.close();
    for (const offset of [10, 19]) {
      const behind = { ...anchor, offset, baseOffset: offset };
      const cut = collector(topic, 0, offset + 1, { ...log, anchor: behind });
      await cut.until("the error", () => cut.subscription.error !== undefined);
      assert.equal(cut.subscription.error!.name, "OffsetOutOfRangeError");
      cut.subscription.close();
    }
  });

  it("goes on where retention has removed what was read, and no more", async () => {
    const topic = await harness().createTopic("retained", 1);
    await harness().send(topic, numbered(0, 5));
    const first = collector(topic, 0);
    await first.count(5);
    first.subscription.close();
    await harness().send(topic, numbered(5, 8));
    await harness().deleteRecordsBefore(topic, 0, 5);
    const anchor = { ...first.batches[4]!, offset: 4 };
    const reading = collector(topic, 0, 5, { ...(await client.log(topic)), anchor });
    await reading.count(3);
    assert.equal(reading.subscription.error, undefined);
    reading.subscription.close();
  });

  it("says that a topic does not exist, and fails a subscription whose topic is deleted", async () => {
    await assert.rejects(client.partitions("no_such_topic"), {
      name: "TopicNotFoundError",
      message: /no_such_topic/,
    });
    await assert.rejects(client.offsets("not a name", "latest"), { name: "TopicNotFoundError" });
    const impatient = await harness().connect({ topicMissingMaxMs: 500 });
    const topic = await harness().createTopic("deleted", 1);
    const reading = new Collector(harness(), impatient, topic, 0);
    await reading.until("the first fetch", () => reading.calls > 0);
    await harness().deleteTopic(topic);
    await reading.until("the error", () => reading.subscription.error !== undefined);
    assert.equal(reading.subscription.error!.name, "TopicNotFoundError");
    await impatient.close();
  });

  it("subscribes a partition once at a time", async () => {
    const topic = await harness().createTopic("once", 1);
    const reading = collector(topic, 0);
    assert.throws(() => client.subscribe(topic, 0, 0, () => {}), /subscribed already/);
    reading.subscription.close();
    collector(topic, 0).subscription.close();
  });

  it("closes within a second while fetches are under way, and is of no use then", async () => {
    const topic = await harness().createTopic("closing", 3);
    const other = await harness().connect({ fetchMaxWaitMs: 20_000 });
    for (const partition of [0, 1, 2]) new Collector(harness(), other, topic, partition);
    await harness().wait(1_500);
    const startedAt = harness().now();
    await other.close();
    assert.ok(harness().now() - startedAt < 1_000);
    await assert.rejects(other.partitions(topic), { name: "KafkaClosedError" });
    assert.throws(() => other.subscribe(topic, 0, 0, () => {}), /after close/);
  });
}

/** A cluster that can go away. */
export interface MortalKafkaHarness extends KafkaHarness {
  kill(): Promise<void>;
  start(): Promise<void>;
}

/** The tests of a client whose only broker is killed. */
export function testKafkaOutage(open: () => Promise<MortalKafkaHarness>): void {
  it("survives the broker being killed and started again", async () => {
    const harness = await open();
    const topic = await harness.createTopic("killed", 3);
    await harness.send(topic, numbered(0, 300));
    const reader = await harness.connect();
    const ends = await reader.offsets(topic, "latest");
    const collectors = [0, 1, 2].map((partition) => new Collector(harness, reader, topic, partition));
    for (const [partition, collector] of collectors.entries()) await collector.count(ends.get(partition)!);
    const [first] = collectors as [Collector];
    await first.until("the end", () => first.subscription.caughtUpAtMs !== undefined);

    await harness.kill();
    await first.until("the outage", () => first.subscription.caughtUpAtMs === undefined);
    assert.equal(first.subscription.error, undefined);
    await harness.start();
    await harness.send(topic, numbered(300, 600));
    const after = await reader.offsets(topic, "latest");
    for (const [partition, collector] of collectors.entries()) {
      await collector.count(after.get(partition)!);
      collector.assertInOrder();
    }
    await first.until("the end", () => first.subscription.caughtUpAtMs !== undefined);
    await reader.close();
    await harness.close();
  });
}
