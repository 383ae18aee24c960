/**
 * All settings of the pipeline: the one table behind the flags, the environment variables, `.env.example` and the help.
 * What is common to them is in setting.ts; where values come from, in read_settings.ts.
 */
import { DATAFLOW_SETTINGS, dataflowProblems } from "./dataflow_settings.js";
import { FILE_SETTINGS, fileProblems } from "./file_settings.js";
import { KAFKA_LOGIN_SETTINGS, loginProblems } from "./kafka_login.js";
import { LOG_FILE_SETTINGS, LOG_SETTINGS, monitorProblems, UI_SETTINGS } from "./monitor_options.js";
import type { CombinationCheck, Origin, Problem } from "./read_settings.js";
import { REGISTRY_SETTINGS, registryProblems, WRITER_SCHEMA_SETTINGS } from "./registry_settings.js";
import { DIRECT_RUNNER_SETTINGS, RUNNER_SETTINGS, runnerProblems } from "./runner_options.js";
import { type SettingsOf, type SettingsTable, settingsTable } from "./setting.js";
import {
  brokers,
  checkpoint,
  collectionName,
  databaseName,
  durationMs,
  durationOrOff,
  gcsPath,
  httpUrl,
  minutesMs,
  mongoUri,
  oneOf,
  startPoint,
  text,
  wholeNumber,
  yesOrNo,
} from "./setting_values.js";

export const KAFKA_SETTINGS = settingsTable({
  kafka_bootstrap: {
    description: "Kafka brokers; the rest of the cluster is found through them.",
    expected: "host:port, or several separated by commas",
    schema: brokers,
    isAddress: true,
    default: "127.0.0.1:9092",
  },
  ...KAFKA_LOGIN_SETTINGS,
  kafka_order_topic: {
    description: "Topic of the orders.",
    expected: "the name of a topic",
    schema: text,
    default: "stream_order_producer",
  },
  kafka_payment_topic: {
    description: "Topic of the payments.",
    expected: "the name of a topic",
    schema: text,
    default: "stream_payment_producer",
  },
});

export const KAFKA_READ_SETTINGS = settingsTable({
  kafka_group_id: {
    description:
      "Consumer group whose committed offsets show the pipeline's progress to lag tools. The pipeline does not join the group.",
    expected: "the name of a group",
    schema: text,
    default: "order-payment-stream",
  },
  kafka_start: {
    description:
      "Where to start reading: earliest, latest, group (the group's offsets), or the first record not older than a time.",
    expected: "earliest, latest, group, or a time such as 2026-01-31T12:00:00Z",
    schema: startPoint,
    default: "earliest",
  },
  auto_offset_reset: {
    description:
      "Where to continue when a position in the state is no longer valid (topic created again, log truncated or restored, another cluster, records removed unread): none refuses and says what is lost; earliest and latest keep the state.",
    expected: "none, earliest or latest",
    schema: oneOf("none", "earliest", "latest"),
    default: "none",
  },
});

export const MONGODB_SETTINGS = settingsTable({
  mongodb_uri: {
    description: "MongoDB server, with credentials if it requires them.",
    expected: "mongodb://host:27017 or mongodb+srv://host",
    schema: mongoUri,
    isAddress: true,
    mayRefer: true,
    default: "mongodb://127.0.0.1:27017",
  },
  mongodb_database: {
    description: "Database of the collections.",
    expected: "the name of a database",
    schema: databaseName,
    default: "spark_streaming",
  },
  mongodb_collection: {
    description: "Collection of the pairs.",
    expected: "the name of a collection",
    schema: collectionName,
    default: "spark_streaming_stateful_writes",
  },
  mongodb_unmatched_collection: {
    description: "Collection of the events that found no partner in time.",
    expected: "the name of a collection",
    schema: collectionName,
    default: "unmatched",
  },
  mongodb_dead_letter_collection: {
    description: "Collection of the records that could not take part, and why.",
    expected: "the name of a collection",
    schema: collectionName,
    default: "dead_letters",
  },
});

export const TIME_SETTINGS = settingsTable({
  state_timeout_minutes: {
    description: "T: how far apart, by created_at, an order and its payment may be. Fractions are allowed.",
    expected: "a number of minutes above 0, such as 15 or 0.5",
    schema: minutesMs,
    default: "15",
  },
  max_out_of_orderness: {
    description: "D: how far behind newer events of its partition an event may be.",
    expected: "a duration such as 30 (seconds), 30s or 500ms",
    schema: durationMs(0),
    default: "30s",
  },
});

