/**
 * `check`: tries all that `run` would use, as it would use it, and says of each in one line that it works, or what is wrong
 * and what to do. Nothing is written: no record, no document, no index. Of each topic the last record of a partition is
 * read, which shows the rights and whether values are understood.
 */

import { maskAddress, systemClock } from "@order-payment-stream/beam/io";
import {
  type KafkaClient,
  NotReady,
  type RecordDecoder,
  Rejected,
  registerSchemaRegistry,
} from "@order-payment-stream/kafka";
import { type CollectionPlan, connectMongo, prepareCollections } from "@order-payment-stream/mongodb";
import type { DeadLetter } from "../../transforms/dead_letter.js";
import { ORDER_DECODER, PAYMENT_DECODER } from "../../transforms/decode.js";
import { CLIENT_ID, registryConfig } from "../connections.js";
import { SCHEMA_REGISTRY } from "../graph.js";
import { createLog, type Log } from "../report/log.js";
import { print } from "../report/standard_output.js";
import { formatCount } from "../report/summary.js";
import { Terminal } from "../report/terminal.js";
import { needsKafka, needsMongo } from "../settings/file_settings.js";
import type { SettingsOf } from "../settings/setting.js";
import { variableOf } from "../settings/setting.js";
import { explain } from "./command.js";
import type { CHECK_SETTINGS } from "./command_options.js";
import { EXIT_FAILED } from "./exit_codes.js";
import { unlessAborted, watchInterrupts } from "./interrupts.js";
import { briefRegistry, collectionPlans, connectBriefly, topicSettings, withAdvice } from "./preflight.js";

type CheckSettings = SettingsOf<typeof CHECK_SETTINGS>;

/** `note`: it works, and there is something to know. */
type Verdict = "ok" | "note" | "wrong";

interface Finding {
  readonly what: string;
  readonly verdict: Verdict;
  readonly text: string;
}

/** What is said of a thing that works; a text alone is an `ok`. */
type Good = string | { readonly note: string };

/** Of the whole command, from the start of the process: whoever waits is at the keyboard. */
const DEADLINE_MS = 8_000;
/** On a machine that takes long to start anything, there is still so much. */
const DEADLINE_MIN_MS = 6_000;
/** Of one record that is read and decoded. */
const RECORD_MAX_MS = 4_000;
const MIN_WATERMARK = Number.MIN_SAFE_INTEGER;
const WHAT_WIDTH = 12;

/** Resolves with the exit code: 0 when all works, 1 when something is wrong. */
export async function check(settings: CheckSettings): Promise<number> {
  const log = createLog("silent", new Terminal());
  const { signal } = watchInterrupts();
  const find = findUntilDeadline();
  const findings = await unlessAborted(
    signal,
    Promise.all([
      needsKafka(settings) ? checkKafka(settings, log, find) : [],
      needsKafka(settings) ? checkRegistry(settings, find) : [],
      needsMongo(settings) ? checkMongodb(settings, find) : [],
    ]),
  );
  const all = findings.flat();
  await print(all.map(lineOf).join("\n"));
  return all.some(({ verdict }) => verdict === "wrong") ? EXIT_FAILED : 0;
}

function lineOf({ what, verdict, text }: Finding): string {
  return `${verdict.padEnd(6)} ${what.padEnd(WHAT_WIDTH)} ${text.replace(/\s*\n\s*/g, "; ")}`;
}

/** Tries something. @param name stands in front of a failure that does not name it */
type Find = (what: string, attempt: () => Promise<Good>, name?: string) => Promise<Finding>;

/** For all that is tried from now on, until the deadline. */
function findUntilDeadline(): Find {
  const waitMs = Math.max(DEADLINE_MIN_MS, DEADLINE_MS - process.uptime() * 1_000);
  const endsAtMs = systemClock.elapsed() + waitMs;
  return async (what, attempt, name = "") => {
    let cancel = (): void => undefined;
    const late = new Promise<never>((_, reject) => {
      cancel = systemClock.schedule(endsAtMs - systemClock.elapsed(), () =>
        reject(new Error(`no answer within ${Math.round(waitMs / 1_000)} s`)),
      );
    });
    try {
      const good = await Promise.race([attempt(), late]);
      return typeof good === "string"
        ? { what, verdict: "ok", text: good }
        : { what, verdict: "note", text: good.note };
    } catch (error) {
      const text = explain(error);
      return { what, verdict: "wrong", text: text.includes(name) ? text : `${name}: ${text}` };
    } finally {
      cancel();
    }
  };
}

async function checkKafka(settings: CheckSettings, log: Log, find: Find): Promise<Finding[]> {
  let client: KafkaClient | undefined;
  const brokers = settings.kafka_bootstrap.join(", ");
  const connect = async (): Promise<Good> => {
    client = await connectBriefly(settings, log);
    return `answers at ${brokers} (${loginText(settings)})`;
  };
  const kafka = await find("Kafka", connect, brokers);
  if (client === undefined) return [kafka];
  const connected = client;
  try {
    const registry = registryConfig(settings);
    if (registry !== undefined)
      registerSchemaRegistry(SCHEMA_REGISTRY, { ...registry, logger: log, retryMaxMs: 1 });
    const topics = await Promise.all(
      topicSettings(settings).map((name) =>
        find(
          "topic",
          () => withAdvice(name, settings, () => topicText(connected, name, settings)),
          settings[name],
        ),
      ),
    );
    return [kafka, ...topics, await find("group", () => groupText(connected, settings))];
  } finally {
    await connected.close();
  }
}

