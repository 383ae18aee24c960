/**
 * End-to-end latency at a steady pace: from the call that sends a payment to the moment its joined document is found in
 * MongoDB. Every payment after the warm-up counts. The figure holds the producer's, Kafka's and MongoDB's share, and up
 * to one turn of the poll (1 to 2 ms).
 */
import { randomBytes } from "node:crypto";
import { Kafka, logLevel } from "kafkajs";
import { MongoClient } from "mongodb";
import { createMissingTopics } from "../../../producers/topics.js";
import type { Measurement, SubjectInput } from "../../subject.js";
import { COLLECTIONS } from "../pipeline.js";
import { ExpectedDocuments } from "./expected_documents.js";
import { LiveLoad } from "./live_load.js";
import { LiveProcess } from "./live_process.js";

const WARM_UP_MS = 5_000;

/** `script` is the process that joins. */
export async function measureLatency(input: SubjectInput, script: URL): Promise<Measurement> {
  const id = randomBytes(4).toString("hex");
  const topics = { orders: `bench_live_orders_${id}`, payments: `bench_live_payments_${id}` };
  const brokers = [...input.brokers];
  const kafka = new Kafka({ clientId: "bench-live", brokers, logLevel: logLevel.NOTHING });
  await createMissingTopics(kafka, [topics.orders, topics.payments]);
  const joining = new LiveProcess(script, { ...input, topics });
  const client = await MongoClient.connect(input.mongodbUri);
  const producer = kafka.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  try {
    const expected = new ExpectedDocuments();
    const load = new LiveLoad(producer, topics, expected);
    const joined = client.db(input.database).collection<{ _id: string }>(COLLECTIONS.joined);
    const seconds = input.latencySeconds;
    const sending = load.run(WARM_UP_MS, seconds * 1000).finally(() => expected.complete());
    await Promise.race([Promise.all([sending, expected.findAll(joined)]), joining.failed]);
    const peakRssBytes = await joining.stop();
    return { events: load.sent, seconds, latencyMs: expected.figures(), peakRssBytes };
  } finally {
    joining.kill();
    await producer.disconnect();
    await client.close();
  }
}
