import assert from "node:assert/strict";
import { VirtualClock } from "../../../../../beam/platform/clock.js";
import { Health } from "../../../../../beam/platform/health.js";
import type { FetchAnswer, FetchRequest } from "../../../../../connectors/kafka/client/fetch_protocol.js";
import type { FetchTransport } from "../../../../../connectors/kafka/client/fetch_transport.js";
import { defaultKafkaLimits, type KafkaLimits } from "../../../../../connectors/kafka/client/kafka_client.js";
import {
  KafkaAuthenticationError,
  KafkaError,
  TokenRefusedError,
} from "../../../../../connectors/kafka/client/kafka_errors.js";
import { PartitionFetcher } from "../../../../../connectors/kafka/client/partition_fetcher.js";
import type { PartitionReader } from "../../../../../connectors/kafka/client/partition_reader.js";

import { batchBytes, markerBytes, recordsOf } from "./batch_builder.js";

interface PendingFetch {
  readonly nodeId: number;
  readonly request: FetchRequest;
  answer(...partitions: Partial<FetchAnswer["partitions"][number]>[]): Promise<void>;
  fail(error: Error): Promise<void>;
  /** By a quota. */
  throttle(ms: number): Promise<void>;
}

/** A cluster whose answers the test gives by hand. */
class FakeCluster implements FetchTransport {
  readonly brokers = ["fake:9092"];
  readonly leaders = new Map<string, number>([["t0", 1]]);
  /** Not looked at by the test yet. */
  readonly fetches: PendingFetch[] = [];
  readonly rejections: ((error: Error) => void)[] = [];
  metadataCalls = 0;
  topicError = 0;
  clusterId = "cluster";
  topicId = "topic";
  leaderEpoch = 5;
  isById = true;
  range = { earliest: 0, latest: 1_000 };

  async metadata(topics: readonly string[]) {
    this.metadataCalls++;
    return {
      brokers: [],
      clusterId: this.clusterId,
      topicMetadata: topics.map((topic) => ({
        topic,
        topicId: this.topicId,
        topicErrorCode: this.topicError,
        partitionMetadata: [...this.leaders]
          .filter(([name]) => name.startsWith(topic))
          .map(([name, leader]) => ({
            partitionErrorCode: 0,
            partitionId: Number(name.slice(topic.length)),
            leader,
            leaderEpoch: this.leaderEpoch,
          })),
      })),
    };
  }

  fetch(nodeId: number, request: FetchRequest): Promise<FetchAnswer> {
    return new Promise((resolve, reject) => {
      this.rejections.push(reject);
      this.fetches.push({
        nodeId,
        request,
        throttle: async (ms) => {
          resolve({ clientSideThrottleTime: ms, errorCode: 0, isById: this.isById, partitions: [] });
          await settle();
        },
        answer: async (...partitions) => {
          const buffer = Buffer.concat(partitions.map((partition) => partition.buffer ?? Buffer.alloc(0)));
          let at = 0;
          resolve({
            clientSideThrottleTime: 0,
            errorCode: 0,
            isById: this.isById,
            partitions: partitions.map((partition) => {
              const start = at;
              at += partition.buffer?.length ?? 0;
              const highWatermark = partition.lastStableOffset ?? 0;
              const defaults = { topic: "t", partition: 0, errorCode: 0, lastStableOffset: 0, aborted: [] };
              return {
                ...defaults,
                highWatermark,
                ...partition,
                buffer,
                recordsStart: start,
                recordsEnd: at,
              };
            }),
          });
          await settle();
        },
        fail: async (error) => {
          reject(error);
          await settle();
        },
      });
    });
  }

  disconnects = 0;

  disconnect(): void {
    this.disconnects++;
  }

  async transactionWriter() {
    return 'transactional.id "t-1" (producer 9)';
  }

  async offsetRange() {
    return this.range;
  }

  toKafkaError(error: unknown) {
    return error instanceof KafkaError ? error : new KafkaError(String(error));
  }

