/** `produce`: sends made-up orders and payments, with all the faults that real ones have. */

import { type ProduceOptions, produce as send } from "../../producers/producer.js";
import { ProgressLine } from "../../producers/progress.js";
import type { ValueFormat } from "../../producers/value_format.js";
import { eventTypes } from "../../schemas/avro_types.js";
import { CLIENT_ID, kafkaSecurity } from "../connections.js";
import { createLog } from "../report/log.js";
import { Terminal } from "../report/terminal.js";
import type { KafkaSettings } from "../settings/options.js";
import { SettingsError } from "../settings/read_settings.js";
import type { RegistrySettings } from "../settings/registry_settings.js";
import type { SettingsOf } from "../settings/setting.js";
import { type PRODUCE_SETTINGS, SEED_MAX, sharesOf } from "./command_options.js";
import { unlessAborted, watchInterrupts } from "./interrupts.js";
import { briefRegistry, connectBriefly } from "./preflight.js";

/** Resolves with the exit code: 0 also after Ctrl-C. */
export async function produce(
  settings: SettingsOf<typeof PRODUCE_SETTINGS>,
  which: ProduceOptions["which"],
): Promise<number> {
  const log = createLog(settings.log_level, new Terminal());
  const { signal } = watchInterrupts();
  // An unreachable broker or a refused login is told in the words that `run` has for it.
  await unlessAborted(
    signal,
    connectBriefly(settings, log).then((client) => client.close()),
  );
  const format = await unlessAborted(signal, valueFormat(settings, which));
  const seed = settings.seed ?? randomSeed();
  log.info("producing", { which, seed, format: format.name, to: settings.kafka_bootstrap.join(",") });
  const progress = new ProgressLine(`produce ${which}`);
  try {
    const summary = await send({
      ...producerOptions(settings),
      which,
      seed,
      format,
      count: settings.count ?? Number.POSITIVE_INFINITY,
      rate: settings.rate,
      startMs: settings.start,
      eventRatePerSecond: settings.event_rate,
      shares: sharesOf(settings),
      outOfOrdernessMs: settings.max_out_of_orderness,
      timeoutMs: settings.state_timeout_minutes,
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
  settings: KafkaSettings & RegistrySettings & { readonly format: ValueFormat["name"] | undefined },
  which: ProduceOptions["which"],
): Promise<ValueFormat> {
  const registry = briefRegistry(settings);
  const name = settings.format ?? (registry === undefined ? "single-object" : "confluent");
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
