/**
 * What a worker must know to reach Kafka and MongoDB. It travels with the job as pipeline options, except what may hold
 * a password: those a worker takes from its own environment, for a runner shows options to whoever asks.
 */

import { type HealthReporter, silentHealth, type TrustedClock } from "@order-payment-stream/beam/io";
import type { PoolAdmission } from "@order-payment-stream/beam/worker";
import { registerFilesConnection } from "@order-payment-stream/files";
import { registerKafkaConnection, registerSchemaRegistry } from "@order-payment-stream/kafka";
import { registerMongoConnection } from "@order-payment-stream/mongodb";

import { kafkaConfig, registryConfig } from "../connections.js";
import { FILES_CONNECTION, KAFKA_CONNECTION, MONGODB_CONNECTION, SCHEMA_REGISTRY } from "../graph.js";
import type { Log } from "../report/log.js";
import { REFERABLE } from "./dataflow_settings.js";
import { loginProblems } from "./kafka_login.js";
import {
  CHECKPOINT_PLACE_SETTINGS,
  ENGINE_SETTINGS,
  KAFKA_SETTINGS,
  LOG_SETTINGS,
  MONGODB_SETTINGS,
} from "./options.js";
import { readEnvFile, readSettings, settingsError } from "./read_settings.js";
import { REGISTRY_SETTINGS, registryProblems } from "./registry_settings.js";
import { RUNNER_SETTINGS } from "./runner_options.js";
import { secretReference } from "./secret_references.js";
import { SERVERS_OF_SECRETS, secretProblems } from "./secret_scope.js";
import { type Setting, type SettingsOf, settingsTable, variableOf } from "./setting.js";
import { mayHoldSecret } from "./setting_values.js";

export const WORKER_SETTINGS = settingsTable({
  ...KAFKA_SETTINGS,
  ...REGISTRY_SETTINGS,
  mongodb_uri: MONGODB_SETTINGS.mongodb_uri,
  ...LOG_SETTINGS,
  outage_max: ENGINE_SETTINGS.outage_max,
  storage_emulator_host: CHECKPOINT_PLACE_SETTINGS.storage_emulator_host,
});

/** Of the worker program when it is a pool. */
const POOL_SETTINGS = settingsTable({
  worker_pool_token: RUNNER_SETTINGS.worker_pool_token,
  worker_pool_runners: RUNNER_SETTINGS.worker_pool_runners,
});

export type WorkerSettings = SettingsOf<typeof WORKER_SETTINGS>;

/** The settings that travel, by name. */
export function workerOptions(texts: ReadonlyMap<string, string>): Record<string, string> {
  return textsOf(texts, (text, setting) => !isKept(text, setting));
}

/**
 * What does not travel, as environment variables for workers that are started from here, with the servers that it is
 * for beside it.
 */
export function workerEnvironment(texts: ReadonlyMap<string, string>): Record<string, string> {
  const secrets = textsOf(texts, isKept);
  if (Object.keys(secrets).length === 0) return {};
  const servers = [...texts].filter(([name]) => SERVERS_OF_SECRETS.has(name));
  const wanted = [...servers, ...Object.entries(secrets)];
  return Object.fromEntries(wanted.map(([name, text]) => [variableOf(name), text]));
}

/**
 * In a worker: pipeline options before the environment, and that before `.env`; and no secret for servers that are not
 * named beside it.
 * @param options by name, as the runner passes them on; others than a worker's are ignored
 * @param isPool the worker is of a pool, which works for whoever may ask it
 * @throws SettingsError
 */
export function readWorkerSettings(
  options: Readonly<Record<string, unknown>>,
  environment: NodeJS.ProcessEnv = process.env,
  isPool = true,
): WorkerSettings {
  const flags = Object.fromEntries(
    Object.entries(options).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
  const sources = { environment, file: readEnvFile() };
  const own = readSettings(WORKER_SETTINGS, { flags: {}, ...sources });
  const read = readSettings(WORKER_SETTINGS, { flags, ...sources });
  const problems = [
    ...loginProblems(read.settings),
    ...registryProblems(read.settings),
    ...secretProblems(read, own, isPool),
  ];
  // A submitter leaves out the URI only where it holds a password.
  if ("kafka_bootstrap" in flags && read.origins.get("mongodb_uri") === "default") {
    problems.push({
      name: "mongodb_uri",
      text: "is not set in the worker's environment: expected the one that the job was submitted with, because it holds a password and is not sent with the job",
    });
  }
  for (const name of REFERABLE) {
    if (!secretReference.test(String((read.settings as Record<string, unknown>)[name]))) continue;
    problems.push({
      name,
      text: "is a reference to Secret Manager: expected the value itself, because only a worker in a container of its own resolves it",
    });
  }
  if (problems.length > 0) throw settingsError(WORKER_SETTINGS, problems);
  return read.settings;
}

/**
 * Of a worker pool, whose environment says who may have workers of it.
 * @throws SettingsError
 */
export function readPoolAdmission(environment: NodeJS.ProcessEnv = process.env): PoolAdmission {
  const { settings } = readSettings(POOL_SETTINGS, { flags: {}, environment, file: readEnvFile() });
  return { token: settings.worker_pool_token, runnerHosts: settings.worker_pool_runners };
}

/** What the connections of this process were made for. */
let connectionsInUse: string | undefined;

/**
 * Refuses connections other than those of the workers that share this process: all have the same ones.
 * @param others how many there are
 */
export function checkOthers(settings: WorkerSettings, others: number): void {
  const { log_level: _, ...connections } = settings;
  const wanted = JSON.stringify(connections);
  if (others > 0 && connectionsInUse !== undefined && connectionsInUse !== wanted) {
    throw new Error(
      "this worker pool works for a job with other settings of Kafka or MongoDB: wait for its end, or start another pool",
    );
  }
  connectionsInUse = wanted;
}

/** Under the names that the graph has for them. */
export function registerConnections(
  settings: WorkerSettings,
  log: Log,
  health: HealthReporter = silentHealth,
  trustedClock?: TrustedClock,
): void {
  const { outage_max: retryMaxMs } = settings;
  const kafka = kafkaConfig(settings, log);
  registerKafkaConnection(KAFKA_CONNECTION, {
    ...kafka,
    health,
    limits: { retryMaxMs, requestRetryMaxMs: retryMaxMs },
    ...(trustedClock !== undefined && { trustedClock }),
  });
  const registry = registryConfig(settings);
  if (registry !== undefined)
    registerSchemaRegistry(SCHEMA_REGISTRY, { ...registry, health, logger: log, retryMaxMs });
  const writerOptions = { logger: log, health, retryTimeMaxMs: retryMaxMs };
  registerFilesConnection(FILES_CONNECTION, {
    gcsEndpoint: settings.storage_emulator_host,
    ...(trustedClock !== undefined && { trustedClock }),
  });
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

function isKept(text: string, { isSecret, isAddress, mayRefer }: Setting): boolean {
  // The name of a secret is none.
  if (mayRefer && secretReference.test(text)) return false;
  return isSecret === true || (isAddress === true && mayHoldSecret(text));
}
