/** The splittable Kafka read on the direct runner against a real broker: where it begins and ends, and its watermark. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { StringUtf8Coder } from "../../beam/model/coders/string_utf8_coder.js";
import { MIN_TIMESTAMP } from "../../beam/model/timestamps.js";
import { type DirectRun, runDirect } from "../../beam/runners/direct/direct_runner.js";
import { DoFn } from "../../beam/sdk/do_fn.js";
import { createPipeline, parDo } from "../../beam/sdk/graph.js";
import { registerDoFn } from "../../beam/sdk/registry.js";
import { connectKafka } from "../../connectors/kafka/client/connect_kafka.js";
import type { KafkaClient, PartitionOffset } from "../../connectors/kafka/client/kafka_client.js";
import { registerKafkaClient } from "../../connectors/kafka/kafka_connections.js";
import { type ReadFromKafka, readFromKafka } from "../../connectors/kafka/read_from_kafka.js";
import {
  NotReady,
  type RecordDecoder,
  Rejected,
  registerRecordDecoder,
} from "../../connectors/kafka/record_decoder.js";
import { startKafka } from "../../services/index.js";
import { KafkaPeer } from "../fixtures/kafka_peer.js";
import { lagging, withOverrides } from "../fixtures/lagging_client.js";
import { kafkaFixture, uniqueName } from "../fixtures/services.js";
import { quiet } from "../fixtures/test_run.js";
import { until } from "../fixtures/until.js";

const CONNECTION = "kafka-read-test";
/** D of these tests. */
const ALLOWANCE_MS = 300;

/** Wakes whoever waits for the values that begin with "later"; undefined: they can be decoded. */
let later: Set<() => void> | undefined;

const NOT_READY = new NotReady((wake) => {
  later?.add(wake);
  return () => later?.delete(wake);
});

// Values are text, at the time that their record carries; those that begin with "bad" are none.
const DECODER = registerRecordDecoder({
  urn: "test:text",
  coder: StringUtf8Coder.INSTANCE,
  rejectedCoder: StringUtf8Coder.INSTANCE,
  create: () => textDecoder(),
});

function textDecoder(): RecordDecoder<string, string> {
  let eventTime = 0;
  return {
    decode(record) {
      const text = record.buffer.toString("utf8", record.valueStart, record.valueEnd);
      eventTime = record.timestampMs;
      if (text.startsWith("later") && later !== undefined) return NOT_READY;
      return text.startsWith("bad") ? new Rejected(text) : text;
    },
    unreadable: ({ message }) => message,
    eventTime: () => eventTime,
  };
}

/** What the run under way has read. */
let values: string[] = [];
let rejected: string[] = [];
/** What it has ended with, if it has. */
let failure: unknown;

class Collect extends DoFn<string, Record<never, never>, "values" | "rejected"> {
  static readonly urn = "test:kafka_read:collect";
  readonly outputs = {};
  process(text: string): void {
    (this.config === "values" ? values : rejected).push(text);
  }
}
registerDoFn(Collect);

type Options = Partial<ReadFromKafka<string, string, null>> & {
  readonly wrapClient?: (client: KafkaClient) => KafkaClient;
};

/** Reads a topic without an end, unless the options say otherwise. */
function read(
  bootstrap: string,
  topic: string,
  { wrapClient = (client) => client, ...options }: Options = {},
): DirectRun {
  values = [];
  rejected = [];
  failure = undefined;
  registerKafkaClient(CONNECTION, async () =>
    wrapClient(await connectKafka({ brokers: [bootstrap], clientId: "kafka-read-test", logger: quiet })),
  );
  const { pipeline, root } = createPipeline();
  const outputs = readFromKafka("Read", root, {
    connection: CONNECTION,
    topic,
    isBounded: false,
    maxOutOfOrdernessMs: ALLOWANCE_MS,
    decoder: DECODER,
    decoderConfig: null,
    ...options,
  });
  parDo("Collect", outputs.events, new Collect("values"));
  parDo("CollectRejected", outputs.rejected, new Collect("rejected"));
  const run = runDirect(pipeline);
  run.finished.catch((error: unknown) => {
    failure = error;
  });
  return run;
}

const haveCome = (count: number) =>
  until(`${count} values`, () => {
    if (failure !== undefined) throw failure;
    return values.length >= count;
  });

