/**
 * Fills the two topics, once for all subjects, in a process of its own: whoever starts the subjects stays small,
 * because Linux counts the memory of the process that starts another into the peak of the other.
 */
import { Kafka, logLevel } from "kafkajs";
import { produce } from "../producers/producer.js";
import { completeShares, messagesPerOrder } from "../producers/shares.js";
import { createMissingTopics } from "../producers/topics.js";
import { BENCH_START_MS, FRAMED_SCHEMA_IDS, type LoadInput, type LoadResult, SHARES } from "./load_input.js";

const input = JSON.parse(process.argv[2] ?? "{}") as LoadInput;
process.stdout.write(`${JSON.stringify(await load(input))}\n`);

async function load(input: LoadInput): Promise<LoadResult> {
  const { brokers, topics, events, seed, eventRatePerSecond, timeoutMs, outOfOrdernessMs } = input;
  const { shares = SHARES, compression = "none" } = input;
  const kafka = { clientId: "bench-load", brokers: [...brokers], logLevel: logLevel.NOTHING };
  const startMs = performance.now();
  await createMissingTopics(new Kafka(kafka), [topics.orders, topics.payments], input.partitions);
  await produce({
    kafka,
    topics,
    which: "all",
    seed,
    count: Math.round(events / messagesPerOrder(completeShares(shares), "all")),
    rate: 0,
    startMs: BENCH_START_MS,
    eventRatePerSecond,
    shares,
    compression,
    timeoutMs,
    outOfOrdernessMs,
    ...(input.isFramed && { valueFormat: { name: "confluent", schemaIds: FRAMED_SCHEMA_IDS } }),
  });
  const orders = await records(kafka.brokers, topics.orders);
  const payments = await records(kafka.brokers, topics.payments);
  return { orders, payments, seconds: (performance.now() - startMs) / 1000 };
}

/** What the log says it holds, not what was sent. */
async function records(brokers: string[], topic: string): Promise<number> {
  const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    const offsets = await admin.fetchTopicOffsets(topic);
    return offsets.reduce((sum, { low, high }) => sum + Number(high) - Number(low), 0);
  } finally {
    await admin.disconnect();
  }
}
