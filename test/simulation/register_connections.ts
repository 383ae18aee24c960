/** What a process of the simulation connects to in place of Kafka and MongoDB. */
import type { MongoClient } from "mongodb";
import type { TrustedClock } from "../../beam/platform/trusted_clock.js";
import type { KafkaLogger } from "../../connectors/kafka/client/kafka_client.js";
import { kafkaConnections, registerKafkaClient } from "../../connectors/kafka/kafka_connections.js";
import { mongoConnections, registerMongoClient } from "../../connectors/mongodb/mongo_connections.js";
import { KAFKA_CONNECTION, MONGODB_CONNECTION } from "../../pipeline/graph.js";
import type { Scenario } from "./scenario.js";
import type { EventLoop } from "./world/event_loop.js";
import type { SimulatedKafka } from "./world/simulated_kafka.js";
import { connectSimulatedKafka } from "./world/simulated_kafka_client.js";
import { type SimulatedMongo, SimulatedMongoClient } from "./world/simulated_mongodb.js";
import type { Machine, SimulatedProcess } from "./world/simulated_process.js";

/** So that a bomb for it is small. */
const UNPACKED_BATCH_MAX_BYTES = 64 << 10;

export interface Outside {
  readonly scenario: Scenario;
  readonly loop: EventLoop;
  readonly kafka: SimulatedKafka;
  readonly mongodb: SimulatedMongo;
  readonly machine: Machine;
}

export function registerConnections(
  { scenario, loop, kafka, mongodb, machine }: Outside,
  process: SimulatedProcess,
  trustedClock: TrustedClock,
  logger: KafkaLogger,
): void {
  // Those that the process before had open went with it.
  kafkaConnections.abandon(KAFKA_CONNECTION);
  mongoConnections.abandon(MONGODB_CONNECTION);
  const limits = { unpackedBatchMaxBytes: UNPACKED_BATCH_MAX_BYTES, ...scenario.kafka };
  registerKafkaClient(KAFKA_CONNECTION, () => connectSimulatedKafka(kafka, process, limits, trustedClock), {
    clock: process,
    trustedClock,
    logger,
  });
  registerMongoClient(
    MONGODB_CONNECTION,
    async () => new SimulatedMongoClient(mongodb, process) as unknown as MongoClient,
    {
      ...scenario.mongodb,
      // All of them: what a sample leaves out would be lost, as it may be.
      comparedMax: 1_000,
      sleep: (ms) => loop.wait(ms, process, "backoff"),
      now: () => loop.nowMs,
      random: () => machine.random.uniform(),
    },
  );
}
