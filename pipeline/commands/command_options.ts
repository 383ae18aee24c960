import { DEAD_LETTER_REASONS } from "../../transforms/dead_letter.js";
import { DATAFLOW_PLACE_SETTINGS } from "../settings/dataflow_settings.js";
import { SINK_SETTINGS } from "../settings/file_settings.js";
import { UI_SETTINGS } from "../settings/monitor_options.js";
import {
  CHECKPOINT_PLACE_SETTINGS,
  ENGINE_SETTINGS,
  KAFKA_SETTINGS,
  LOG_SETTINGS,
  MONGODB_SETTINGS,
  RUN_SETTINGS,
  STATE_SETTINGS,
  TIME_SETTINGS,
} from "../settings/options.js";
import { REGISTRY_SETTINGS } from "../settings/registry_settings.js";
import { settingsTable } from "../settings/setting.js";
import {
  decimal,
  durationMs,
  durationOrOff,
  httpUrl,
  oneOf,
  text,
  timeOrAgo,
  wholeNumber,
  words,
  yesOrNo,
} from "../settings/setting_values.js";
import { LOAD_SETTINGS } from "./load_options.js";

export const TOPIC_CHOICES = ["orders", "payments", "all"] as const;

const {
  bounded: _bounded,
  orders: _orders,
  payments: _payments,
  then_kafka_from: _then,
  ...UNBOUNDED_SETTINGS
} = RUN_SETTINGS;

/** Short times, so that a newcomer sees events expire within the first minute. */
export const RUN_LOCAL_SETTINGS = settingsTable({
  duration: {
    description: "How long to run; without it, until Ctrl-C.",
    expected: "a duration such as 30 (seconds), 30s or 5m",
    schema: durationMs(1),
    isFlagOnly: true,
  },
  ...LOAD_SETTINGS,
  ...UNBOUNDED_SETTINGS,
  state_timeout_minutes: { ...RUN_SETTINGS.state_timeout_minutes, default: "0.5" },
  max_out_of_orderness: { ...RUN_SETTINGS.max_out_of_orderness, default: "5s" },
  kafka_start: { ...RUN_SETTINGS.kafka_start, default: "latest" },
  runner: {
    ...RUN_SETTINGS.runner,
    expected: "direct; the others are for the run command",
    schema: oneOf("direct"),
  },
});

/** Of all commands that list documents. */
const LISTING_SETTINGS = settingsTable({
  since: {
    description:
      "Only those from this time on, or not older than this: by the record's time for dead letters, by created_at for others.",
    expected: "a time such as 2026-01-31T12:00:00Z, or a duration such as 2h",
    schema: timeOrAgo,
    isFlagOnly: true,
  },
  until: {
    description: "Only those before this time, or older than this.",
    expected: "a time such as 2026-01-31T12:00:00Z, or a duration such as 2h",
    schema: timeOrAgo,
    isFlagOnly: true,
  },
  limit: {
    description: "The greatest number; without it, 20 are listed, 1000 replayed, and all exported.",
    expected: "a whole number from 1 to 10000000",
    schema: wholeNumber(1, 10_000_000),
    isFlagOnly: true,
  },
  json: {
    description: "Print one line of JSON for each, for other programs.",
    expected: "true or false",
    schema: yesOrNo,
    default: "false",
    isSwitch: true,
    isFlagOnly: true,
  },
});

const ORDER_ID = settingsTable({
  order_id: {
    description: "Only those of this order.",
    expected: "an order_id",
    schema: text,
    isFlagOnly: true,
  },
});

/** As `run` has them, so that what is said holds for it. */
export const CHECK_SETTINGS = RUN_SETTINGS;

/** As RUN_LOCAL_SETTINGS, for a job at the fake of Dataflow. */
export const RUN_DATAFLOW_LOCAL_SETTINGS = settingsTable({
  ...RUN_LOCAL_SETTINGS,
  siblings: {
    description: "Additional worker processes.",
    expected: "a whole number from 0 to 15",
    schema: wholeNumber(0, 15),
    default: "1",
    isFlagOnly: true,
  },
  runner: {
    ...RUN_SETTINGS.runner,
    expected: "dataflow; the others are for the run command",
    schema: oneOf("dataflow"),
    default: "dataflow",
  },
  project: { ...RUN_SETTINGS.project, default: "local-project" },
  region: { ...RUN_SETTINGS.region, default: "us-central1" },
  temp_location: { ...RUN_SETTINGS.temp_location, default: "gs://dataflow-local/tmp" },
  sdk_container_image: { ...RUN_SETTINGS.sdk_container_image, default: "local/order-payment-stream:1" },
});

