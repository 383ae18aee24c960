/** What the page asks of the program: see monitor/actions.ts. */
import { maskAddress, systemClock } from "@order-payment-stream/beam/io";
import type { MongoClient } from "mongodb";
import { type Actions, BadRequest, type Logs, type Setting as ShownSetting } from "../../monitor/actions.js";
import { nameOf, slowestPartition } from "../../monitor/state_sentence.js";
import { connectBriefly } from "../commands/preflight.js";
import { kafkaConfig } from "../connections.js";
import {
  findLetters,
  type LetterDocument,
  type LetterFilter,
  letterView,
  mongoFilter,
  type Topics,
} from "../dead_letters/letters.js";
import { type ReplayContext, replay } from "../dead_letters/replay.js";
import { explain } from "../explain/explain.js";
import { LOG_LEVELS, type RunLog } from "../report/log.js";
import { RUN_SETTINGS, type RunSettings } from "../settings/options.js";
import type { ReadSettings } from "../settings/read_settings.js";
import { type Setting, shown, variableOf } from "../settings/setting.js";
import { timeOrAgo } from "../settings/setting_values.js";
import type { RunWatch } from "./run_watch.js";

/** Of one question or one replay from the page; the command line takes more. */
const LETTERS_MAX = 500;
const LETTERS_SHOWN = 50;
const REPLAYED_MAX = 10_000;
const REPLAY_RATE = 200;
const HELD_MIN_MS = 5_000;

export interface PageContext {
  readonly settings: RunSettings;
  readonly read: Pick<ReadSettings<typeof RUN_SETTINGS>, "texts" | "origins">;
  readonly log: RunLog;
  readonly watch: RunWatch;
  readonly mongo: () => Promise<MongoClient>;
}

export function pageActions(context: PageContext): Actions {
  const { log } = context;
  const logs = (): Logs => ({ level: log.level, lines: log.tail() });
  return {
    settings: () => shownSettings(context),
    logs,
    setLogLevel(level) {
      const known = LOG_LEVELS.find((one) => one === level);
      if (known === undefined) throw new BadRequest(`expected one of ${LOG_LEVELS.join(", ")}`);
      log.level = known;
      return logs();
    },
    explain: (orderId) => explainFromRun(orderId, context),
    deadLetters: (filter) => listLetters(filter, context),
    replay: (request) => replayFromPage(request, context),
  };
}

/** As they are in effect. */
function shownSettings({ settings, read }: PageContext): ShownSetting[] {
  return Object.entries<Setting>(RUN_SETTINGS).flatMap(([name, setting]) => {
    const text = read.texts.get(name);
    const origin = read.origins.get(name);
    if (origin === undefined) return [];
    const inEffect = inEffectInstead(name, settings);
    return [
      {
        name: setting.isFlagOnly ? `--${name}` : variableOf(name),
        value: inEffect ?? (text === undefined ? "" : shown(text, setting).replace(/^"(.*)"$/, "$1")),
        origin: inEffect === undefined ? origin : "run-local",
      },
    ];
  });
}

/** What `run-local` has brought up is not what was written. */
function inEffectInstead(name: string, settings: RunSettings): string | undefined {
  if (settings.runner !== "direct") return undefined;
  if (name === "kafka_bootstrap") return settings.kafka_bootstrap.map(maskAddress).join(",");
  if (name === "mongodb_uri") return maskAddress(settings.mongodb_uri);
  return name === "state_dir" ? settings.state_dir : undefined;
}

function explainFromRun(orderId: string, { settings, watch, mongo, log }: PageContext): Promise<unknown> {
  if (orderId === "") throw new BadRequest("name an order_id");
  const observation = watch.observe();
  const { joinWatermarkMs, atMs } = observation;
  // One of several that are as far as they can be holds nothing.
  const isHeld =
    joinWatermarkMs !== undefined && atMs - joinWatermarkMs > settings.max_out_of_orderness + HELD_MIN_MS;
  const slowest = isHeld ? slowestPartition(observation) : undefined;
  const { store } = watch;
  return explain(orderId, {
    settings,
    database: async () => (await mongo()).db(settings.mongodb_database),
    kafka: () => connectBriefly(settings, log),
    state: store && { store, from: "the running process" },
    watermark: {
      atMs: joinWatermarkMs ?? null,
      heldBy: slowest === undefined ? null : nameOf(slowest),
    },
    positions: observation.partitions,
    searchMs: settings.state_timeout_minutes + settings.max_out_of_orderness + 60 * 60_000,
  });
}