const watermarkOf = (run: DirectRun): number =>
  run.status().find(({ name }) => name.includes("Read/ReadPartitions"))!.outputWatermark;

const numbered = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => `v${String(from + i).padStart(6, "0")}`);

describe("reading Kafka", function () {
  this.timeout(60_000);
  const fixture = kafkaFixture();
  let peer: KafkaPeer;
  let run: DirectRun | undefined;

  before(async () => {
    peer = await KafkaPeer.open(fixture.bootstrap());
  });

  afterEach(async () => {
    await run?.stop().catch(() => undefined);
    run = undefined;
  });

  after(() => peer?.close());

  /** Spread over three partitions unless told, at the clock's time unless told. */
  const send = (topic: string, texts: readonly string[], partition?: number, timestampMs?: number) =>
    peer.send(
      topic,
      texts.map((value, i) => ({
        value,
        partition: partition ?? i % 3,
        ...(timestampMs !== undefined && { timestamp: String(timestampMs) }),
      })),
    );

  describe("to the end", () => {
    it("reads every record of every partition once, and ends", async () => {
      const topic = await peer.createTopic("bounded");
      await send(topic, numbered(0, 12_000));
      run = read(fixture.bootstrap(), topic, { isBounded: true });
      await run.finished;
      assert.deepEqual(values.sort(), numbered(0, 12_000));
      assert.equal(run.metrics.counter("records"), 12_000);
    });

    it("ends at the offsets of the start: what is appended later is not read", async () => {
      const topic = await peer.createTopic("appended");
      await send(topic, numbered(0, 300));
      run = read(fixture.bootstrap(), topic, {
        isBounded: true,
        wrapClient: (client) => afterLatest(client, () => send(topic, numbered(300, 600))),
      });
      await run.finished;
      assert.deepEqual(values.sort(), numbered(0, 300));
    });

    it("ends at once where there is nothing: empty partitions, empty topics", async () => {
      const half = await peer.createTopic("half_empty");
      await send(half, numbered(0, 50), 1);
      run = read(fixture.bootstrap(), half, { isBounded: true });
      await run.finished;
      assert.deepEqual(values, numbered(0, 50));

      const empty = await peer.createTopic("empty");
      run = read(fixture.bootstrap(), empty, { isBounded: true });
      await run.finished;
      assert.deepEqual(values, []);
    });

    it("steps over what no reader ever sees: markers and aborted records at the end", async () => {
      const topic = await peer.createTopic("markers", 1);
      await transact(peer, topic, ["a", "b"], "commit");
      await transact(peer, topic, ["never"], "abort");
      run = read(fixture.bootstrap(), topic, { isBounded: true });
      await run.finished;
      assert.deepEqual(values, ["a", "b"]);
    });

    it("ends in front of records that follow such an end", async () => {
      const topic = await peer.createTopic("markers_followed", 1);
      await transact(peer, topic, ["a", "b"], "commit");
      run = read(fixture.bootstrap(), topic, {
        isBounded: true,
        wrapClient: (client) => afterLatest(client, () => send(topic, ["later", "later still"], 0)),
      });
      await run.finished;
      assert.deepEqual(values, ["a", "b"]);
    });
  });

  describe("from the start that is asked for", () => {
    it("earliest, latest, or the first record that is not older than a time", async () => {
      const topic = await peer.createTopic("starts", 1);
      const startMs = Date.now() - 60_000;
      for (const [i, text] of ["first", "second", "third"].entries()) {
        await send(topic, [text], 0, startMs + i * 10_000);
      }
      run = read(fixture.bootstrap(), topic, { start: "earliest", isBounded: true });
      await run.finished;
      assert.deepEqual(values, ["first", "second", "third"]);

      run = read(fixture.bootstrap(), topic, { start: { timestampMs: startMs + 10_000 }, isBounded: true });
      await run.finished;
      assert.deepEqual(values, ["second", "third"]);

      run = read(fixture.bootstrap(), topic, { start: "latest" });
      await until("the end of the log", () => watermarkOf(run!) > startMs + 30_000);
      await send(topic, ["fourth"], 0);
      await haveCome(1);
      assert.deepEqual(values, ["fourth"]);
    });

    it("the offsets of a group, and the beginning of partitions for which it has none", async () => {
      const topic = await peer.createTopic("group_start");
      const groupId = uniqueName("group");
      await send(topic, numbered(0, 30));
      await peer.admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: "8" }] });
      run = read(fixture.bootstrap(), topic, { start: "group", groupId, isBounded: true });
      await run.finished;
      // Partition 0 has v0, v3, … v27.
      const seen = numbered(0, 30).filter((_, i) => i % 3 !== 0 || i >= 24);
      assert.deepEqual(values.sort(), seen);
    });
  });

  it("waits for a record that cannot be decoded yet, holds the watermark, and loses none", async () => {
    const topic = await peer.createTopic("later", 3);
    const atMs = Date.now() - 60_000;
    await send(topic, ["a", "b", "later c", "d"], 0, atMs);
    await send(topic, ["other"], 1);
    later = new Set();
    run = read(fixture.bootstrap(), topic);
    await haveCome(3);
    // Longer than it takes to come again by itself.
    await sleep(1_200);
    assert.deepEqual([...values].sort(), ["a", "b", "other"]);
    assert.ok(watermarkOf(run) <= atMs, "it has not been overtaken");
    const waiting = later;
    later = undefined;
    for (const wake of waiting) wake();
    await haveCome(5);
    assert.deepEqual(
      values.filter((value) => value !== "other"),
      ["a", "b", "later c", "d"],
    );
  });

  it("tells the group how far it is, after the commit, and never joins it", async () => {
    const topic = await peer.createTopic("group_commit");
    const groupId = uniqueName("group");
    const told: PartitionOffset[] = [];
    await send(topic, numbered(0, 300));
    run = read(fixture.bootstrap(), topic, {
      groupId,
      wrapClient: (client) =>
        withOverrides(client, {
          commitOffsets: (group, offsets) => {
            told.push(...offsets);
            // Nothing is told that was not read.
            assert.ok(offsets.reduce((sum, { offset }) => sum + offset, 0) <= values.length);
            return client.commitOffsets(group, offsets);
          },
        }),
    });
    await haveCome(300);
    const offsetsOfGroup = async (): Promise<string[]> => {
      const [ofTopic] = await peer.admin.fetchOffsets({ groupId, topics: [topic] });
      return ofTopic!.partitions.sort((a, b) => a.partition - b.partition).map(({ offset }) => offset);
    };
    await until("the group's offsets", async () => (await offsetsOfGroup()).join() === "100,100,100");
    const { groups } = await peer.admin.describeGroups([groupId]);
    assert.deepEqual(groups[0]!.members, []);
    assert.equal(groups[0]!.state, "Empty");

    await send(topic, numbered(300, 306));
    await haveCome(306);
    await run.stop();
    run = undefined;
    assert.deepEqual(await offsetsOfGroup(), ["102", "102", "102"], "the last offsets are told at the end");
    assert.ok(told.length >= 6);
  });

  it("finds partitions that appear while it runs, and reads them from their beginning", async () => {
    const topic = await peer.createTopic("growing", 1);
    await send(topic, ["old"], 0);
    let isNewKnown = false;
    run = read(fixture.bootstrap(), topic, {
      start: "latest",
      partitionDiscoveryIntervalMs: 200,
      // Found only when they hold records already, and by brokers that take longer than the interval to answer.
      wrapClient: (client) =>
        withOverrides(client, {
          partitions: async (of) => {
            const partitions = (await client.partitions(of)).filter((n) => n === 0 || isNewKnown);
            await sleep(isNewKnown ? 700 : 0);
            return partitions;
          },
        }),
    });
    await until("the end of the log", () => watermarkOf(run!) > MIN_TIMESTAMP);
    await peer.admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] });
    await until("the new partitions", async () => {
      const [metadata] = (await peer.admin.fetchTopicMetadata({ topics: [topic] })).topics;
      return metadata!.partitions.length === 3 && metadata!.partitions.every(({ leader }) => leader >= 0);
    });
    await peer.producer.disconnect();
    await peer.producer.connect();
    await send(topic, ["new 1"], 1);
    await send(topic, ["new 2"], 2);
    isNewKnown = true;
    await haveCome(2);
    await sleep(1_000);
    assert.deepEqual(values.sort(), ["new 1", "new 2"]);
    await run.stop();
    run = undefined;
  });

  it("hands on what the decoder rejected, and lets it move no watermark", async () => {
    const topic = await peer.createTopic("rejected", 1);
    await send(topic, ["good 1", "bad", "good 2"], 0);
    await send(topic, ["bad as well"], 0, Date.now() + 3_600_000);
    run = read(fixture.bootstrap(), topic);
    await until("the rejected", () => rejected.length === 2);
    assert.deepEqual(values, ["good 1", "good 2"]);
    assert.deepEqual(rejected, ["bad", "bad as well"]);
    assert.equal(run.metrics.counter("rejected"), 2);
    await sleep(200);
    assert.ok(watermarkOf(run) <= Date.now() - ALLOWANCE_MS);
  });

  describe("the watermark", () => {
    it("goes on with the clock where all partitions are silent, also those that never held a record", async () => {
      const topic = await peer.createTopic("silent");
      await send(topic, ["only"], 1);
      run = read(fixture.bootstrap(), topic);
      await haveCome(1);
      for (let i = 0; i < 3; i++) {
        const wanted = Date.now();
        await until("the clock", () => watermarkOf(run!) >= wanted - ALLOWANCE_MS);
        // Told by a fetch that was sent no later than now.
        assert.ok(watermarkOf(run) <= Date.now() - ALLOWANCE_MS);
        assert.ok(Date.now() - wanted < 3_000, `took ${Date.now() - wanted} ms`);
      }
    });

    it("stays behind the newest event of a partition with records left to read", async () => {
      const topic = await peer.createTopic("backlog", 2);
      const oldMs = Date.now() - 600_000;
      await send(topic, ["old"], 0, oldMs);
      await send(topic, ["new"], 1);
      let isHeldBack = true;
      run = read(fixture.bootstrap(), topic, {
        // Partition 0 hands out its first record; then there is more, but it does not come.
        wrapClient: (client) => lagging(client, 0, () => isHeldBack && values.includes("old")),
      });
      await haveCome(2);
      await send(topic, ["old as well"], 0, oldMs + 1_000);
      await sleep(1_500);
      assert.equal(watermarkOf(run), oldMs - ALLOWANCE_MS);
      isHeldBack = false;
      await haveCome(3);
      await until("the clock", () => watermarkOf(run!) > oldMs + 500_000);
    });
  });
});

