/**
 * Fills the two topics, once for all subjects, in a process of its own: whoever starts the subjects stays small,
 * because Linux counts the memory of the process that starts another into the peak of the other.
 */
import { Kafka, logLevel } from "kafkajs";
import { produce } from "../producers/producer.js";
import { completeShares, messagesPerOrder } from "../producers/shares.js";
import { createMissingTopics } from "../producers/topics.js";
import { encodePaymentAvro } from "../schemas/encode.js";
import { BENCH_START_MS, FRAMED_SCHEMA_IDS, type LoadInput, type LoadResult, SHARES } from "./load_input.js";

const input = JSON.parse(process.argv[2] ?? "{}") as LoadInput;
process.stdout.write(`${JSON.stringify(await load(input))}\n`);

async function load(input: LoadInput): Promise<LoadResult> {
  const { brokers, topics, events, seed, eventRatePerSecond, timeoutMs, outOfOrdernessMs } = input;
  const { shares = SHARES, compression = "none", hotPayments = 0 } = input;
  const kafka = { clientId: "bench-load", brokers: [...brokers], logLevel: logLevel.NOTHING };
  const startMs = performance.now();
  await createMissingTopics(new Kafka(kafka), [topics.orders, topics.payments], input.partitions);
  const count = Math.round(events / messagesPerOrder(completeShares(shares), "all"));
  await produce({
    kafka,
    topics,
    which: "all",
    seed,
    count,
    rate: 0,
    startMs: BENCH_START_MS,
    eventRatePerSecond,
    shares,
    compression,
    timeoutMs,
    outOfOrdernessMs,
    ...(input.isFramed && { valueFormat: { name: "confluent", schemaIds: FRAMED_SCHEMA_IDS } }),
  });
  if (hotPayments > 0) {
    const lastMs = BENCH_START_MS + (count / eventRatePerSecond) * 1000;
    await sendHotPayments(new Kafka(kafka), topics.payments, hotPayments, lastMs);
  }
  const orders = await records(kafka.brokers, topics.orders);
  const payments = await records(kafka.brokers, topics.payments);
  return { orders, payments, seconds: (performance.now() - startMs) / 1000 };
}

/** @param fromMs event time of the first; each is a millisecond behind the one before */
async function sendHotPayments(kafka: Kafka, topic: string, count: number, fromMs: number): Promise<void> {
  const producer = kafka.producer();
  await producer.connect();
  const order_id = "placeholder";
  for (let next = 0; next < count; ) {
    const messages: { key: string; value: Buffer }[] = [];
    for (; messages.length < 1_000 && next < count; next++) {
      const at = fromMs + next;
      const payment = { payment_id: `hot-${next}`, order_id, payment_date: at, created_at: at, amount: 1 };
      messages.push({ key: order_id, value: encodePaymentAvro(payment) });
    }
    await producer.send({ topic, messages });
  }
  await producer.disconnect();
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
