/** `produce`: sends made-up orders and payments, with all the faults that real ones have. */

import { systemClock } from "@order-payment-stream/beam/io";
import { type ProduceOptions, produce as send } from "../../producers/producer.js";
import { ProgressLine } from "../../producers/progress.js";
import { VALUE_FORMATS, type ValueFormat } from "../../producers/value_format.js";
import { eventTypes } from "../../schemas/avro_types.js";
import { CLIENT_ID, kafkaSecurity } from "../connections.js";
import { createLog, type Log } from "../report/log.js";
import { Terminal } from "../report/terminal.js";
import type { KafkaSettings } from "../settings/options.js";
import { SettingsError } from "../settings/read_settings.js";
import type { RegistrySettings } from "../settings/registry_settings.js";
import type { SettingsOf } from "../settings/setting.js";
import { unlessAborted, watchInterrupts } from "./interrupts.js";
import { PRODUCE_RATE, type PRODUCE_SETTINGS, SEED_MAX, sharesOf } from "./load_options.js";
import { briefRegistry, connectBriefly } from "./preflight.js";

/** Resolves with the exit code: 0 also after Ctrl-C. */
export async function produce(
  settings: SettingsOf<typeof PRODUCE_SETTINGS>,
  which: ProduceOptions["which"],
): Promise<number> {
  const log = createLog(settings.log_level, new Terminal());
  const { signal } = watchInterrupts();
  if (settings.to === "files") return produceToFiles(settings, which, log, signal);
  // An unreachable broker or a refused login is told in the words that `run` has for it.
  await unlessAborted(
    signal,
    connectBriefly(settings, log).then((client) => client.close()),
  );
  const format = await unlessAborted(signal, valueFormat(settings, which));
  const seed = settings.seed ?? randomSeed();
  log.info("producing", { which, seed, format: format.name, to: settings.kafka_bootstrap.join(",") });
  if (isPast(settings)) {
    log.info(
      "the events get dates whose time has already passed, and are sent as fast as possible; a run that has reached the present treats them as LATE. With --rate=500 they are sent in real time, delayed payments included",
    );
  }
  const progress = new ProgressLine(`produce ${which}`);
  try {
    const summary = await send({
      ...producerOptions(settings),
      which,
      seed,
      valueFormat: format,
      ...loadOf(settings, settings.backfill ? BACKFILL_ORDERS : Number.POSITIVE_INFINITY),
      compression: settings.compression,
      signal,
      onProgress: (figures) => progress.update(figures),
    });
    progress.end(summary);
    return 0;
  } catch (error) {
    if (error instanceof RangeError) throw new SettingsError([error.message]);
    throw error;
  }
}

/** A day of a little more than one order a second. */
const BACKFILL_ORDERS = 100_000;

type ProduceSettings = SettingsOf<typeof PRODUCE_SETTINGS>;

/** A count alone is of events that are over: whoever wants some does not want to wait for the delayed ones. */
function isPast({ count, rate, start, event_rate, to }: ProduceSettings): boolean {
  return (
    count !== undefined &&
    rate === undefined &&
    start === undefined &&
    event_rate === undefined &&
    to === "kafka"
  );
}

function loadOf(settings: ProduceSettings, countWithout: number) {
  return {
    count: settings.count ?? countWithout,
    rate: settings.rate ?? (isPast(settings) ? 0 : PRODUCE_RATE),
    startMs: settings.start,
    eventRatePerSecond: settings.event_rate,
    isBackfill: settings.backfill,
    shares: sharesOf(settings),
    outOfOrdernessMs: settings.max_out_of_orderness,
    timeoutMs: settings.state_timeout_minutes,
  };
}

async function produceToFiles(
  settings: ProduceSettings,
  which: ProduceOptions["which"],
  log: Log,
  signal: AbortSignal,
): Promise<number> {
  const { to_path: folder, format = "avro", codec, files } = settings;
  if (folder === undefined)
    throw new SettingsError(["--to_path is not set: expected the path of a folder, because of --to=files"]);
  if (format !== "avro" && format !== "jsonl") {
    throw new SettingsError([`--format is "${format}": expected avro or jsonl, because of --to=files`]);
  }
  const seed = settings.seed ?? randomSeed();
  log.info("producing", { which, seed, to: folder, format });
  const startMs = systemClock.elapsed();
  const { produceFiles } = await import("../../producers/event_files.js");
  const load = loadOf(settings, BACKFILL_ORDERS);
  const { leftOut, ...summary } = await produceFiles({
    ...load,
    folder,
    format,
    codec,
    files,
    which,
    seed,
    signal,
  });
  log.info("produced", {
    ...summary,
    // Those without a value, and in Avro those that are no Avro.
    ...(leftOut > 0 && { leftOut }),
    seconds: Math.round((systemClock.elapsed() - startMs) / 100) / 10,
  });
  return 0;
}

/** Brokers and topics. */
export function producerOptions(settings: KafkaSettings): Pick<ProduceOptions, "kafka" | "topics"> {
  const { sasl, ssl } = kafkaSecurity(settings);
  return {
    kafka: {
      clientId: CLIENT_ID,
      brokers: [...settings.kafka_bootstrap],
      ...(ssl !== undefined && { ssl }),
      ...(sasl !== undefined && { sasl: sasl as NonNullable<ProduceOptions["kafka"]["sasl"]> }),
    },
    topics: { orders: settings.kafka_order_topic, payments: settings.kafka_payment_topic },
  };
}

/**
 * What the events are written in. For Confluent's frame the schemas are registered, under the names that its own
 * serializers have for them.
 * @throws SchemaRegistryError, SettingsError
 */
export async function valueFormat(
  settings: KafkaSettings &
    RegistrySettings & { readonly format: ValueFormat["name"] | "avro" | "jsonl" | undefined },
  which: ProduceOptions["which"],
): Promise<ValueFormat> {
  const registry = briefRegistry(settings);
  const name = settings.format ?? (registry === undefined ? "single-object" : "confluent");
  if (name === "avro" || name === "jsonl") {
    throw new SettingsError([`--format is "${name}": expected ${VALUE_FORMATS.join(", ")}, or --to=files`]);
  }
  if (name !== "confluent") return { name };
  if (registry === undefined) {
    throw new SettingsError([
      "SCHEMA_REGISTRY_URL (--schema_registry_url) is not set: expected the schema registry, because of --format=confluent",
    ]);
  }
  const register = (kind: "order" | "payment"): Promise<number> =>
    registry.register(`${settings[`kafka_${kind}_topic`]}-value`, eventTypes[kind].schema);
  const order = which === "payments" ? 0 : await register("order");
  const payment = which === "orders" ? 0 : await register("payment");
  return { name, schemaIds: { order, payment } };
}

/** Another one each time, so that two runs do not send two versions of one order. */
export function randomSeed(): number {
  return Math.floor(Math.random() * SEED_MAX);
}
