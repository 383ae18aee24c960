/**
 * Where the read begins, and what that means for events whose partner lies in front of it. Records that retention has
 * removed are not read again: an event that an earlier run has paired would then seem to have no partner.
 */
import type { KafkaClient } from "@order-payment-stream/kafka";
import type { Log } from "../report/log.js";
import { needsKafka } from "../settings/file_settings.js";
import type { RunSettings } from "../settings/options.js";
import { connectBriefly, topicSettings } from "./preflight.js";

/**
 * Looks at where the topics begin, and warns, without state, of records that were removed.
 * @param isResumed the run goes on from state
 * @returns whether records may be missing in front of what is read
 */
export async function recordsMayBeMissing(
  settings: RunSettings,
  isResumed: boolean,
  log: Log,
): Promise<boolean> {
  if (!needsKafka(settings)) return false;
  const client = await connectBriefly(settings, log);
  try {
    const topics = topicSettings(settings).map((name) => settings[name]);
    const removed = (await Promise.all(topics.map((topic) => removedFrom(client, topic)))).flat();
    // What is in front of a seam is in the files.
    if (settings.then_kafka_from !== undefined) return true;
    const beginsAtTheStart = settings.kafka_start === "earliest";
    if (removed.length > 0 && !isResumed && settings.kafka_start !== "latest") {
      log.warn(
        `the read starts without state, and records at its beginning are gone: ${removed.join(", ")}. Events whose ` +
          "partner was among them are UNPAID or NO_ORDER, unless their pair is in the collection of the pairs already",
      );
    }
    return removed.length > 0 || !beginsAtTheStart;
  } finally {
    await client.close();
  }
}

async function removedFrom(client: KafkaClient, topic: string): Promise<string[]> {
  const starts = await client.offsets(topic, "earliest");
  return [...starts].flatMap(([partition, offset]) =>
    offset > 0 ? [`${topic}[${partition}] begins at offset ${offset}`] : [],
  );
}