describe("reading a Kafka that is killed", function () {
  this.timeout(90_000);
  // Skips the suite where no Kafka can be had.
  kafkaFixture();

  it("loses and doubles nothing, and lets no time pass while it is cut off", async () => {
    const dataDir = mkdtempSync(join(tmpdir(), "order-payment-stream-kafka-read-"));
    const server = await startKafka({ dataDir });
    const peer = await KafkaPeer.open(server.address);
    let run: DirectRun | undefined;
    try {
      const topic = await peer.createTopic("killed");
      const send = (from: number, to: number) =>
        peer.send(
          topic,
          numbered(from, to).map((value, i) => ({ value, partition: i % 3 })),
        );
      run = read(server.address, topic);
      await send(0, 3_000);
      const sending = send(3_000, 9_000);
      await until("some values", () => values.length > 3_500);
      await server.kill();
      await sleep(500);
      const killedMs = Date.now();
      await sleep(1_500);
      assert.ok(watermarkOf(run) < killedMs - ALLOWANCE_MS, "event time went on while nothing could be read");
      await server.start();
      await sending;
      await send(9_000, 9_300);
      await until("all values", () => values.length >= 9_300, 45_000);
      await sleep(300);
      assert.deepEqual(values.sort(), numbered(0, 9_300));
      await until("the clock", () => watermarkOf(run!) > killedMs + 1_000);
    } finally {
      await run?.stop().catch(() => undefined);
      await peer.close();
      await server.stop();
      rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 });
    }
  });
});

async function transact(
  peer: KafkaPeer,
  topic: string,
  texts: readonly string[],
  outcome: "commit" | "abort",
): Promise<void> {
  const transactionalId = uniqueName("tx");
  const producer = peer.kafka.producer({ transactionalId, maxInFlightRequests: 1, idempotent: true });
  await producer.connect();
  const transaction = await producer.transaction();
  await transaction.send({ topic, messages: texts.map((value) => ({ value })) });
  await transaction[outcome]();
  await producer.disconnect();
}

/** Something happens between the question for the ends and the reading. */
function afterLatest(client: KafkaClient, happen: () => Promise<void>): KafkaClient {
  return withOverrides(client, {
    offsets: async (topic, at) => {
      const offsets = await client.offsets(topic, at);
      if (at === "latest") await happen();
      return offsets;
    },
  });
}