async function lettersOf({ settings, mongo }: PageContext) {
  return (await mongo())
    .db(settings.mongodb_database)
    .collection<LetterDocument>(settings.mongodb_dead_letter_collection);
}

const topicsOf = (settings: RunSettings): Topics => ({
  orders: settings.kafka_order_topic,
  payments: settings.kafka_payment_topic,
});

async function listLetters(fields: Readonly<Record<string, string>>, context: PageContext): Promise<unknown> {
  const collection = await lettersOf(context);
  const filter = filterFrom(fields);
  const limit = numberFrom(fields.limit, LETTERS_SHOWN, LETTERS_MAX);
  const letters = [];
  for await (const letter of findLetters(collection, filter, limit)) {
    letters.push(letterView(letter, topicsOf(context.settings)));
  }
  const counts = await collection
    .aggregate<{ _id: string; count: number }>([
      { $match: mongoFilter(filter) },
      { $group: { _id: "$reason", count: { $sum: 1 } } },
    ])
    .toArray();
  return { letters, counts: Object.fromEntries(counts.map(({ _id, count }) => [_id, count])) };
}

async function replayFromPage(body: object, context: PageContext): Promise<unknown> {
  const { watch, log } = context;
  const fields = body as Record<string, unknown>;
  const filter = filterFrom(textsOf(fields.filter));
  const ids = Array.isArray(fields.ids) ? fields.ids.map(String) : undefined;
  const isDryRun = fields.dryRun !== false;
  const result = await replay(
    {
      filter: { ...filter, ...(ids !== undefined && { ids }) },
      toTopic: typeof fields.toTopic === "string" && fields.toTopic !== "" ? fields.toTopic : undefined,
      limit: numberFrom(fields.limit, REPLAYED_MAX, REPLAYED_MAX),
      ratePerSecond: REPLAY_RATE,
      isDryRun,
      isAnyway: fields.anyway === true,
      isAgain: fields.again === true,
    },
    await replayContext(context, watch.observe().joinWatermarkMs),
  );
  if (!isDryRun)
    log.info("dead letters were replayed from the page", { sent: result.sent, found: result.found });
  return result;
}

async function replayContext(context: PageContext, eventTimeMs: number | undefined): Promise<ReplayContext> {
  const { settings, log } = context;
  return {
    collection: await lettersOf(context),
    kafka: {
      ...kafkaConfig(settings, log),
      brokers: [...settings.kafka_bootstrap],
    } as ReplayContext["kafka"],
    client: () => connectBriefly(settings, log),
    topics: topicsOf(settings),
    timeoutMs: settings.state_timeout_minutes,
    eventTimeMs: eventTimeMs ?? systemClock.now() - settings.max_out_of_orderness,
    maxAheadOfClockMs: settings.max_ahead_of_clock,
    needsRegistry: settings.schema_registry_url !== undefined,
  };
}

function filterFrom({
  reason,
  since,
  until,
  topic,
  id,
  key,
}: Readonly<Record<string, string>>): LetterFilter {
  return {
    reason: reason || undefined,
    sinceMs: timeFrom("since", since),
    untilMs: timeFrom("until", until),
    topic: topic || undefined,
    ids: id ? [id] : undefined,
    key: key || undefined,
  };
}

function timeFrom(name: string, text: string | undefined): number | undefined {
  if (!text) return undefined;
  const { success, data } = timeOrAgo.safeParse(text);
  if (!success)
    throw new BadRequest(`${name}: expected a time such as 2026-01-31T12:00:00Z, or a duration such as 2h`);
  return data;
}

function numberFrom(value: unknown, usual: number, max: number): number {
  const number = Number(value);
  return value !== undefined && Number.isInteger(number) && number > 0 ? Math.min(number, max) : usual;
}

function textsOf(fields: unknown): Record<string, string> {
  if (typeof fields !== "object" || fields === null) return {};
  return Object.fromEntries(
    Object.entries(fields).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}
