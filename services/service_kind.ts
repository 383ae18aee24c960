/** What differs between the two services when they are looked for or brought up; ensure.ts holds what is common. */
import type { ContainerRecipe } from "./container.js";
import { isListening, probeKafka, probeMongodb } from "./discovery.js";
import { KAFKA_VERSION, startKafka } from "./kafka.js";
import type { LocalServer, LocalServerOptions } from "./local_server.js";
import { MONGO_JAVA_SERVER_VERSION, startMongodb } from "./mongodb.js";

export interface ServiceKind {
  /** For messages. */
  readonly name: string;
  /** Its folder under the services' home. */
  readonly folder: string;
  /** The environment variable that names a running one. */
  readonly variable: string;
  readonly defaultPort: number;
  /** What started when it came from Maven, for messages. */
  readonly product: string;
  addressOf(port: number): string;
  /** Rejects unless the service answers at `address`. */
  probe(address: string, timeoutMs: number): Promise<void>;
  /** As probe, for the address that the environment names, which may need credentials that are not known here. */
  probeNamed(address: string, timeoutMs: number, env: NodeJS.ProcessEnv): Promise<void>;
  container(port: number): ContainerRecipe;
  start(options: LocalServerOptions): Promise<LocalServer>;
}

export const KAFKA: ServiceKind = {
  name: "Kafka",
  folder: "kafka",
  variable: "KAFKA_BOOTSTRAP",
  defaultPort: 9092,
  product: KAFKA_VERSION,
  addressOf: (port) => `127.0.0.1:${port}`,
  probe: probeKafka,
  probeNamed: async (address, timeoutMs, env) => {
    const plain = (env.KAFKA_SECURITY_PROTOCOL ?? "PLAINTEXT").toUpperCase() === "PLAINTEXT";
    return plain ? probeKafka(address, timeoutMs) : probeAnyBroker(address, timeoutMs);
  },
  container: (port) => ({ image: "apache/kafka:4.1.0", containerPort: port, env: kafkaEnvironment(port) }),
  start: startKafka,
};

export const MONGODB: ServiceKind = {
  name: "MongoDB",
  folder: "mongodb",
  variable: "MONGODB_URI",
  defaultPort: 27017,
  product: `mongo-java-server ${MONGO_JAVA_SERVER_VERSION} (speaks the MongoDB protocol)`,
  addressOf: (port) => `mongodb://127.0.0.1:${port}`,
  probe: probeMongodb,
  probeNamed: probeMongodb,
  container: () => ({ image: "mongo:7", containerPort: 27017 }),
  start: (options) => startMongodb({ ...options, backend: "file" }),
};

/** The image's own settings count for nothing as soon as one is given, so all are. The port is the same inside and
 * outside, because the broker also calls itself by the address that it advertises. */
function kafkaEnvironment(port: number): Record<string, string> {
  const controllerPort = port === 29093 ? 29094 : 29093;
  return {
    KAFKA_NODE_ID: "1",
    KAFKA_PROCESS_ROLES: "broker,controller",
    KAFKA_LISTENERS: `PLAINTEXT://0.0.0.0:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://127.0.0.1:${port}`,
    KAFKA_INTER_BROKER_LISTENER_NAME: "PLAINTEXT",
    KAFKA_CONTROLLER_LISTENER_NAMES: "CONTROLLER",
    KAFKA_CONTROLLER_QUORUM_VOTERS: `1@127.0.0.1:${controllerPort}`,
    KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    KAFKA_NUM_PARTITIONS: "3",
    KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS: "3",
    KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: "1",
    KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: "1",
    KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: "1",
    KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS: "3",
    KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: "0",
    KAFKA_AUTO_CREATE_TOPICS_ENABLE: "false",
    KAFKA_LOG_RETENTION_MS: "-1",
    KAFKA_LOG_RETENTION_BYTES: "4294967296",
  };
}

/** TLS and SASL are the pipeline's own business: here it is enough that one broker accepts connections. */
async function probeAnyBroker(bootstrap: string, timeoutMs: number): Promise<void> {
  for (const broker of bootstrap.split(",")) {
    const [, host, port] = /^\s*\[?(.+?)\]?:(\d+)\s*$/.exec(broker) ?? [];
    if (host !== undefined && (await isListening(Number(port), host, timeoutMs))) return;
  }
  throw new Error("no broker accepts connections");
}
