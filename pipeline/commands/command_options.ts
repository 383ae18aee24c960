/** The settings of each command: those of options.ts that it uses, and flags of its own. */
import { COMPRESSIONS } from "../../producers/compression.js";
import { DEFAULT_SHARES, type Shares } from "../../producers/shares.js";
import { VALUE_FORMATS } from "../../producers/value_format.js";
import { REASONS } from "../report/figures.js";
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
import { type Setting, settingsTable } from "../settings/setting.js";
import {
  compression,
  decimal,
  durationMs,
  durationOrOff,
  httpUrl,
  oneOf,
  text,
  timeOrAgo,
  timestampMs,
  wholeNumber,
  words,
  yesOrNo,
} from "../settings/setting_values.js";

const FILE_FORMATS = ["avro", "jsonl"] as const;

export const SEED_MAX = 2 ** 32 - 1;

/** The share that each flag sets, and what it is. */
const SHARE_FLAGS = {
  paid_share: ["paid", "Weight of orders with one payment, soon after."],
  multiple_payments_share: ["multiplePayments", "Weight of orders with two or three payments."],
  early_share: ["early", "Weight of orders whose payment comes first."],
  delayed_share: ["delayed", "Weight of orders paid late in the timeout, now and then at its very end."],
  missing_share: ["missing", "Weight of orders without a payment."],
  orphan_share: ["orphan", "Extra payments without an order, for each order."],
  duplicate_share: ["duplicate", "Events that come twice, soon after each other."],
  far_duplicate_share: ["farDuplicate", "Events that come again, much later but before they expire."],
  conflict_share: ["conflict", "Events that come again with another amount."],
  disorder_share: ["disorder", "Events that come after newer ones, within the bound."],
  late_share: ["late", "Extra events after their expiry, for each order."],
  malformed_share: ["malformed", "Extra values that cannot be read or are invalid, for each order."],
  null_value_share: ["nullValue", "Extra messages without a value, for each order."],
  json_share: ["json", "Events in JSON instead of Avro."],
} as const satisfies Readonly<Record<string, readonly [keyof Shares, string]>>;

type ShareFlag = keyof typeof SHARE_FLAGS;

const SHARE_SETTINGS = Object.fromEntries(
  Object.entries(SHARE_FLAGS).map(([flag, [share, description]]) => [
    flag,
    {
      description,
      expected: "a number from 0 to 1",
      schema: decimal(0, 1),
      default: String(DEFAULT_SHARES[share]),
      isFlagOnly: true,
    },
  ]),
) as Readonly<Record<ShareFlag, Setting<number> & { readonly default: string }>>;

export function sharesOf(settings: Readonly<Record<ShareFlag, number>>): Partial<Shares> {
  return Object.fromEntries(
    Object.entries(SHARE_FLAGS).map(([flag, [share]]) => [share, settings[flag as ShareFlag]]),
  );
}

export const LOAD_SETTINGS = settingsTable({
  rate: {
    description: "Messages per second; 0 is as fast as possible.",
    expected: "a number from 0 to 1000000",
    schema: decimal(0, 1_000_000),
    default: "500",
    isFlagOnly: true,
  },
  seed: {
    description: "The same seed gives the same events, also from two processes, one for each topic.",
    expected: `a whole number from 0 to ${SEED_MAX}`,
    schema: wholeNumber(0, SEED_MAX),
    isFlagOnly: true,
  },
  format: {
    description:
      "Of the events, but for those in JSON by json_share: confluent (the default with SCHEMA_REGISTRY_URL; the schemas are registered under TOPIC-value), single-object (the default without it), or json.",
    expected: VALUE_FORMATS.join(", "),
    schema: oneOf(...VALUE_FORMATS),
    isFlagOnly: true,
  },
});

