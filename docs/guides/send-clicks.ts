/** Sends clicks to the topic that first-stream.ts reads, which it makes if it is not there: of ten users, ten a second. */
import { Kafka, logLevel, Partitioners } from "kafkajs";

const { KAFKA = "127.0.0.1:9092", TOPIC: topic = "clicks" } = process.env;
const kafka = new Kafka({ brokers: [KAFKA], logLevel: logLevel.ERROR });
const admin = kafka.admin();
await admin.connect();
await admin.createTopics({ topics: [{ topic, numPartitions: 3 }] });
await admin.disconnect();
const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
await producer.connect();
for (let n = 0; ; n++) {
  const click = { user: `user ${n % 10}`, at: new Date().toISOString() };
  await producer.send({ topic, messages: [{ key: click.user, value: JSON.stringify(click) }] });
  await new Promise((resolve) => setTimeout(resolve, 100));
}