export const ENGINE_SETTINGS = settingsTable({
  max_ahead_of_clock: {
    description:
      "An event dated further ahead of the clock than this becomes a dead letter, and moves no watermark; off: no limit.",
    expected: "a duration such as 300 (seconds), 5m or 500ms, or off",
    schema: durationOrOff(0),
    default: "5m",
  },
  clock_skew_max: {
    description:
      "Direct runner: how far MongoDB's clock may differ from this machine's before partitions without new records stand still; off: this machine's clock is trusted.",
    expected: "a duration of 10ms or more, such as 30 (seconds) or 1m, or off",
    schema: durationOrOff(10),
    default: "30s",
  },
  bounded: {
    description:
      "Read up to where the topics end at the start, then expire what waits (see DRAIN), and exit.",
    expected: "true or false",
    schema: yesOrNo,
    default: "false",
    isSwitch: true,
  },
  outage_max: {
    description:
      "How long Kafka or MongoDB may be unavailable. Reading and writing wait that long before the run fails.",
    expected: "a duration of a second or more, such as 900 (seconds) or 15m",
    schema: durationMs(1_000),
    default: "15m",
  },
  drain: {
    description:
      "What to do with events that still wait when a run ends: keep them in state, or expire them now. By default SIGINT and SIGTERM keep them, and the end of a bounded run expires them.",
    expected: "keep or expire",
    schema: oneOf("keep", "expire"),
  },
  summary: {
    description: "Format of the summary at the end of a run; json is one line, the last on stdout.",
    expected: "text or json",
    schema: oneOf("text", "json"),
    default: "text",
  },
  ...DIRECT_RUNNER_SETTINGS,
});

export const CHECKPOINT_PLACE_SETTINGS = settingsTable({
  gcs_checkpoint_path: {
    description:
      "Where checkpoints of the state are stored; without it there are none. Two pipelines must not share it.",
    expected: "gs://bucket or gs://bucket/prefix",
    schema: gcsPath,
  },
  storage_emulator_host: {
    description: "An emulator to use instead of Google Cloud Storage, without credentials.",
    expected: "a URL such as http://127.0.0.1:4443",
    schema: httpUrl,
    isAddress: true,
  },
});

const CHECKPOINT_SETTINGS = settingsTable({
  ...CHECKPOINT_PLACE_SETTINGS,
  checkpoint_interval: {
    description: "Time between checkpoints. The last one is written when a run stops.",
    expected: "a duration of a second or more, such as 300 (seconds) or 5m",
    schema: durationMs(1_000),
    default: "5m",
  },
  checkpoints_kept: {
    description: "Number of checkpoints to keep, the latest included; older ones are removed.",
    expected: "a whole number from 1 to 1000",
    schema: wholeNumber(1, 1_000),
    default: "5",
  },
  restore: {
    description:
      "Checkpoint to download into the state directory, which must be empty, before the run: latest, or an id from `checkpoints list`.",
    expected: "latest, or an id such as 20260131T120000Z-0a1b2c3d",
    schema: checkpoint,
    isFlagOnly: true,
  },
});

export const STATE_SETTINGS = settingsTable({
  state_dir: {
    description:
      "Directory on a local disk that keeps the state, so that the next start continues from there. Without it state is in memory, and a restart reads the topics again from KAFKA_START.",
    expected:
      "the path of a directory that is empty, does not exist yet, or holds the state of this pipeline",
    schema: text,
  },
  state_sync: {
    description:
      "What the state survives: always, a power failure (every commit is synced to disk); process, a crash of this process but not of the machine.",
    expected: "always or process",
    schema: oneOf("always", "process"),
    default: "always",
  },
});

export { LOG_SETTINGS };

export const RUN_SETTINGS = settingsTable({
  ...KAFKA_SETTINGS,
  ...KAFKA_READ_SETTINGS,
  ...FILE_SETTINGS,
  ...REGISTRY_SETTINGS,
  ...WRITER_SCHEMA_SETTINGS,
  ...MONGODB_SETTINGS,
  ...TIME_SETTINGS,
  ...ENGINE_SETTINGS,
  ...STATE_SETTINGS,
  ...CHECKPOINT_SETTINGS,
  ...RUNNER_SETTINGS,
  ...DATAFLOW_SETTINGS,
  ...UI_SETTINGS,
  ...LOG_SETTINGS,
  ...LOG_FILE_SETTINGS,
});