export const PRODUCE_SETTINGS = settingsTable({
  ...LOAD_SETTINGS,
  to: {
    description:
      "Where events go: to Kafka's topics, or to files in TO_PATH, for runs with --orders and --payments.",
    expected: "kafka or files",
    schema: oneOf("kafka", "files"),
    default: "kafka",
    isFlagOnly: true,
  },
  to_path: {
    description: "For --to=files: a folder, which gets the folders orders and payments.",
    expected: "the path of a folder",
    schema: text,
    isFlagOnly: true,
  },
  format: {
    description: `${LOAD_SETTINGS.format.description} With --to=files: avro, which are containers (the default), or jsonl.`,
    expected: `${VALUE_FORMATS.join(", ")}; with --to=files avro or jsonl`,
    schema: oneOf(...VALUE_FORMATS, ...FILE_FORMATS),
    isFlagOnly: true,
  },
  codec: {
    description: "For Avro files: how blocks are packed; zstandard needs Node 22.15.",
    expected: "null, deflate, snappy or zstandard",
    schema: SINK_SETTINGS.sink_codec.schema,
    default: "snappy",
    isFlagOnly: true,
  },
  files: {
    description: "For --to=files: how many files of each kind; each holds what a partition of a topic would.",
    expected: "a whole number from 1 to 10000",
    schema: wholeNumber(1, 10_000),
    default: "3",
    isFlagOnly: true,
  },
  backfill: {
    description:
      "A day of events that is over, as fast as they can be sent: nothing waits for its time, neither --rate nor delayed payments. --count says how many orders the day has [100000].",
    expected: "true or false",
    schema: yesOrNo,
    default: "false",
    isSwitch: true,
    isFlagOnly: true,
  },
  count: {
    description:
      "Orders; payments and faults come on top. Without it, until Ctrl-C; 100000 in a backfill or to files.",
    expected: "a whole number",
    schema: wholeNumber(0, Number.MAX_SAFE_INTEGER),
    isFlagOnly: true,
  },
  start: {
    description: "Event time of the first order; without it, the clock's.",
    expected: "a time such as 2026-01-31T12:00:00Z",
    schema: timestampMs,
    isFlagOnly: true,
  },
  event_rate: {
    description: "Orders per second of event time; without it, they keep step with --rate.",
    expected: "a number above 0",
    schema: decimal(0.001, 1_000_000),
    isFlagOnly: true,
  },
  compression: {
    description: "Of the batches: none, gzip, snappy, lz4, or zstd (Node 22.15 or newer).",
    expected: COMPRESSIONS.join(", "),
    schema: compression,
    default: "none",
    isFlagOnly: true,
  },
  ...SHARE_SETTINGS,
  ...KAFKA_SETTINGS,
  ...REGISTRY_SETTINGS,
  ...TIME_SETTINGS,
  ...LOG_SETTINGS,
});

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
    description: "Ends by itself after this; without it, at Ctrl-C.",
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
      "Only those from this time on, or from so long ago: of the record for dead letters, created_at for others.",
    expected: "a time such as 2026-01-31T12:00:00Z, or a duration such as 2h",
    schema: timeOrAgo,
    isFlagOnly: true,
  },
  until: {
    description: "Only those before this time, or before so long ago.",
    expected: "a time such as 2026-01-31T12:00:00Z, or a duration such as 2h",
    schema: timeOrAgo,
    isFlagOnly: true,
  },
  limit: {
    description: "How many, at most. Without it 20 are listed, 1000 replayed, and all exported.",
    expected: "a whole number from 1 to 10000000",
    schema: wholeNumber(1, 10_000_000),
    isFlagOnly: true,
  },
  json: {
    description: "A line of JSON for each, for other programs.",
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
    description: "Worker processes beside the first one.",
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
    description: `Only those with this reason: ${REASONS.join(", ")}.`,
    expected: REASONS.join(", "),
    schema: oneOf(...REASONS),
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
    expected: "one or more _ids with commas between them",
    schema: words,
    isFlagOnly: true,
  },
  ...LISTING_SETTINGS,
  file: {
    description:
      "replay: what `export` has written and somebody has edited; keys and values are taken from there.",
    expected: "the path of a file",
    schema: text,
    isFlagOnly: true,
  },
  to_topic: {
    description: "replay: a topic to send to, in place of the one that each came from.",
    expected: "the name of a topic",
    schema: text,
    isFlagOnly: true,
  },
  dry_run: {
    description: "replay: says what would be sent, and sends nothing.",
    expected: "true or false",
    schema: yesOrNo,
    default: "false",
    isSwitch: true,
    isFlagOnly: true,
  },
  rate: {
    description: "replay: records a second, at most.",
    expected: "a number from 0.1 to 100000",
    schema: decimal(0.1, 100_000),
    default: "100",
    isFlagOnly: true,
  },
  anyway: {
    description: "replay: also what would become a dead letter again: LATE, INVALID, …",
    expected: "true or false",
    schema: yesOrNo,
    default: "false",
    isSwitch: true,
    isFlagOnly: true,
  },
  again: {
    description: "replay: also what was replayed before.",
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

export const PAIRS_SETTINGS = settingsTable({
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
    description:
      "The page of the run that is to be asked, such as http://127.0.0.1:4040; its token is UI_TOKEN.",
    expected: "a URL such as http://127.0.0.1:4040",
    schema: httpUrl,
    isFlagOnly: true,
  },
  ui_token: UI_SETTINGS.ui_token,
  state_dir: STATE_SETTINGS.state_dir,
  search: {
    description:
      "How far back to look in Kafka where no event of the order is known; off: Kafka is not asked.",
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
    description: "The folder to write to, which gets the folders joined, unmatched and dead_letters.",
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
    description: "For Avro files: how blocks are packed; zstandard needs Node 22.15.",
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
