/**
 * What is looked at before any record is read: whether Kafka, the schema registry and MongoDB can be reached, and
 * whether the topics exist. All are tried at once and all that is wrong is told together. Creates the indexes.
 */
import {
  connectKafka,
  type KafkaClient,
  SchemaRegistry,
  TopicNotFoundError,
} from "@order-payment-stream/kafka";
import { type CollectionPlan, connectMongo, prepareCollections } from "@order-payment-stream/mongodb";
import { CLIENT_ID, kafkaConfig, registryConfig } from "../connections.js";
import type { Log } from "../report/log.js";
import { needsKafka, needsMongo } from "../settings/file_settings.js";
import {
  KAFKA_SETTINGS,
  type KafkaSettings,
  MONGODB_SETTINGS,
  type MongodbSettings,
  type RunSettings,
} from "../settings/options.js";
import type { RegistrySettings } from "../settings/registry_settings.js";
import { CommandError, explain } from "./command.js";

/** An attempt may begin until then; one that is not answered ends 2.4 s later. */
const CONNECT_TIMEOUT_MS = 5_000;

const REQUEST_RETRY_MAX_MS = 5_000;

type Checked = Pick<RunSettings, "orders" | "payments" | "then_kafka_from" | "sink"> &
  KafkaSettings &
  RegistrySettings &
  MongodbSettings;

/**
 * Of those that the run has to do with.
 * @throws CommandError within some ten seconds
 */
export async function checkConnections(settings: Checked, log: Log): Promise<void> {
  const results = await Promise.allSettled([
    needsKafka(settings) ? checkTopics(settings, log) : undefined,
    needsKafka(settings) ? checkRegistry(settings) : undefined,
    needsMongo(settings) ? checkCollections(settings, log) : undefined,
  ]);
  failTogether(results.some(isOfMissingService) && isUsual(settings) ? [...results, SERVICES_HINT] : results);
}

/** For somebody who tries it. */
const SERVICES_HINT: PromiseSettledResult<void> = {
  status: "rejected",
  reason: new CommandError(
    "To try it with a local Kafka and MongoDB: `make services`, or `order-payment-stream services up`; `run-local` starts both and generates load",
  ),
};

function isOfMissingService(result: PromiseSettledResult<unknown>): boolean {
  return result.status === "rejected" && /Unreachable|Unavailable/.test((result.reason as Error).name);
}

/** Nobody has named a server, and none runs. */
function isUsual({ kafka_bootstrap: brokers, mongodb_uri: uri }: Checked): boolean {
  return (
    brokers.join() === KAFKA_SETTINGS.kafka_bootstrap.default || uri === MONGODB_SETTINGS.mongodb_uri.default
  );
}

/** @throws KafkaError, or a CommandError that names the topics that do not exist */
async function checkTopics(settings: Checked, log: Log): Promise<void> {
  const client = await connectBriefly(settings, log);
  try {
    const topics = topicSettings(settings);
    failTogether(await Promise.allSettled(topics.map((name) => checkTopic(client, name, settings))));
  } finally {
    await client.close();
  }
}

/** Of the topics that are read. */
export function topicSettings(
  settings: Pick<Checked, "orders" | "payments" | "then_kafka_from">,
): ("kafka_order_topic" | "kafka_payment_topic")[] {
  const { orders, payments, then_kafka_from: then } = settings;
  return [
    ...(orders === undefined || then !== undefined ? (["kafka_order_topic"] as const) : []),
    ...(payments === undefined || then !== undefined ? (["kafka_payment_topic"] as const) : []),
  ];
}

/** Gives up sooner than a run that has begun would: whoever waits for the message is most likely at the keyboard. */
export function connectBriefly(settings: KafkaSettings, log: Log): Promise<KafkaClient> {
  const limits = { connectTimeoutMs: CONNECT_TIMEOUT_MS, requestRetryMaxMs: REQUEST_RETRY_MAX_MS };
  return connectKafka({ ...kafkaConfig(settings, log), limits });
}

async function checkTopic(
  client: KafkaClient,
  name: "kafka_order_topic" | "kafka_payment_topic",
  settings: KafkaSettings,
): Promise<void> {
  const topic = settings[name];
  await withAdvice(name, settings, async () => {
    await client.partitions(topic);
    // The leaders are asked at the addresses that they advertise. An outage of theirs is waited for later on.
    await client.offsets(topic, "end").catch((error: unknown) => {
      if (/ENOTFOUND|EAI_AGAIN/.test(String(error))) throw error;
    });
  });
}

/** Says of a topic that does not exist what to do. */
export async function withAdvice<T>(
  name: "kafka_order_topic" | "kafka_payment_topic",
  settings: KafkaSettings,
  look: () => Promise<T>,
): Promise<T> {
  try {
    return await look();
  } catch (error) {
    if (!(error instanceof TopicNotFoundError)) throw error;
    const [broker] = settings.kafka_bootstrap;
    throw new CommandError(
      `${error.message}. Correct ${name.toUpperCase()}, or create the topic, for example with ` +
        `kafka-topics.sh --bootstrap-server ${broker} --create --topic ${settings[name]} --partitions 3`,
    );
  }
}

/** @throws SchemaRegistryError, TokenRefusedError */
async function checkRegistry(settings: RegistrySettings): Promise<void> {
  await briefRegistry(settings)?.check();
}

/** For a few requests at the keyboard; undefined: there is none. */
export function briefRegistry(settings: RegistrySettings): SchemaRegistry | undefined {
  const registry = registryConfig(settings);
  // What fails is told by whoever asks.
  const logger = { info: () => undefined, warn: () => undefined };
  return registry && new SchemaRegistry({ ...registry, logger, retryMaxMs: REQUEST_RETRY_MAX_MS });
}

/** @throws MongoUnavailableError, MongoConfigurationError */
async function checkCollections(settings: MongodbSettings, log: Log): Promise<void> {
  const client = await connectMongo(settings.mongodb_uri, { appName: CLIENT_ID });
  try {
    const notes = await prepareCollections(client.db(settings.mongodb_database), collectionPlans(settings));
    for (const note of notes) log.warn(note);
  } finally {
    await client.close();
  }
}

/** What `run` writes to. */
export function collectionPlans(settings: MongodbSettings): CollectionPlan[] {
  return [
    {
      collection: settings.mongodb_collection,
      setting: "MONGODB_COLLECTION",
      indexes: [{ key: { order_id: 1 } }],
    },
    {
      collection: settings.mongodb_unmatched_collection,
      setting: "MONGODB_UNMATCHED_COLLECTION",
      indexes: [{ key: { order_id: 1 } }, { key: { kind: 1, expires_at: 1 } }],
    },
    {
      collection: settings.mongodb_dead_letter_collection,
      setting: "MONGODB_DEAD_LETTER_COLLECTION",
      indexes: [{ key: { reason: 1 } }],
      takesAll: true,
    },
  ];
}

/** Throws a lone failure as it is, and several as one. */
function failTogether(results: readonly PromiseSettledResult<unknown>[]): void {
  const failures = results.flatMap((result) => (result.status === "rejected" ? [result.reason] : []));
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw new CommandError(failures.map(explain).join("\n"), { cause: failures[0] });
}
