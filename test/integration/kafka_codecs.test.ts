/**
 * Batches as Java's own codecs make and read them: a topic with a `compression.type` has its broker unpack what comes
 * and pack it anew.
 */
import assert from "node:assert/strict";
import { ConfigResourceTypes } from "kafkajs";
import { connectKafka } from "../../connectors/kafka/client/connect_kafka.js";
import type { KafkaClient } from "../../connectors/kafka/client/kafka_client.js";
import { COMPRESSIONS, compressionType, whyNoCompression } from "../../producers/compression.js";
import { Collector } from "../connector/kafka_client_suite.js";
import { KafkaPeer } from "../fixtures/kafka_peer.js";
import { kafkaFixture } from "../fixtures/services.js";

const logger = { debug() {}, info() {}, warn() {}, error() {} };
const clock = {
  now: () => Date.now(),
  wait: (ms: number) => new Promise<void>((end) => setTimeout(end, ms)),
};
const VALUES = Array.from({ length: 500 }, (_, i) => `order ${i} of customer ${i % 7}`.repeat(1 + (i % 40)));

describe("compressed topics", function () {
  this.timeout(90_000);
  const fixture = kafkaFixture();
  let peer: KafkaPeer;
  let client: KafkaClient;

  before(async () => {
    peer = await KafkaPeer.open(fixture.bootstrap());
    const brokers = fixture.bootstrap().split(",");
    client = await connectKafka({ brokers, clientId: "codecs", logger });
  });

  after(async () => {
    await client?.close();
    await peer?.close();
  });

  async function topicWith(codec: string): Promise<string> {
    const topic = await peer.createTopic(`codec_${codec}`, 1);
    await peer.admin.alterConfigs({
      validateOnly: false,
      resources: [
        {
          type: ConfigResourceTypes.TOPIC,
          name: topic,
          configEntries: [{ name: "compression.type", value: codec }],
        },
      ],
    });
    return topic;
  }

  async function assertReads(topic: string): Promise<void> {
    const reading = new Collector(clock, client, topic, 0);
    await reading.count(VALUES.length);
    assert.deepEqual(reading.values, VALUES);
    reading.assertInOrder();
    reading.subscription.close();
  }

  for (const codec of COMPRESSIONS) {
    it(`reads what Java packs: ${codec}`, async () => {
      const topic = await topicWith(codec === "none" ? "uncompressed" : codec);
      await peer.send(
        topic,
        VALUES.map((value) => ({ value, partition: 0 })),
      );
      await assertReads(topic);
    });

    for (const kept of ["producer", codec === "gzip" ? "lz4" : "gzip"]) {
      it(`writes what Java reads: ${codec}, kept as ${kept}`, async function () {
        if (whyNoCompression(codec) !== undefined) this.skip();
        const topic = await topicWith(kept);
        await peer.producer.send({
          topic,
          compression: compressionType(codec),
          messages: VALUES.map((value) => ({ value, partition: 0 })),
        });
        await assertReads(topic);
      });
    }
  }
});
