/**
 * What the settings of a run may be on a state that another run has written. Most may be anything; those of FIXED must
 * be what they were, and a change of those of TOLD is told. What they were is a record of the state.
 */
import { ByteReader, ByteWriter } from "@order-payment-stream/beam";
import type { Store } from "@order-payment-stream/beam/direct";
import { recordedTopic } from "@order-payment-stream/beam/direct";

import { CommandError } from "../commands/command.js";
import type { Log } from "../report/log.js";
import type { RunSettings } from "./options.js";
import { variableOf } from "./setting.js";

export const SETTINGS_TABLE = "run/settings";

/** The state holds offsets of these topics. Value: the step that reads the topic. */
const FIXED = {
  kafka_order_topic: "ReadOrders/ReadPartitions",
  kafka_payment_topic: "ReadPayments/ReadPartitions",
} as const;

const ELSEWHERE = "what was written before stays where it is";
const FROM_NOW_ON = "the new value counts from now on, also for events that wait";

/** Value: what a change means. */
const TOLD = {
  state_timeout_minutes: FROM_NOW_ON,
  max_out_of_orderness: "the new value counts from now on",
  mongodb_database: ELSEWHERE,
  mongodb_collection: ELSEWHERE,
  mongodb_unmatched_collection: ELSEWHERE,
  mongodb_dead_letter_collection: ELSEWHERE,
} as const;

type FixedName = keyof typeof FIXED;
type KeptName = FixedName | keyof typeof TOLD;
export type KeptSettings = Pick<RunSettings, KeptName>;

/**
 * Compares the settings with those that the state was written with, and tells what has changed.
 * @returns what records the settings, to be called within a commit
 * @throws CommandError for a setting that must not change
 */
export function checkKeptSettings(settings: KeptSettings, store: Store, log: Log): () => void {
  const present = textsOf(settings);
  const recorded = recordedSettings(store);
  const refused = (Object.keys(FIXED) as FixedName[]).filter((name) =>
    isOther(recorded.get(name), present[name]),
  );
  if (refused.length > 0) {
    const changes = refused.map(
      (name) => `${variableOf(name)} was ${recorded.get(name)} and is ${present[name]}`,
    );
    throw new CommandError(
      `${changes.join(", ")}, but the state holds offsets of the topic that it was written from: ` +
        "set it back, or start with another STATE_DIR",
    );
  }
  for (const [name, meaning] of Object.entries(TOLD) as [keyof typeof TOLD, string][]) {
    const was = recorded.get(name);
    if (!isOther(was, present[name])) continue;
    log.warn(`${variableOf(name)} was ${was} and is ${present[name]}: ${meaning}`);
  }
  return () => save(present, store);
}

function isOther(recorded: string | undefined, present: string): boolean {
  return recorded !== undefined && recorded !== present;
}

function textsOf(settings: KeptSettings): Record<KeptName, string> {
  return {
    kafka_order_topic: settings.kafka_order_topic,
    kafka_payment_topic: settings.kafka_payment_topic,
    state_timeout_minutes: String(settings.state_timeout_minutes / 60_000),
    max_out_of_orderness: `${settings.max_out_of_orderness}ms`,
    mongodb_database: settings.mongodb_database,
    mongodb_collection: settings.mongodb_collection,
    mongodb_unmatched_collection: settings.mongodb_unmatched_collection,
    mongodb_dead_letter_collection: settings.mongodb_dead_letter_collection,
  };
}

/** By name. A state that was written before settings were recorded knows its topics only. */
/** Those of the last run on a state, by name, as somebody would write them. */
export function recordedSettings(store: Pick<Store, "table">): ReadonlyMap<string, string> {
  const table = store.table(SETTINGS_TABLE);
  const [key, value] = [new ByteReader(), new ByteReader()];
  const recorded = new Map<string, string>();
  for (const [name, step] of Object.entries(FIXED)) {
    const topic = recordedTopic(store, step);
    if (topic !== undefined) recorded.set(name, topic);
  }
  table.forEach((address) => {
    table.readKey(address, key);
    table.readValue(address, value);
    recorded.set(key.readUtf8(key.remaining), value.readUtf8(value.remaining));
  });
  return recorded;
}

function save(texts: Readonly<Record<string, string>>, store: Store): void {
  const table = store.table(SETTINGS_TABLE);
  for (const [name, text] of Object.entries(texts)) {
    const [key, value] = [new ByteWriter(64), new ByteWriter(64)];
    key.writeUtf8(name);
    value.writeUtf8(text);
    table.put(key, value);
  }
}
