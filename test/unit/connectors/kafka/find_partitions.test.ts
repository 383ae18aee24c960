import assert from "node:assert/strict";
import { VirtualClock } from "../../../../beam/platform/clock.js";
import { runDirect } from "../../../../beam/runners/direct/direct_runner.js";
import { createPipeline } from "../../../../beam/sdk/graph.js";
import type { KafkaClient } from "../../../../connectors/kafka/client/kafka_client.js";
import type { LogMark } from "../../../../connectors/kafka/client/log_identity.js";
import { registerKafkaClient } from "../../../../connectors/kafka/kafka_connections.js";
import { readFromKafka } from "../../../../connectors/kafka/read_from_kafka.js";
import { ORDER_DECODER } from "../../../../transforms/decode.js";

/** Three partitions with nothing in them. */
const emptyTopic = {
  partitions: async () => [0, 1, 2],
  log: async () => ({ clusterId: "cluster", topicId: "topic" }),
  offsets: async () => new Map([0, 1, 2].map((partition) => [partition, 0])),
  close: async () => undefined,
} as unknown as KafkaClient;

describe("FindPartitions", () => {
  it("ends a bounded read, however few partitions a bundle may claim", async () => {
    registerKafkaClient("empty", async () => emptyTopic);
    const { pipeline, root } = createPipeline();
    readFromKafka("Read", root, {
      connection: "empty",
      topic: "orders",
      isBounded: true,
      maxOutOfOrdernessMs: 1_000,
      decoder: ORDER_DECODER,
      decoderConfig: { timeoutMs: 1_000, maxAheadOfClockMs: null },
    });
    const run = runDirect(pipeline, { bundleSizeMax: 1 });
    const read = (): number => run.status().find(({ name }) => name.includes("ReadPartitions"))!.elementsIn;
    const hasEnded = await Promise.race([
      run.finished.then(() => true),
      new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 3_000)),
    ]);
    if (!hasEnded) await run.stop("expire");
    assert.ok(hasEnded, "it did not end");
    assert.equal(read(), 3);
  });

  it("finds partitions, ids and offsets of one log, when the topic is made again meanwhile", async () => {
    const topics = [
      { id: "first", ends: [7, 7] },
      { id: "second", ends: [3, 4] },
    ];
    let now = topics[0]!;
    const subscribed: string[] = [];
    const madeAgain = {
      log: async () => ({ clusterId: "cluster", topicId: now.id }),
      partitions: async () => now.ends.map((_, partition) => partition),
      offsets: async (_topic: string, at: string) => {
        now = topics[1]!;
        return new Map(now.ends.map((end, partition) => [partition, at === "end" ? end : 0]));
      },
      subscribe(_topic: string, partition: number, _offset: number, _onData: unknown, mark: LogMark) {
        subscribed.push(`${partition} of ${mark.topicId}`);
        const position = now.ends[partition];
        return { take: () => undefined, position, error: undefined, log: mark, close: () => undefined };
      },
      close: async () => undefined,
    } as unknown as KafkaClient;
    registerKafkaClient("made again", async () => madeAgain);
    const { pipeline, root } = createPipeline();
    readFromKafka("Read", root, {
      connection: "made again",
      topic: "orders",
      isBounded: true,
      maxOutOfOrdernessMs: 1_000,
      decoder: ORDER_DECODER,
      decoderConfig: { timeoutMs: 1_000, maxAheadOfClockMs: null },
    });
    await runDirect(pipeline).finished;
    assert.deepEqual(subscribed.sort(), ["0 of second", "1 of second"]);
  });

  it("lets event time pass a look that is overdue only once it was made", async () => {
    const clock = new VirtualClock(1_000_000);
    let answer: (partitions: number[]) => void = () => undefined;
    let looks = 0;
    const quietTopic = {
      // The second look is answered when the test says so.
      partitions: () => (++looks === 2 ? new Promise((resolve) => (answer = resolve)) : Promise.resolve([0])),
      log: async () => ({ clusterId: "cluster", topicId: "topic" }),
      offsets: async () => new Map([[0, 0]]),
      subscribe: () => ({
        take: () => undefined,
        position: 0,
        highWatermark: 0,
        get caughtUpAtMs() {
          return clock.now();
        },
        error: undefined,
        transactionTimeout: undefined,
        close: () => undefined,
      }),
      close: async () => undefined,
    } as unknown as KafkaClient;
    registerKafkaClient("quiet", async () => quietTopic, { clock });
    const { pipeline, root } = createPipeline();
    const options = { maxOutOfOrdernessMs: 2_000, partitionDiscoveryIntervalMs: 500 };
    readFromKafka("Read", root, {
      connection: "quiet",
      topic: "orders",
      isBounded: false,
      ...options,
      decoder: ORDER_DECODER,
      decoderConfig: { timeoutMs: 1_000, maxAheadOfClockMs: null },
    });
    const run = runDirect(pipeline, { clock });
    const watermark = (): number =>
      run.status().find(({ name }) => name.includes("ReadPartitions"))!.outputWatermark;
    const pass = async (ms: number): Promise<void> => {
      for (let passed = 0; passed < ms; passed += 100) {
        clock.advanceTo(clock.now() + 100);
        for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await pass(5_000);
    assert.equal(looks, 2);
    assert.ok(watermark() <= 1_000_000 + 600 + 500 - 2_000, `event time went on to ${watermark()}`);
    answer([0]);
    await pass(5_000);
    // The read of a quiet partition looks once a second.
    assert.ok(watermark() >= clock.now() - 2_000 - 1_100, `event time stands at ${watermark()}`);
    await run.stop("keep");
  });
});
