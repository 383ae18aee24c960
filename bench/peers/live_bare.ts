/** How late the pairs of the join by hand come out. */
import { randomBytes } from "node:crypto";
import { Kafka, logLevel } from "kafkajs";
import type { Payment } from "../../schemas/events.js";
import { BareJoin, partitionNames } from "../subjects/bare_joiner.js";
import { LatencyCounts, type LiveInput } from "./latencies.js";

const input = JSON.parse(process.argv[2]!) as LiveInput;
const latencies = new LatencyCounts(input);
const { timeoutMs, outOfOrdernessMs } = input;
const onPair = ({ created_at }: Payment): void => latencies.add(created_at);
const join = new BareJoin(partitionNames(input), timeoutMs, outOfOrdernessMs, onPair, false);
const kafka = new Kafka({ clientId: "bench", brokers: [...input.brokers], logLevel: logLevel.NOTHING });
const consumer = kafka.consumer({ groupId: `bench-${randomBytes(6).toString("hex")}` });
consumer.on(consumer.events.CRASH, ({ payload: { error, restart } }) => {
  if (restart) return;
  console.error(error);
  process.exit(1);
});
await consumer.connect();
await consumer.subscribe({ topics: [input.topics.orders, input.topics.payments], fromBeginning: true });
await consumer.run({
  autoCommit: false,
  eachBatch: async ({ batch }) => {
    if (batch.topic === input.topics.orders) join.addOrders(batch);
    else join.addPayments(batch);
  },
});
const result = JSON.stringify({ latencies: await latencies.collected() });
process.stdout.write(`${result}\n`, () => process.exit(0));