export const DEAD_LETTER_SETTINGS = settingsTable({
  reason: {
    description: `Only those with this reason: ${DEAD_LETTER_REASONS.join(", ")}.`,
    expected: DEAD_LETTER_REASONS.join(", "),
    schema: oneOf(...DEAD_LETTER_REASONS),
    isFlagOnly: true,
  },
  topic: {
    description: "Only those of this topic.",
    expected: "the name of a topic",
    schema: text,
    isFlagOnly: true,
  },
  key: {
    description: "Only those whose record has this key: an order_id.",
    expected: "a text",
    schema: text,
    isFlagOnly: true,
  },
  id: {
    description: "Only those with these _ids.",
    expected: "one or more _ids, separated by commas",
    schema: words,
    isFlagOnly: true,
  },
  ...LISTING_SETTINGS,
  file: {
    description: "replay: a file that `export` wrote and you edited; keys and values are taken from it.",
    expected: "the path of a file",
    schema: text,
    isFlagOnly: true,
  },
  to_topic: {
    description: "replay: the topic to send to, instead of the one that each record came from.",
    expected: "the name of a topic",
    schema: text,
    isFlagOnly: true,
  },
  dry_run: {
    description: "replay: show what would be sent, and send nothing.",
    expected: "true or false",
    schema: yesOrNo,
    default: "false",
    isSwitch: true,
    isFlagOnly: true,
  },
  rate: {
    description: "replay: the greatest number of records per second.",
    expected: "a number from 0.1 to 100000",
    schema: decimal(0.1, 100_000),
    default: "100",
    isFlagOnly: true,
  },
  anyway: {
    description: "replay: also send what would become a dead letter again: LATE, INVALID, …",
    expected: "true or false",
    schema: yesOrNo,
    default: "false",
    isSwitch: true,
    isFlagOnly: true,
  },
  again: {
    description: "replay: also send what was replayed before.",
    expected: "true or false",
    schema: yesOrNo,
    default: "false",
    isSwitch: true,
    isFlagOnly: true,
  },
  ...MONGODB_SETTINGS,
  ...KAFKA_SETTINGS,
  ...TIME_SETTINGS,
  max_ahead_of_clock: ENGINE_SETTINGS.max_ahead_of_clock,
  schema_registry_url: REGISTRY_SETTINGS.schema_registry_url,
  ...LOG_SETTINGS,
});

export const JOINED_SETTINGS = settingsTable({
  ...ORDER_ID,
  ...LISTING_SETTINGS,
  ...MONGODB_SETTINGS,
  ...LOG_SETTINGS,
});

export const UNMATCHED_SETTINGS = settingsTable({
  ...ORDER_ID,
  reason: {
    description: "Only those with this reason: UNPAID (orders) or NO_ORDER (payments).",
    expected: "UNPAID or NO_ORDER",
    schema: oneOf("UNPAID", "NO_ORDER"),
    isFlagOnly: true,
  },
  ...LISTING_SETTINGS,
  ...MONGODB_SETTINGS,
  ...LOG_SETTINGS,
});

export const EXPLAIN_SETTINGS = settingsTable({
  page: {
    description: "The page of the run to ask, such as http://127.0.0.1:4040; its token is UI_TOKEN.",
    expected: "a URL such as http://127.0.0.1:4040",
    schema: httpUrl,
    isFlagOnly: true,
  },
  ui_token: UI_SETTINGS.ui_token,
  state_dir: STATE_SETTINGS.state_dir,
  search: {
    description: "How far back to search Kafka if no event of the order is known; off: do not search Kafka.",
    expected: "a duration such as 2h or 30m, or off",
    schema: durationOrOff(1_000),
    default: "2h",
    isFlagOnly: true,
  },
  json: LISTING_SETTINGS.json,
  ...MONGODB_SETTINGS,
  ...KAFKA_SETTINGS,
  ...TIME_SETTINGS,
  ...LOG_SETTINGS,
});

export const EXPORT_SETTINGS = settingsTable({
  to_path: {
    description: "The folder to write to; it gets the folders joined, unmatched and dead_letters.",
    expected: "the path of a folder, or gs://bucket/prefix",
    schema: SINK_SETTINGS.sink_path.schema,
    isFlagOnly: true,
  },
  format: {
    description: "Avro containers, or JSON lines.",
    expected: "avro or jsonl",
    schema: oneOf("avro", "jsonl"),
    default: "avro",
    isFlagOnly: true,
  },
  codec: {
    description: "For Avro files: how blocks are compressed; zstandard needs Node 22.15.",
    expected: "null, deflate, snappy or zstandard",
    schema: SINK_SETTINGS.sink_codec.schema,
    default: "snappy",
    isFlagOnly: true,
  },
  storage_emulator_host: CHECKPOINT_PLACE_SETTINGS.storage_emulator_host,
  ...MONGODB_SETTINGS,
  ...LOG_SETTINGS,
});

export const CHECKPOINTS_SETTINGS = settingsTable({ ...CHECKPOINT_PLACE_SETTINGS, ...LOG_SETTINGS });

export const JOBS_SETTINGS = settingsTable({
  ...DATAFLOW_PLACE_SETTINGS,
  status: {
    description: "Which jobs `list` shows: active, terminated or all.",
    expected: "active, terminated or all",
    schema: oneOf("active", "terminated", "all"),
    default: "active",
    isFlagOnly: true,
  },
  ...LOG_SETTINGS,
});

export const JOBS_CHOICES = ["list", "show", "metrics", "drain", "cancel"] as const;
export const CHECKPOINTS_CHOICES = ["list"] as const;
export const DEAD_LETTER_CHOICES = ["list", "count", "show", "export", "replay"] as const;
export const LIST_CHOICES = ["list", "count"] as const;
export const SERVICE_CHOICES = ["up", "down", "status"] as const;

export const STATE_CHOICES = ["inspect", "export"] as const;
export const STATE_COMMAND_SETTINGS = settingsTable({ state_dir: STATE_SETTINGS.state_dir });