/** The same by subject, for `.env.example`. */
export const SETTINGS_BY_SUBJECT: ReadonlyMap<string, SettingsTable> = new Map<string, SettingsTable>([
  ["Kafka", { ...KAFKA_SETTINGS, ...KAFKA_READ_SETTINGS }],
  ["Schemas", { ...REGISTRY_SETTINGS, ...WRITER_SCHEMA_SETTINGS }],
  ["Files", FILE_SETTINGS],
  ["MongoDB", MONGODB_SETTINGS],
  ["The rule", TIME_SETTINGS],
  ["State", { ...STATE_SETTINGS, ...CHECKPOINT_SETTINGS }],
  ["The run", ENGINE_SETTINGS],
  ["The page, metrics and health", UI_SETTINGS],
  ["The log", { ...LOG_SETTINGS, ...LOG_FILE_SETTINGS }],
  ["The runner", RUNNER_SETTINGS],
  ["Google Cloud Dataflow", DATAFLOW_SETTINGS],
]);

export type KafkaSettings = SettingsOf<typeof KAFKA_SETTINGS>;
export type CheckpointPlaceSettings = SettingsOf<typeof CHECKPOINT_PLACE_SETTINGS>;
export type MongodbSettings = SettingsOf<typeof MONGODB_SETTINGS>;
export type RunSettings = SettingsOf<typeof RUN_SETTINGS>;
export type LogLevel = RunSettings["log_level"];

/**
 * KAFKA_START on the command line is also where to go on when a position is lost, unless AUTO_OFFSET_RESET says
 * otherwise: whoever types it has this very start in mind. In the environment it may have been there for years.
 */
export function withOffsetReset(settings: RunSettings, origins: ReadonlyMap<string, Origin>): RunSettings {
  const { kafka_start: start } = settings;
  const isTyped = origins.get("kafka_start") === "flag" && origins.get("auto_offset_reset") === "default";
  if (!isTyped || (start !== "earliest" && start !== "latest")) return settings;
  return { ...settings, auto_offset_reset: start };
}

export const checkTogether: CombinationCheck = (settings: Partial<RunSettings>) => [
  ...loginProblems(settings),
  ...registryProblems(settings),
  ...namesakes(settings),
  ...checkpointProblems(settings),
  ...fileProblems(settings),
  ...runnerProblems(settings),
  ...monitorProblems(settings),
  ...dataflowProblems(settings),
];

function checkpointProblems(settings: Partial<RunSettings>): Problem[] {
  const { gcs_checkpoint_path: path, restore, state_dir: stateDir } = settings;
  const problems: Problem[] = [];
  const isMissing = (name: keyof RunSettings): boolean => name in settings && settings[name] === undefined;
  if (restore !== undefined && isMissing("gcs_checkpoint_path")) {
    const { expected } = CHECKPOINT_PLACE_SETTINGS.gcs_checkpoint_path;
    problems.push({
      name: "gcs_checkpoint_path",
      text: `is not set: expected ${expected}, because of --restore`,
    });
  }
  if (path !== undefined && stateDir === undefined && isMissing("state_dir")) {
    problems.push({
      name: "gcs_checkpoint_path",
      text: "is set, but STATE_DIR is not: only state on disk has checkpoints",
    });
  }
  return problems;
}

/** Two topics or two collections with one name would be read, or written, as if they were two. */
function namesakes(settings: Partial<RunSettings>): Problem[] {
  const groups = [
    ["kafka_order_topic", "kafka_payment_topic"],
    ["mongodb_collection", "mongodb_unmatched_collection", "mongodb_dead_letter_collection"],
  ] as const;
  return groups.flatMap((names) =>
    names.flatMap((name, index): Problem[] => {
      const value = settings[name];
      const first = names.slice(0, index).find((other) => value !== undefined && settings[other] === value);
      if (first === undefined) return [];
      return [
        {
          name,
          text: `is ${JSON.stringify(value)}, as is ${first.toUpperCase()}: expected two different names`,
        },
      ];
    }),
  );
}