  next(): PendingFetch {
    const fetch = this.fetches.shift();
    assert.ok(fetch, "a fetch is under way");
    return fetch;
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

const silent = { debug() {}, info() {}, warn() {}, error() {} };

describe("partition fetcher", () => {
  let clock: VirtualClock;
  let cluster: FakeCluster;
  let fetcher: PartitionFetcher;
  let health: Health;
  let calls: number;

  function start(limits: Partial<KafkaLimits> = {}): void {
    clock = new VirtualClock(1_000_000);
    cluster = new FakeCluster();
    health = new Health(clock);
    fetcher = new PartitionFetcher(
      cluster,
      { ...defaultKafkaLimits, ...limits },
      clock,
      silent,
      Math.random,
      health,
    );
    calls = 0;
  }

  async function advance(ms: number): Promise<void> {
    clock.advanceTo(clock.now() + ms);
    await settle();
  }

  async function subscribe(partition = 0, offset = 0): Promise<PartitionReader> {
    const reader = fetcher.subscribe("t", partition, offset, () => calls++);
    await advance(0);
    return reader;
  }

  function takeAll(reader: PartitionReader): string[] {
    const seen: string[] = [];
    for (let cursor = reader.take(100); cursor !== undefined; cursor = reader.take(100)) {
      while (cursor.next()) seen.push(cursor.buffer.toString("utf8", cursor.valueStart, cursor.valueEnd));
    }
    return seen;
  }

  beforeEach(() => start());
  afterEach(async () => {
    const closing = fetcher.close();
    for (const reject of cluster.rejections) reject(new Error("closed"));
    await closing;
  });

  it("fetches the next records before the first are taken", async () => {
    const reader = await subscribe();
    assert.equal(reader.take(10), undefined);
    await cluster
      .next()
      .answer({ buffer: await batchBytes({ records: recordsOf("a", "b") }), lastStableOffset: 3 });
    assert.equal(cluster.next().request.partitions[0]!.fetchOffset, 2);
    assert.equal(calls, 1);
    assert.equal(reader.position, 0);
    assert.equal(reader.caughtUpAtMs, undefined);
    assert.deepEqual(takeAll(reader), ["a", "b"]);
    assert.equal(reader.position, 2);
    assert.equal(reader.highWatermark, 3);
    assert.equal(reader.caughtUpAtMs, undefined);
  });

  it("is caught up as of the sending of the fetch that saw the end, once all is taken", async () => {
    const reader = await subscribe();
    const sentAtMs = clock.now();
    clock.advanceTo(sentAtMs + 40);
    await cluster
      .next()
      .answer({ buffer: await batchBytes({ records: recordsOf("a") }), lastStableOffset: 1 });
    assert.equal(reader.caughtUpAtMs, undefined);
    takeAll(reader);
    assert.equal(reader.caughtUpAtMs, sentAtMs);

    await advance(250);
    await cluster.next().answer({ lastStableOffset: 1 });
    assert.equal(reader.caughtUpAtMs, sentAtMs + 40);
    assert.equal(calls, 1, "nobody is called for the time alone");
  });

  it("is not caught up on an empty answer while the log goes on", async () => {
    const reader = await subscribe();
    await cluster.next().answer({ lastStableOffset: 5 });
    assert.equal(reader.caughtUpAtMs, undefined);
    assert.equal(calls, 0);
  });

  it("is not caught up behind an open transaction, however long it stands there", async () => {
    const reader = await subscribe();
    const buffer = await batchBytes({ records: recordsOf("a") });
    await cluster.next().answer({ buffer, lastStableOffset: 1, highWatermark: 5 });
    takeAll(reader);
    assert.equal(reader.highWatermark, 5);
    for (let i = 0; i < 50; i++) {
      assert.equal(reader.caughtUpAtMs, undefined);
      await advance(250);
      await cluster.next().answer({ lastStableOffset: 1, highWatermark: 5 });
    }
    const [problem] = health.problems();
    assert.equal(problem!.component, "Kafka transaction in t[0]");
    assert.match(problem!.problem, /t\[0\].* open transaction of transactional\.id "t-1".* offset 1/);
    assert.equal(reader.transactionTimeout, undefined);

    const aborted = [{ producerId: 9, firstOffset: 1 }];
    const hidden = await batchBytes({
      baseOffset: 1,
      producerId: 9,
      transactional: true,
      records: recordsOf("x", "y", "z"),
    });
    const end = Buffer.concat([hidden, await markerBytes(4, 9, false)]);
    await cluster.next().answer({ buffer: end, aborted, lastStableOffset: 5, highWatermark: 5 });
    assert.equal(reader.position, 5);
    assert.notEqual(reader.caughtUpAtMs, undefined);
    assert.deepEqual(health.problems(), []);
  });

  it("says which transaction held a partition up for too long, and takes it back when it ends", async () => {
    start({ retryMaxMs: 10_000 });
    const reader = await subscribe();
    for (let i = 0; i < 50; i++) {
      assert.equal(reader.transactionTimeout, undefined);
      await cluster.next().answer({ lastStableOffset: 0, highWatermark: 5 });
      if (reader.transactionTimeout !== undefined) break;
      await advance(250);
    }
    const { name, message } = reader.transactionTimeout!;
    assert.equal(name, "OpenTransactionError");
    assert.match(message, /t\[0\].*transactional\.id "t-1".*offset 0.* for 10 s.*--start-offset 0/);
    assert.equal(reader.error, undefined);
    await cluster.next().answer({ lastStableOffset: 5, highWatermark: 5 });
    assert.equal(reader.transactionTimeout, undefined);
  });

  it("is not caught up where a leader that is new tells an end before what was read", async () => {
    const reader = await subscribe();
    const buffer = await batchBytes({ records: recordsOf("a", "b") });
    await cluster.next().answer({ buffer, lastStableOffset: 1, highWatermark: 1 });
    takeAll(reader);
    assert.equal(reader.caughtUpAtMs, undefined);
    await cluster.next().answer({ lastStableOffset: 2 });
    assert.notEqual(reader.caughtUpAtMs, undefined);
  });

  it("moves over what is hidden and tells that it is caught up", async () => {
    const reader = await subscribe();
    const aborted = await batchBytes({ producerId: 9, transactional: true, records: recordsOf("x", "y") });
    await cluster.next().answer({
      buffer: Buffer.concat([aborted, await markerBytes(2, 9, false)]),
      aborted: [{ producerId: 9, firstOffset: 0 }],
      lastStableOffset: 3,
    });
    assert.equal(reader.take(10), undefined);
    assert.equal(reader.position, 3);
    assert.notEqual(reader.caughtUpAtMs, undefined);
    assert.equal(calls, 1);
  });

  it("does not call while records are waiting to be taken", async () => {
    const reader = await subscribe();
    await cluster
      .next()
      .answer({ buffer: await batchBytes({ records: recordsOf("a") }), lastStableOffset: 9 });
    await cluster
      .next()
      .answer({ buffer: await batchBytes({ baseOffset: 1, records: recordsOf("b") }), lastStableOffset: 9 });
    assert.equal(calls, 1);
    assert.deepEqual(takeAll(reader), ["a", "b"]);
  });

  it("fetches on when the last record of a full buffer has been handed out, though nobody asks for more", async () => {
    start({ bufferPartitionMaxBytes: 10 });
    const reader = await subscribe();
    const { answer } = cluster.next();
    await answer({ buffer: await batchBytes({ records: recordsOf("a", "b") }), lastStableOffset: 9 });
    assert.equal(cluster.fetches.length, 0);
    const cursor = reader.take(100)!;
    assert.ok(cursor.next() && cursor.next());
    assert.equal(cursor.next(), false);
    await settle();
    assert.equal(cluster.next().request.partitions[0]!.fetchOffset, 2);
  });

  it("leaves a full partition out, polls briefly meanwhile, and takes it in again when there is room", async () => {
    start({ bufferPartitionMaxBytes: 50 });
    cluster.leaders.set("t1", 1);
    const full = await subscribe(0);
    await cluster
      .next()
      .answer({ buffer: await batchBytes({ records: recordsOf("a".repeat(60)) }), lastStableOffset: 9 });
    assert.equal(cluster.fetches.length, 0);
    await subscribe(1);
    await advance(2_000);
    const fetch = cluster.next();
    assert.deepEqual(
      fetch.request.partitions.map(({ partition }) => partition),
      [1],
    );
    assert.equal(fetch.request.maxWaitMs, 10);
    await fetch.answer({ partition: 1, lastStableOffset: 0 });
    takeAll(full);
    await cluster.next().answer({ partition: 1, lastStableOffset: 0 });
    const both = cluster.next().request;
    assert.equal(both.partitions.length, 2);
    assert.equal(both.maxWaitMs, 500);
  });

  it("polls briefly right after a subscription, because more may follow", async () => {
    await subscribe();
    assert.equal(cluster.next().request.maxWaitMs, 10);
  });

  it("lets the partitions take turns at being first", async () => {
    cluster.leaders.set("t1", 1).set("t2", 1);
    for (const partition of [0, 1, 2]) fetcher.subscribe("t", partition, 0, () => {});
    await advance(0);
    const firsts: number[] = [];
    for (let i = 0; i < 3; i++) {
      const fetch = cluster.next();
      firsts.push(fetch.request.partitions[0]!.partition);
      await fetch.answer(...[0, 1, 2].map((partition) => ({ partition })));
    }
    assert.deepEqual(firsts.sort(), [0, 1, 2]);
  });

  it("has one fetch under way for each leader", async () => {
    cluster.leaders.set("t1", 2);
    await subscribe(0);
    await subscribe(1);
    assert.deepEqual(cluster.fetches.map(({ nodeId }) => nodeId).sort(), [1, 2]);
  });

  it("follows a leader that moves", async () => {
    const reader = await subscribe();
    await cluster.next().answer({ lastStableOffset: 0 });
    assert.notEqual(reader.caughtUpAtMs, undefined);
    cluster.leaders.set("t0", 2);
    await cluster.next().answer({ errorCode: 6 });
    assert.equal(reader.caughtUpAtMs, undefined);
    assert.equal(calls, 2);
    assert.equal(cluster.fetches.length, 0);
    await advance(100);
    assert.equal(cluster.next().nodeId, 2);
    assert.equal(reader.error, undefined);
  });

  it("survives a broken connection and goes on at the same offset", async () => {
    const reader = await subscribe();
    await cluster
      .next()
      .answer({ buffer: await batchBytes({ records: recordsOf("a") }), lastStableOffset: 1 });
    await cluster.next().fail(new Error("connection closed"));
    assert.deepEqual(takeAll(reader), ["a"]);
    assert.equal(reader.caughtUpAtMs, undefined);
    await advance(100);
    await cluster
      .next()
      .answer({ buffer: await batchBytes({ baseOffset: 1, records: recordsOf("b") }), lastStableOffset: 2 });
    assert.deepEqual(takeAll(reader), ["b"]);
  });

  it("gives up at once where no token or login is given", async () => {
    for (const refusal of [
      new TokenRefusedError("the token endpoint https://issuer.example/token", "status 401"),
      new KafkaAuthenticationError(["fake:9092"], new Error("no")),
    ]) {
      start();
      const reader = await subscribe();
      await cluster.next().fail(refusal);
      assert.equal(reader.error, refusal);
    }
  });

  it("gives up after retryMaxMs without a success", async () => {
    start({ retryMaxMs: 10_000 });
    const reader = await subscribe();
    for (let i = 0; i < 100 && reader.error === undefined; i++) {
      await cluster.next().fail(new Error("refused"));
      await advance(2_500);
    }
    assert.match(String(reader.error), /refused/);
    assert.ok(clock.now() - 1_000_000 <= 20_000);
    assert.equal(cluster.fetches.length, 0);
  });

  it("tells of an outage that lasts, and of its end, but not of a change of leader", async () => {
    const reader = await subscribe();
    await cluster.next().fail(new Error("not the leader"));
    await advance(100);
    await cluster.next().answer({ lastStableOffset: 0 });
    assert.deepEqual(health.problems(), []);
    const sinceMs = clock.now();
    for (let i = 0; i < 5; i++) {
      await cluster.next().fail(new Error(`refused ${i}`));
      await advance(2_500);
    }
    const [problem] = health.problems();
    assert.match(problem!.problem, /^t\[0\] cannot be read: .*refused [12]$/);
    assert.ok(problem!.sinceMs > sinceMs && problem!.sinceMs <= sinceMs + 5_000);
    assert.equal(reader.caughtUpAtMs, undefined);
    await cluster.next().answer({ lastStableOffset: 0 });
    assert.deepEqual(health.problems(), []);
  });

  it("tells of a broker that does not answer, until it does", async () => {
    await subscribe();
    await advance(1_200);
    await cluster.next().answer({ lastStableOffset: 0 });
    const fetch = cluster.next();
    await advance(5_000);
    assert.deepEqual(health.problems(), []);
    await advance(500);
    assert.match(health.problems()[0]!.problem, /^broker 1 has not answered a fetch for 5 s$/);
    await fetch.answer({ lastStableOffset: 0 });
    assert.deepEqual(health.problems(), []);
  });

  describe("when the clock is set", () => {
    const HOUR_MS = 3_600_000;
    /** The answer to the fetch under way, by which the partition is caught up as of its sending. */
    const poll = async () => {
      await advance(250);
      await cluster.next().answer({ lastStableOffset: 0 });
    };

    it("forward, is caught up as of the time that has passed, and says so", async () => {
      const reader = await subscribe();
      const startMs = clock.now();
      await poll();
      clock.jump(HOUR_MS);
      for (let i = 0; i < 10; i++) await poll();
      assert.ok(reader.caughtUpAtMs! > startMs && reader.caughtUpAtMs! < startMs + 5_000);
      assert.match(health.problems()[0]!.problem, /set forward by 60 min/);
      clock.jump(-HOUR_MS);
      await poll();
      await poll();
      assert.deepEqual(health.problems(), []);
      assert.ok(reader.caughtUpAtMs! < startMs + 5_000);
    });

    it("forward, believes it once a record has shown that it is as late", async () => {
      const reader = await subscribe();
      await poll();
      clock.jump(HOUR_MS);
      await poll();
      const records = [{ offsetDelta: 0, key: null, value: Buffer.from("a") }];
      const maxTimestampMs = clock.now() - 100;
      const buffer = await batchBytes({ baseTimestampMs: maxTimestampMs, maxTimestampMs, records });
      await cluster.next().answer({ buffer, lastStableOffset: 1 });
      takeAll(reader);
      await advance(250);
      await cluster.next().answer({ lastStableOffset: 1 });
      await advance(250);
      await cluster.next().answer({ lastStableOffset: 1 });
      assert.ok(reader.caughtUpAtMs! >= maxTimestampMs, String(reader.caughtUpAtMs));
      assert.ok(reader.caughtUpAtMs! <= clock.now());
      assert.deepEqual(health.problems(), []);
    });

    it("back, goes on reading, and is caught up as of the time that has passed", async () => {
      const reader = await subscribe();
      await poll();
      const before = reader.caughtUpAtMs!;
      clock.jump(-HOUR_MS);
      await poll();
      await poll();
      assert.equal(reader.caughtUpAtMs!, before + 500);
      assert.match(health.problems()[0]!.problem, /60 min behind/);
      await cluster.next().fail(new Error("refused"));
      await advance(100);
      await cluster.next().answer({ lastStableOffset: 0 });
      assert.ok(reader.caughtUpAtMs! >= before + 500 && Number.isInteger(reader.caughtUpAtMs!));
    });

    it("forward in an outage, does not take it for a long one", async () => {
      start({ retryMaxMs: 10_000 });
      const reader = await subscribe();
      await cluster.next().fail(new Error("refused"));
      clock.jump(HOUR_MS);
      await advance(100);
      await cluster.next().fail(new Error("refused"));
      await advance(200);
      assert.equal(reader.error, undefined);
      await cluster.next().answer({ lastStableOffset: 0 });
      assert.notEqual(reader.caughtUpAtMs, undefined);
    });
  });

  it("gives up on a topic that stays unknown", async () => {
    start({ topicMissingMaxMs: 5_000 });
    cluster.topicError = 3;
    const reader = await subscribe();
    for (let i = 0; i < 20 && reader.error === undefined; i++) await advance(2_500);
    assert.equal(reader.error?.name, "TopicNotFoundError");
    assert.ok(cluster.metadataCalls <= 10);
    assert.ok(calls >= 1);
  });

  it("names the range when the offset is out of it", async () => {
    cluster.range = { earliest: 20, latest: 30 };
    const reader = await subscribe(0, 5);
    await cluster.next().answer({ errorCode: 1, lastStableOffset: -1 });
    assert.equal(reader.error?.name, "OffsetOutOfRangeError");
    assert.match(reader.error!.message, /t\[0\].*5.*20 to 30/);
    assert.equal(calls, 1);
  });

  it("says that the topic was made again, and not that it was cut, where its ids show that", async () => {
    const reader = await subscribe(0, 5);
    cluster.topicId = "another";
    cluster.range = { earliest: 0, latest: 2 };
    await cluster.next().answer({ errorCode: 1, lastStableOffset: -1 });
    assert.equal(reader.error?.name, "LogChangedError");
    assert.match(reader.error!.message, /made again.*topic.*another/);
  });

  describe("whose brokers know topics by name alone", () => {
    const answerLate = async (): Promise<void> => {
      await advance(1_500);
      await cluster.next().answer({
        buffer: await batchBytes({ records: recordsOf("a") }),
        lastStableOffset: 1,
      });
    };

    beforeEach(() => {
      cluster.isById = false;
    });

    it("takes no record of a topic that was made again while an answer was under way", async () => {
      const reader = await subscribe();
      cluster.topicId = "another";
      cluster.range = { earliest: 0, latest: 1 };
      await answerLate();
      assert.equal(reader.error?.name, "LogChangedError");
      assert.match(reader.error!.message, /made again.*topic.*another/);
      assert.equal(reader.position, 0);
      assert.equal(reader.take(1), undefined);
    });

    it("takes what was long in coming where the topic is the same, and asks no more than once", async () => {
      const reader = await subscribe();
      const { metadataCalls } = cluster;
      await answerLate();
      assert.equal(cluster.metadataCalls, metadataCalls + 1);
      assert.deepEqual(takeAll(reader), ["a"]);
      await advance(500);
      await cluster.next().answer({ lastStableOffset: 1 });
      assert.equal(cluster.metadataCalls, metadataCalls + 1);
    });

    it("asks nothing of a partition with no news whose answers come in time", async () => {
      await subscribe();
      const { metadataCalls } = cluster;
      const startedAtMs = clock.elapsed();
      while (clock.elapsed() < startedAtMs + 5_000) {
        const { request, answer } = cluster.next();
        await advance(request.maxWaitMs + 50);
        await answer({});
      }
      assert.equal(cluster.metadataCalls, metadataCalls);
    });

    it("does not blame the leader for metadata that are long in coming", async () => {
      await subscribe();
      await advance(1_500);
      let fail: (error: Error) => void = () => undefined;
      cluster.metadata = () => new Promise((_, reject) => (fail = reject));
      await cluster.next().answer({});
      await advance(6_000);
      assert.deepEqual(health.problems(), []);
      fail(new Error("connection lost"));
    });

    it("takes no notice of metadata that are older than what it knows", async () => {
      const reader = await subscribe();
      cluster.leaderEpoch--;
      cluster.leaders.set("t0", 2);
      await answerLate();
      assert.deepEqual(takeAll(reader), ["a"]);
      assert.equal(cluster.next().nodeId, 1);
    });

    it("fetches by name where the brokers do not tell the id that the state knows", async () => {
      cluster.topicId = "";
      fetcher.subscribe("t", 0, 0, () => {}, { clusterId: "cluster", topicId: "topic", anchor: undefined });
      await advance(0);
      assert.equal(cluster.next().request.partitions[0]!.topicId, "");
    });

    it("takes no record of a topic that was made again while the machine slept", async () => {
      const reader = await subscribe();
      cluster.topicId = "another";
      cluster.range = { earliest: 0, latest: 1 };
      clock.jump(5_000);
      await cluster.next().answer({
        buffer: await batchBytes({ records: recordsOf("a") }),
        lastStableOffset: 1,
      });
      assert.equal(reader.error?.name, "LogChangedError");
      assert.equal(reader.take(1), undefined);
    });

    it("looks whether the log was cut where an answer comes late and there is another leader", async () => {
      const reader = await subscribe();
      await cluster.next().answer({
        buffer: await batchBytes({ records: recordsOf("a") }),
        lastStableOffset: 1,
      });
      assert.deepEqual(takeAll(reader), ["a"]);
      await advance(1_500);
      cluster.leaderEpoch++;
      const buffer = await batchBytes({ baseOffset: 1, records: recordsOf("b") });
      await cluster.next().answer({ buffer, lastStableOffset: 2 });
      assert.equal(reader.take(1), undefined);
      const { fetchOffset, leaderEpoch } = cluster.next().request.partitions[0]!;
      assert.deepEqual({ fetchOffset, leaderEpoch }, { fetchOffset: 0, leaderEpoch: cluster.leaderEpoch });
    });

    it("looks for a topic that is not there when an answer comes late, and reads on", async () => {
      const reader = await subscribe();
      cluster.topicError = 3;
      await answerLate();
      assert.equal(reader.error, undefined);
      assert.equal(reader.take(1), undefined);
      cluster.topicError = 0;
      await advance(200);
      assert.equal(cluster.next().request.partitions[0]!.fetchOffset, 0);
    });
  });

  it("does not ask again which topic a late answer is of, where it was named by its id", async () => {
    const reader = await subscribe();
    const { metadataCalls } = cluster;
    await advance(1_500);
    await cluster.next().answer({
      buffer: await batchBytes({ records: recordsOf("a") }),
      lastStableOffset: 1,
    });
    assert.equal(cluster.metadataCalls, metadataCalls);
    assert.deepEqual(takeAll(reader), ["a"]);
  });

  it("takes an empty answer of a broker that throttles for no failure", async () => {
    const reader = await subscribe();
    await cluster.next().answer({ lastStableOffset: 0 });
    const { caughtUpAtMs } = reader;
    await cluster.next().throttle(20_000);
    assert.equal(reader.failures, 0);
    assert.equal(reader.caughtUpAtMs, caughtUpAtMs);
    // The next request leaves only then.
    await advance(20_000);
    assert.deepEqual(health.problems(), []);
    await cluster.next().answer({
      buffer: await batchBytes({ records: recordsOf("a") }),
      lastStableOffset: 1,
    });
    assert.deepEqual(takeAll(reader), ["a"]);
  });

  it("tries again when the log turns out to have the offset", async () => {
    const reader = await subscribe(0, 5);
    await cluster.next().answer({ errorCode: 1, lastStableOffset: -1 });
    assert.equal(reader.error, undefined);
    await advance(100);
    assert.equal(cluster.next().request.partitions[0]!.fetchOffset, 5);
  });

  it("fails one partition that may not be read, and goes on with the other", async () => {
    cluster.leaders.set("t1", 1);
    const refused = await subscribe(0);
    const other = await subscribe(1);
    await cluster.next().answer({ partition: 0, errorCode: 29 });
    assert.equal(refused.error?.name, "KafkaAuthorizationError");
    assert.equal(other.error, undefined);
    assert.deepEqual(
      cluster.next().request.partitions.map(({ partition }) => partition),
      [1],
    );
  });

  it("fetches a batch that was damaged on the way once more, by another connection", async () => {
    const reader = await subscribe();
    const buffer = await batchBytes({ records: recordsOf("a") });
    const damaged = Buffer.from(buffer);
    damaged[damaged.length - 3]! ^= 1;
    for (let i = 0; i < 5; i++) {
      await cluster.next().answer({ buffer: damaged, lastStableOffset: 1 });
      assert.equal(cluster.disconnects, i + 1);
      assert.equal(reader.error, undefined);
      await advance(4_000);
    }
    await cluster.next().answer({ buffer, lastStableOffset: 1 });
    assert.deepEqual(takeAll(reader), ["a"]);
    assert.equal(reader.damaged, 0);
  });

  it("says that a batch is damaged on the disk when it always is, by partition and offset", async () => {
    for (const answer of ["checksum", "error code"] as const) {
      start();
      const reader = await subscribe();
      const buffer = await batchBytes({ records: recordsOf("a") });
      buffer[buffer.length - 3]! ^= 1;
      for (let i = 0; i < 6; i++) {
        await cluster
          .next()
          .answer(
            answer === "checksum" ? { buffer, lastStableOffset: 1 } : { errorCode: 2, lastStableOffset: 1 },
          );
        await advance(4_000);
      }
      assert.match(String(reader.error), /RecordFormatError: t\[0\]: .*offset 0.*6 times.*disk of broker 1/);
    }
  });

  it("copies a small part of a large answer, so that it does not keep the whole alive", async () => {
    cluster.leaders.set("t1", 1);
    fetcher.subscribe("t", 0, 0, () => {});
    const small = fetcher.subscribe("t", 1, 0, () => {});
    await advance(0);
    await cluster.next().answer(
      {
        partition: 0,
        buffer: await batchBytes({ records: recordsOf("x".repeat(100_000)) }),
        lastStableOffset: 1,
      },
      { partition: 1, buffer: await batchBytes({ records: recordsOf("a") }), lastStableOffset: 1 },
    );
    const cursor = small.take(1)!;
    assert.ok(cursor.next());
    assert.ok(cursor.buffer.buffer.byteLength < 100_000);
  });

  it("drops the answer for a partition that was closed and subscribed anew meanwhile", async () => {
    const first = await subscribe(0, 0);
    const pending = cluster.next();
    first.close();
    const second = await subscribe(0, 7);
    await pending.answer({ buffer: await batchBytes({ records: recordsOf("a") }), lastStableOffset: 1 });
    assert.equal(second.position, 7);
    assert.equal(second.take(1), undefined);
    assert.equal(first.take(1), undefined);
    assert.equal(cluster.next().request.partitions[0]!.fetchOffset, 7);
    assert.equal(calls, 0);
  });

  it("refuses a second subscription and one after close", async () => {
    await subscribe();
    assert.throws(() => fetcher.subscribe("t", 0, 0, () => {}), /t\[0\] is subscribed already/);
    const closing = fetcher.close();
    await cluster.next().fail(new Error("closed"));
    await closing;
    assert.throws(() => fetcher.subscribe("t", 1, 0, () => {}), /after close/);
  });

  it("closes while a fetch is under way, without a call", async () => {
    const reader = await subscribe();
    const pending = cluster.next();
    const closing = fetcher.close();
    await pending.answer({ buffer: await batchBytes({ records: recordsOf("a") }), lastStableOffset: 1 });
    await closing;
    assert.equal(calls, 0);
    assert.equal(reader.take(1), undefined);
    assert.equal(cluster.fetches.length, 0);
    assert.equal(clock.nextTaskAt, undefined);
  });
});
