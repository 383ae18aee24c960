/** The least that joins: kafkajs, a Map and insertMany, with no watermark, expiry, duplicates or commits at all. */
import { type EachBatchPayload, Kafka, logLevel } from "kafkajs";
import { MongoClient } from "mongodb";
import { decodeOrder, decodePayment, decodeValue } from "../../../schemas/decode.js";
import type { Order } from "../../../schemas/events.js";
import { Malformed } from "../../../schemas/malformed.js";
import { type JoinedDocument, joinedDocument } from "../../../transforms/documents.js";
import { COLLECTIONS } from "../pipeline.js";
import { runLiveProcess } from "./live_process.js";

await runLiveProcess(async ({ brokers, topics, mongodbUri, database }) => {
  const kafka = new Kafka({ clientId: "bench-bare", brokers: [...brokers], logLevel: logLevel.NOTHING });
  const client = await MongoClient.connect(mongodbUri);
  const joined = client.db(database).collection<JoinedDocument>(COLLECTIONS.joined);
  const orders = new Map<string, Order>();
  const consumer = kafka.consumer({ groupId: topics.orders });
  await consumer.connect();
  await consumer.subscribe({ topics: [topics.orders, topics.payments], fromBeginning: true });

  const eachBatch = async ({ batch }: EachBatchPayload): Promise<void> => {
    const documents: JoinedDocument[] = [];
    for (const { value } of batch.messages) {
      if (batch.topic === topics.orders) {
        const order = decodeValue(decodeOrder, value);
        if (!(order instanceof Malformed)) orders.set(order.order_id, order);
        continue;
      }
      const payment = decodeValue(decodePayment, value);
      if (payment instanceof Malformed) continue;
      const order = orders.get(payment.order_id);
      if (order !== undefined) documents.push(joinedDocument(order, payment));
    }
    if (documents.length > 0) await joined.insertMany(documents, { ordered: false });
  };
  const failed = new Promise<void>((_, reject) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
  });
  // One batch of each partition at a time, so that none waits for another's insert.
  await consumer.run({ autoCommit: false, partitionsConsumedConcurrently: 6, eachBatch });
  const stop = async (): Promise<void> => {
    await consumer.disconnect();
    await client.close();
  };
  return { stop, failed };
});
