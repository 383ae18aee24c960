/** The settings of what sends events: `produce`, and the load of `run-local`. */
import { COMPRESSIONS } from "../../producers/compression.js";
import { DEFAULT_SHARES, type Shares } from "../../producers/shares.js";
import { VALUE_FORMATS } from "../../producers/value_format.js";
import { SINK_SETTINGS } from "../settings/file_settings.js";
import { KAFKA_SETTINGS, LOG_SETTINGS, TIME_SETTINGS } from "../settings/options.js";
import { REGISTRY_SETTINGS } from "../settings/registry_settings.js";
import { type Setting, settingsTable } from "../settings/setting.js";
import {
  compression,
  decimal,
  oneOf,
  text,
  timestampMs,
  wholeNumber,
  yesOrNo,
} from "../settings/setting_values.js";

const FILE_FORMATS = ["avro", "jsonl"] as const;

export const SEED_MAX = 2 ** 32 - 1;

/** The share that each flag sets, and what it is. */
const SHARE_FLAGS = {
  paid_share: ["paid", "Weight of orders with one payment, soon after."],
  multiple_payments_share: ["multiplePayments", "Weight of orders with two or three payments."],
  early_share: ["early", "Weight of orders whose payment comes first."],
  delayed_share: ["delayed", "Weight of orders paid late within the timeout, sometimes at its very end."],
  missing_share: ["missing", "Weight of orders without a payment."],
  orphan_share: ["orphan", "Extra payments without an order, per order."],
  duplicate_share: ["duplicate", "Share of events that are repeated soon."],
  far_duplicate_share: ["farDuplicate", "Share of events that are repeated much later, before they expire."],
  conflict_share: ["conflict", "Share of events that are repeated with another amount."],
  disorder_share: ["disorder", "Share of events that come after newer ones, within the bound."],
  late_share: ["late", "Extra events after their expiry, per order."],
  malformed_share: ["malformed", "Extra values that cannot be read or are invalid, per order."],
  null_value_share: ["nullValue", "Extra messages without a value, per order."],
  json_share: ["json", "Share of events in JSON instead of Avro."],
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
    description: "The same seed generates the same events, also in two processes, one for each topic.",
    expected: `a whole number from 0 to ${SEED_MAX}`,
    schema: wholeNumber(0, SEED_MAX),
    isFlagOnly: true,
  },
  format: {
    description:
      "Format of the events that json_share does not make JSON: confluent (the default with SCHEMA_REGISTRY_URL; the schemas are registered under TOPIC-value), single-object (the default without it), or json.",
    expected: VALUE_FORMATS.join(", "),
    schema: oneOf(...VALUE_FORMATS),
    isFlagOnly: true,
  },
});

const { default: _rate, ...RATE } = LOAD_SETTINGS.rate;

/** Of `produce`, where nothing says otherwise. */
export const PRODUCE_RATE = Number(LOAD_SETTINGS.rate.default);

export const PRODUCE_SETTINGS = settingsTable({
  ...LOAD_SETTINGS,
  rate: {
    ...RATE,
    description: `Messages per second, in real time; 0 is as fast as possible. Default: ${PRODUCE_RATE}; with --count alone 0, and the events get dates whose time has already passed.`,
  },
  to: {
    description:
      "Where to send events: to Kafka's topics, or to files in TO_PATH, for runs with --orders and --payments.",
    expected: "kafka or files",
    schema: oneOf("kafka", "files"),
    default: "kafka",
    isFlagOnly: true,
  },
  to_path: {
    description: "For --to=files: the folder; it gets the folders orders and payments.",
    expected: "the path of a folder",
    schema: text,
    isFlagOnly: true,
  },
  format: {
    description: `${LOAD_SETTINGS.format.description} With --to=files: avro containers (the default), or jsonl.`,
    expected: `${VALUE_FORMATS.join(", ")}; with --to=files avro or jsonl`,
    schema: oneOf(...VALUE_FORMATS, ...FILE_FORMATS),
    isFlagOnly: true,
  },
  codec: {
    description: "For Avro files: how blocks are compressed; zstandard needs Node 22.15.",
    expected: "null, deflate, snappy or zstandard",
    schema: SINK_SETTINGS.sink_codec.schema,
    default: "snappy",
    isFlagOnly: true,
  },
  files: {
    description:
      "For --to=files: the number of files of each kind; each holds what a partition of a topic would.",
    expected: "a whole number from 1 to 10000",
    schema: wholeNumber(1, 10_000),
    default: "3",
    isFlagOnly: true,
  },
  backfill: {
    description:
      "Send a past day of events as fast as possible, without waiting for --rate or for delayed payments. --count is the day's number of orders [100000].",
    expected: "true or false",
    schema: yesOrNo,
    default: "false",
    isSwitch: true,
    isFlagOnly: true,
  },
  count: {
    description:
      "Number of orders; payments and faults are extra. Without it, until Ctrl-C; 100000 in a backfill or to files.",
    expected: "a whole number",
    schema: wholeNumber(0, Number.MAX_SAFE_INTEGER),
    isFlagOnly: true,
  },
  start: {
    description: "Event time of the first order; without it, now.",
    expected: "a time such as 2026-01-31T12:00:00Z",
    schema: timestampMs,
    isFlagOnly: true,
  },
  event_rate: {
    description: "Orders per second of event time; without it, as --rate says.",
    expected: "a number above 0",
    schema: decimal(0.001, 1_000_000),
    isFlagOnly: true,
  },
  compression: {
    description: "Compression of the batches: none, gzip, snappy, lz4, or zstd (Node 22.15 or newer).",
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
