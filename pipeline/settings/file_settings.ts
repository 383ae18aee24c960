/** Settings of runs over files: where events come from, where they go on in Kafka, and where results go. */
import { AVRO_CODECS, isAvroCodec, parseGlob, whyNoCodec } from "@order-payment-stream/files";

import { readsKafka, type Seam } from "../read_events.js";
import type { Problem } from "./read_settings.js";
import { settingsTable } from "./setting.js";
import { durationMs, oneOf, parsed, startPoint } from "./setting_values.js";

/** A pattern of paths. */
const filePattern = parsed((value) => {
  parseGlob(value);
  return value || undefined;
});

/** A start point, or `topic:partition:offset` with commas between them. */
const seam = parsed((value): Seam | undefined => {
  const named = startPoint.safeParse(value);
  if (named.success) return named.data;
  const offsets: Record<string, Record<string, number>> = {};
  for (const part of value.split(",")) {
    const [, topic, partition, offset] = /^\s*([\w.-]+):(\d+):(\d+)\s*$/.exec(part) ?? [];
    if (topic === undefined || !Number.isSafeInteger(Number(offset))) return undefined;
    offsets[topic] ??= {};
    offsets[topic][partition!] = Number(offset);
  }
  return { offsetsByTopic: offsets };
});

export const FILE_INPUT_SETTINGS = settingsTable({
  orders: {
    description:
      "Files of orders, instead of the topic: Avro containers or JSON lines, also with .gz. Patterns may have *, ?, **, [a-z] and {one,other}.",
    expected: "a path or a pattern such as history/orders-*.avro or gs://bucket/orders/**",
    schema: filePattern,
    isFlagOnly: true,
  },
  payments: {
    description: "The same for payments.",
    expected: "a path or a pattern such as history/payments-*.avro or gs://bucket/payments/**",
    schema: filePattern,
    isFlagOnly: true,
  },
  then_kafka_from: {
    description:
      "After the files, continue in the topics from here: from a time that is well before the end of the files, from earliest, group or latest, or from offsets. An event that is in both counts once.",
    expected:
      "a time such as 2026-01-31T12:00:00Z, earliest, latest, group, or topic:partition:offset, separated by commas",
    schema: seam,
    isFlagOnly: true,
  },
  bad_files: {
    description:
      "What to do with truncated or damaged files and blocks: fail names the file, the offset and the reason; skip makes them dead letters and reads the rest.",
    expected: "fail or skip",
    schema: oneOf("fail", "skip"),
    default: "fail",
  },
});

export const SINK_SETTINGS = settingsTable({
  sink: {
    description: "Where to write results: MongoDB, files in SINK_PATH, or stdout as JSON lines.",
    expected: "mongodb, avro, jsonl or stdout",
    schema: oneOf("mongodb", "avro", "jsonl", "stdout"),
    default: "mongodb",
  },
  sink_path: {
    description:
      "For avro and jsonl: the folder; it gets the folders joined, unmatched and dead_letters, which must not hold files of another run.",
    expected: "the path of a folder, or gs://bucket/prefix",
    schema: parsed((value) => value.replace(/(?<=.)\/+$/, "") || undefined),
  },
  sink_codec: {
    description: "For avro: how blocks are compressed; zstandard needs Node 22.15.",
    expected: AVRO_CODECS.join(", "),
    schema: parsed((value) => {
      if (!isAvroCodec(value)) return undefined;
      const why = whyNoCodec(value);
      if (why !== undefined) throw new Error(why);
      return value;
    }),
    default: "snappy",
  },
  sink_interval: {
    description:
      "For avro and jsonl in a continuous run: a file is written when it reaches 16 MiB, or after this time.",
    expected: "a duration of a second or more, such as 60 (seconds) or 5m",
    schema: durationMs(1_000),
    default: "60s",
  },
});

export const FILE_SETTINGS = settingsTable({ ...FILE_INPUT_SETTINGS, ...SINK_SETTINGS });

interface FileSettings {
  readonly orders?: string | undefined;
  readonly payments?: string | undefined;
  readonly then_kafka_from?: Seam | undefined;
  readonly sink?: "mongodb" | "avro" | "jsonl" | "stdout";
  readonly sink_path?: string | undefined;
  readonly runner?: string;
  readonly bounded?: boolean;
  readonly drain?: string | undefined;
  readonly state_dir?: string | undefined;
}

/** Whether any topic is read. */
export function needsKafka({ orders, payments, then_kafka_from }: FileSettings): boolean {
  return readsKafka({ orderFiles: orders, paymentFiles: payments, seam: then_kafka_from });
}

export const needsMongo = ({ sink }: FileSettings): boolean => sink === "mongodb";

/** Files have an end, so a run that reads nothing else has one, too. */
export function withEnd<S extends FileSettings & { readonly bounded: boolean }>(settings: S): S {
  return needsKafka(settings) ? settings : { ...settings, bounded: true };
}

export function fileProblems(settings: FileSettings): Problem[] {
  const { orders, payments, then_kafka_from: then, sink, sink_path: path, runner } = settings;
  const problems: Problem[] = [];
  const add = (name: string, words: string): void => void problems.push({ name, text: words });
  if ("orders" in settings && then !== undefined && orders === undefined && payments === undefined) {
    add(
      "then_kafka_from",
      "is set without files to go on from: expected --orders, --payments or both with it",
    );
  }
  const writesFiles = sink === "avro" || sink === "jsonl";
  if (writesFiles && path === undefined && "sink_path" in settings) {
    add("sink_path", `is not set: expected ${SINK_SETTINGS.sink_path.expected}, because of SINK=${sink}`);
  }
  if (sink === "stdout" && runner !== undefined && runner !== "direct") {
    add("sink", `is "stdout", but on ${runner} it is workers that write: expected mongodb, avro or jsonl`);
  }
  if (writesFiles && settings.drain === "keep" && withBound(settings) && settings.state_dir === undefined) {
    add("drain", 'is "keep" without STATE_DIR: what is not in a file yet at the end would be kept nowhere');
  }
  if (runner === "dataflow") {
    for (const [name, value] of Object.entries({ orders, payments, sink_path: path })) {
      if (value === undefined || value.startsWith("gs://")) continue;
      add(name, `is ${JSON.stringify(value)}, which workers on Dataflow do not see: expected gs://bucket/…`);
    }
  }
  return problems;
}

function withBound(settings: FileSettings): boolean {
  return settings.bounded === true || !needsKafka(settings);
}
