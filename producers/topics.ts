/** Creates the topics that are missing; those that exist are left as they are, whatever their settings. */
import { sleep, systemClock } from "@order-payment-stream/beam/io";
import type { Admin, Kafka } from "kafkajs";

export const PARTITIONS = 3;

const LEADERS_MAX_MS = 30_000;
const POLL_MS = 100;

/** The names of the topics that had to be created. Replication is the broker's default. */
export async function createMissingTopics(
  kafka: Kafka,
  topics: readonly string[],
  partitions = PARTITIONS,
): Promise<string[]> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const existing = new Set(await admin.listTopics());
    const missing = topics.filter((topic) => !existing.has(topic));
    if (missing.length > 0) {
      // Answers false, without an error, when another process was faster.
      await admin.createTopics({
        topics: missing.map((topic) => ({ topic, numPartitions: partitions })),
        // kafkajs waits for leaders, but not for a broker that has not heard of the topic yet.
        waitForLeaders: false,
      });
      await untilLed(admin, missing);
    }
    return missing;
  } finally {
    await admin.disconnect();
  }
}

async function untilLed(admin: Admin, names: string[]): Promise<void> {
  const deadline = systemClock.elapsed() + LEADERS_MAX_MS;
  for (;;) {
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: names });
      if (topics.every(({ partitions }) => partitions.every(({ leader }) => leader >= 0))) return;
      if (systemClock.elapsed() > deadline) throw new Error(`no leaders for ${names.join(", ")}`);
    } catch (error) {
      if (systemClock.elapsed() > deadline) throw error;
    }
    await sleep(POLL_MS);
  }
}