function loginText(settings: CheckSettings): string {
  const { kafka_security_protocol: protocol, kafka_sasl_mechanism: mechanism } = settings;
  const certificate = settings.kafka_ssl_cert_file === undefined ? "" : ", with a client certificate";
  return `${protocol}${protocol.startsWith("SASL_") ? ` by ${mechanism}` : ""}${certificate}`;
}

async function topicText(
  client: KafkaClient,
  name: "kafka_order_topic" | "kafka_payment_topic",
  settings: CheckSettings,
): Promise<Good> {
  const topic = settings[name];
  const [starts, ends] = await Promise.all([client.offsets(topic, "earliest"), client.offsets(topic, "end")]);
  const lengths = [...ends].map(([partition, end]) => ({
    partition,
    length: end - (starts.get(partition) ?? 0),
  }));
  const records = lengths.reduce((sum, { length }) => sum + length, 0);
  const { partition } = lengths.reduce((most, each) => (each.length > most.length ? each : most));
  const what = `${topic}: ${lengths.length} partitions, ${formatCount(records)} offsets`;
  const decoder = (name === "kafka_order_topic" ? ORDER_DECODER : PAYMENT_DECODER).create({
    timeoutMs: settings.state_timeout_minutes,
    maxAheadOfClockMs: settings.max_ahead_of_clock,
    ...(settings.schema_registry_url !== undefined && { schemaRegistry: SCHEMA_REGISTRY }),
    ...(settings.avro_writer_schemas !== undefined && { writerSchemas: settings.avro_writer_schemas }),
  });
  const last = await lastRecord(client, topic, partition, ends.get(partition)! - 1, decoder);
  return typeof last === "string" ? `${what}, ${last}` : { note: `${what}, but ${last.note}` };
}

/** Reads what is at an offset, or behind it; whatever comes, it shows that we may. */
async function lastRecord(
  client: KafkaClient,
  topic: string,
  partition: number,
  offset: number,
  decoder: RecordDecoder<unknown, unknown>,
): Promise<Good> {
  let onData = (): void => undefined;
  let mayStop = false;
  const cancel = systemClock.schedule(RECORD_MAX_MS, () => {
    mayStop = true;
    onData();
  });
  await decoder.setup?.();
  const subscription = client.subscribe(topic, partition, Math.max(0, offset), () => onData());
  try {
    for (;;) {
      const news = new Promise<void>((resolve) => {
        onData = resolve;
      });
      const records = subscription.take(1);
      if (records?.next()) {
        const decoded = decoder.decode(
          records,
          { topic, partition, log: "" },
          MIN_WATERMARK,
          systemClock.now(),
        );
        if (decoded instanceof Rejected)
          return refusal(decoded.report as DeadLetter, partition, records.offset);
        if (!(decoded instanceof NotReady))
          return `and the last record of partition ${partition} can be decoded`;
        records.unread();
        decoded.onReady(onData);
      } else if (subscription.error !== undefined) throw subscription.error;
      else if (subscription.caughtUpAtMs !== undefined) return "readable";
      if (mayStop)
        throw new Error(`${topic}[${partition}] gives no record within ${RECORD_MAX_MS / 1_000} s`);
      await news;
    }
  } finally {
    cancel();
    subscription.close();
    await decoder.teardown?.();
  }
}

function refusal({ reason, message }: DeadLetter, partition: number, offset: number): Good {
  return {
    note: `the record at offset ${offset} of partition ${partition} would be a dead letter, ${reason}: ${message}`,
  };
}

async function groupText(client: KafkaClient, settings: CheckSettings): Promise<Good> {
  const { kafka_group_id: group } = settings;
  try {
    await client.committedOffsets(group, settings.kafka_order_topic);
    return `${group} (KAFKA_GROUP_ID): its offsets may be read`;
  } catch (error) {
    const isNeeded = settings.kafka_start === "group";
    if (isNeeded) throw error;
    return { note: `${group} (KAFKA_GROUP_ID): ${explain(error)}; only lag tools need it` };
  }
}

async function checkRegistry(settings: CheckSettings, find: Find): Promise<Finding[]> {
  const registry = briefRegistry(settings);
  if (registry === undefined) return [];
  const urls = settings.schema_registry_url!.join(", ");
  return [
    await find("registry", async () => {
      await registry.check();
      return `answers at ${urls}`;
    }),
  ];
}

async function checkMongodb(settings: CheckSettings, find: Find): Promise<Finding[]> {
  const { mongodb_uri: uri, mongodb_database: database } = settings;
  let client: Awaited<ReturnType<typeof connectMongo>> | undefined;
  const mongodb = await find("MongoDB", async () => {
    client = await connectMongo(uri, { appName: CLIENT_ID });
    const { version } = await client.db("admin").command({ buildInfo: 1 });
    return `answers at ${maskAddress(uri)} (version ${version})`;
  });
  if (client === undefined) return [mongodb];
  const db = client.db(database);
  const collections = await Promise.all(
    collectionPlans(settings).map((plan) =>
      find("collection", async (): Promise<Good> => {
        const what = `${database}.${plan.collection} (${variableOf(nameOf(plan))})`;
        const notes = await prepareCollections(db, [plan], { isDryRun: true });
        return notes.length === 0 ? `${what} can be written` : { note: notes.join("; ") };
      }),
    ),
  );
  await client.close();
  return [mongodb, ...collections];
}

function nameOf({ setting, collection }: CollectionPlan): string {
  return setting ?? collection;
}
