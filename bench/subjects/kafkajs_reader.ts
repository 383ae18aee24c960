/**
 * Reads both topics to their end with one plain kafkajs consumer, as fast as kafkajs goes: what the two ceilings
 * have in common. Nothing of the product's own Kafka client is in here.
 */
import { randomBytes } from "node:crypto";
import { type EachBatchPayload, Kafka, logLevel } from "kafkajs";
import type { SubjectInput } from "../subject.js";

const FETCH_MAX_BYTES = 16 * 1024 * 1024;

export type Batch = EachBatchPayload["batch"];

export interface Handlers {
  readonly onBatch: (batch: Batch) => void;
  /** After the last batch. */
  readonly onEnd?: () => void;
}

/**
 * Resolves to the seconds from the first fetch request to the return of `onEnd`; joining the consumer group comes
 * before.
 */
export async function readToEnd(
  { brokers, topics, expected }: SubjectInput,
  fetchPartitionMaxBytes: number,
  { onBatch, onEnd }: Handlers,
): Promise<number> {
  const kafka = new Kafka({ clientId: "bench", brokers: [...brokers], logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({
    groupId: `bench-${randomBytes(6).toString("hex")}`,
    maxBytesPerPartition: fetchPartitionMaxBytes,
    maxBytes: FETCH_MAX_BYTES,
    // A batch is one synchronous call; nothing here takes long enough to lose the membership.
    sessionTimeout: 60_000,
  });
  let startMs: number | undefined;
  consumer.on(consumer.events.FETCH_START, () => {
    startMs ??= performance.now();
  });
  await consumer.connect();
  try {
    await consumer.subscribe({ topics: [topics.orders, topics.payments], fromBeginning: true });
    let remaining = expected.orders + expected.payments;
    const endMs = await new Promise<number>((resolve, reject) => {
      // One that it recovers from, such as a coordinator that has just come up, is none.
      consumer.on(consumer.events.CRASH, ({ payload: { error, restart } }) => {
        if (!restart) reject(error);
      });
      const eachBatch = async ({ batch }: EachBatchPayload): Promise<void> => {
        onBatch(batch);
        remaining -= batch.messages.length;
        if (remaining > 0) return;
        onEnd?.();
        resolve(performance.now());
      };
      consumer.run({ autoCommit: false, eachBatch }).catch(reject);
    });
    return (endMs - (startMs ?? endMs)) / 1000;
  } finally {
    await consumer.disconnect();
  }
}
