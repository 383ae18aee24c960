/**
 * What a worker must know to reach Kafka and MongoDB. It travels with the job as pipeline options, except what may hold
 * a password: those a worker takes from its own environment, for a runner shows options to whoever asks.
 */
import { registerKafkaConnection } from "../beam/io/kafka/kafka_connections.js";
import { registerMongoConnection } from "../beam/io/mongodb/mongo_connections.js";
import { type HealthReporter, unheard } from "../beam/model/health.js";
import { kafkaConfig } from "./connections.js";
import { KAFKA_CONNECTION, MONGODB_CONNECTION } from "./graph.js";
import type { Log } from "./log.js";
import { ENGINE_SETTINGS, KAFKA_SETTINGS, LOG_SETTINGS, MONGODB_SETTINGS } from "./options.js";
import { readEnvFile, readSettings } from "./read_settings.js";
import { type Setting, type SettingsOf, settingsTable, variableOf } from "./setting.js";

export const WORKER_SETTINGS = settingsTable({
  ...KAFKA_SETTINGS,
  mongodb_uri: MONGODB_SETTINGS.mongodb_uri,
  ...LOG_SETTINGS,
  outage_max: ENGINE_SETTINGS.outage_max,
});

export type WorkerSettings = SettingsOf<typeof WORKER_SETTINGS>;

/** The settings that travel, by name. */
export function workerOptions(texts: ReadonlyMap<string, string>): Record<string, string> {
  return textsOf(texts, (text, setting) => !mayHoldSecret(text, setting));
}

/** The rest, as environment variables for workers that are started from here. */
export function workerEnvironment(texts: ReadonlyMap<string, string>): Record<string, string> {
  const secrets = textsOf(texts, mayHoldSecret);
  return Object.fromEntries(Object.entries(secrets).map(([name, text]) => [variableOf(name), text]));
}

/**
 * In a worker: pipeline options before the environment, and that before `.env`.
 * @param options by name, as the runner passes them on; others than a worker's are ignored
 * @throws SettingsError
 */
export function readWorkerSettings(
  options: Readonly<Record<string, unknown>>,
  environment: NodeJS.ProcessEnv = process.env,
): WorkerSettings {
  const flags = Object.fromEntries(
    Object.entries(options).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
  return readSettings(WORKER_SETTINGS, { flags, environment, file: readEnvFile() }).settings;
}

/** Under the names that the graph has for them. */
export function registerConnections(
  settings: WorkerSettings,
  log: Log,
  health: HealthReporter = unheard,
): void {
  const { outage_max: retryMaxMs } = settings;
  const kafka = kafkaConfig(settings, log);
  registerKafkaConnection(KAFKA_CONNECTION, {
    ...kafka,
    health,
    limits: { retryMaxMs, requestRetryMaxMs: retryMaxMs },
  });
  const writerOptions = { logger: log, health, retryTimeMaxMs: retryMaxMs };
  registerMongoConnection(MONGODB_CONNECTION, settings.mongodb_uri, writerOptions);
}

function textsOf(
  texts: ReadonlyMap<string, string>,
  isWanted: (text: string, setting: Setting) => boolean,
): Record<string, string> {
  const wanted: Record<string, string> = {};
  for (const [name, setting] of Object.entries<Setting>(WORKER_SETTINGS)) {
    const text = texts.get(name);
    if (text !== undefined && isWanted(text, setting)) wanted[name] = text;
  }
  return wanted;
}

function mayHoldSecret(text: string, { isSecret }: Setting): boolean {
  return isSecret === true || text.includes("@") || /password/i.test(text);
}
