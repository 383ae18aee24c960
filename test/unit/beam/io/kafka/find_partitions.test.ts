import assert from "node:assert/strict";
import type { KafkaClient } from "../../../../../beam/io/kafka/client/kafka_client.js";
import { registerKafkaClient } from "../../../../../beam/io/kafka/kafka_connections.js";
import { readFromKafka } from "../../../../../beam/io/kafka/read_from_kafka.js";
import { runDirect } from "../../../../../beam/runners/direct/direct_runner.js";
import { createPipeline } from "../../../../../beam/sdk/graph.js";
import { ORDER_DECODER } from "../../../../../transforms/decode.js";

/** Three partitions with nothing in them. */
const emptyTopic = {
  partitions: async () => [0, 1, 2],
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
      decoderConfig: { timeoutMs: 1_000, futureMaxMs: null },
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
});
