/** The product from Kafka to MongoDB, with state in memory. What it counts, it counts in the collections. */

import { runDirect } from "../../beam/runners/direct/direct_runner.js";
import { kafkaConnections } from "../../connectors/kafka/kafka_connections.js";
import { mongoConnections, registerMongoConnection } from "../../connectors/mongodb/mongo_connections.js";
import { buildPipeline, KAFKA_CONNECTION, MONGODB_CONNECTION } from "../../pipeline/graph.js";
import { runSubject } from "../subject.js";
import { assertStateEmpty, COLLECTIONS, duplicatesOf, graphOptions, registerKafka } from "./pipeline.js";

await runSubject(async (input) => {
  registerKafka(input);
  registerMongoConnection(MONGODB_CONNECTION, input.mongodbUri);
  const pipeline = buildPipeline(graphOptions(input, true));
  await kafkaConnections.acquire(KAFKA_CONNECTION);
  const { client } = await mongoConnections.acquire(MONGODB_CONNECTION);
  const startMs = performance.now();
  const run = runDirect(pipeline);
  await run.finished;
  const seconds = (performance.now() - startMs) / 1000;
  assertStateEmpty(run);
  const stored = (collection: string): Promise<number> =>
    client.db(input.database).collection(collection).countDocuments();
  const counts = {
    pairs: await stored(COLLECTIONS.joined),
    unmatched: await stored(COLLECTIONS.unmatched),
    duplicates: duplicatesOf(run),
    deadLetters: await stored(COLLECTIONS.deadLetters),
  };
  await kafkaConnections.release(KAFKA_CONNECTION);
  await mongoConnections.release(MONGODB_CONNECTION);
  return { events: run.metrics.counter("records"), seconds, counts };
});
