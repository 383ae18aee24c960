/** Creates the topics that are missing; those that exist are left as they are, whatever their settings. */
import type { Kafka } from "kafkajs";

export const PARTITIONS = 3;

/** The names of the topics that had to be created. Replication is the broker's default. */
export async function createMissingTopics(kafka: Kafka, topics: readonly string[]): Promise<string[]> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const existing = new Set(await admin.listTopics());
    const missing = topics.filter((topic) => !existing.has(topic));
    if (missing.length > 0) {
      // Answers false, without an error, when another process was faster.
      await admin.createTopics({
        topics: missing.map((topic) => ({ topic, numPartitions: PARTITIONS })),
        waitForLeaders: true,
      });
    }
    return missing;
  } finally {
    await admin.disconnect();
  }
}
