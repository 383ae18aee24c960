/** Where the partitions of a topic end, for a read that is to end there. */
import type { KafkaClient } from "./client/kafka_client.js";

export function endOffsets(client: KafkaClient, topic: string): Promise<ReadonlyMap<number, number>> {
  return client.offsets(topic, "end");
}
