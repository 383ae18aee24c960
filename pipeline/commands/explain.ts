/** `explain`: why an order is or is not paired, from the page of a run, a state directory, or MongoDB and Kafka alone. */
import { existsSync } from "node:fs";
import { committedWatermarks, readState } from "@order-payment-stream/beam/direct";
import { connectMongo } from "@order-payment-stream/mongodb";
import type { MongoClient } from "mongodb";
import { CLIENT_ID } from "../connections.js";
import { explain as explainFrom, type Sources } from "../explain/explain.js";
import type { Explanation } from "../explain/explanation.js";
import { explanationText } from "../explain/explanation_text.js";
import { createLog } from "../report/log.js";
import { JOIN_STAGE } from "../report/progress.js";
import { print } from "../report/standard_output.js";
import { Terminal } from "../report/terminal.js";
import { recordedSettings } from "../settings/kept_settings.js";
import type { Origin, ReadSettings } from "../settings/read_settings.js";
import type { SettingsOf, SettingsTable } from "../settings/setting.js";
import { CommandError } from "./command.js";
import { EXPLAIN_SETTINGS } from "./command_options.js";
import { EXIT_WRONG_SETTINGS } from "./exit_codes.js";
import { connectBriefly } from "./preflight.js";

type ExplainSettings = SettingsOf<typeof EXPLAIN_SETTINGS>;

const ANSWER_MAX_MS = 60_000;

/** Resolves with the exit code. */
export async function explain(
  { settings, origins }: ReadSettings<typeof EXPLAIN_SETTINGS>,
  orderId: string | undefined,
): Promise<number> {
  if (orderId === undefined) {
    throw new CommandError("no order is named: expected an order_id", { exitCode: EXIT_WRONG_SETTINGS });
  }
  const explanation =
    settings.page === undefined
      ? await explainHere(orderId, settings, origins)
      : await askPage(settings.page, orderId, settings.ui_token);
  await print(settings.json ? JSON.stringify(explanation) : explanationText(explanation));
  return 0;
}

async function askPage(page: string, orderId: string, token: string | undefined): Promise<Explanation> {
  let answer: Response;
  try {
    answer = await fetch(`${page}/api/explain?order_id=${encodeURIComponent(orderId)}`, {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(ANSWER_MAX_MS),
    });
  } catch (error) {
    throw new CommandError(`no page answers at ${page}`, { cause: (error as Error).cause ?? error });
  }
  const content = (await answer.json()) as Explanation & { readonly error?: string };
  if (!answer.ok) throw new CommandError(`${page}: ${content.error ?? answer.statusText}`);
  return content;
}

async function explainHere(
  orderId: string,
  given: ExplainSettings,
  origins: ReadonlyMap<string, Origin>,
): Promise<Explanation> {
  const log = createLog(given.log_level, new Terminal());
  const { state_dir: path } = given;
  const store = path === undefined || !existsSync(path) ? undefined : await readState(path);
  if (path !== undefined && store === undefined) throw new CommandError(`${path} holds no state`);
  const settings = store === undefined ? given : withRecorded(given, origins, recordedSettings(store));
  const watermark = store && joinWatermark(store);
  let mongo: MongoClient | undefined;
  const sources: Sources = {
    settings,
    database: async () => {
      mongo = await connectMongo(settings.mongodb_uri, { appName: CLIENT_ID });
      return mongo.db(settings.mongodb_database);
    },
    kafka: settings.search === null ? undefined : () => connectBriefly(settings, log),
    state: store && { store, from: path! },
    watermark: { atMs: watermark ?? null, heldBy: null },
    positions: [],
    searchMs: settings.search ?? 0,
  };
  try {
    return await explainFrom(orderId, sources);
  } finally {
    await mongo?.close();
  }
}

/** What the state knows of T, topics and collections counts where nobody has said otherwise. */
function withRecorded(
  settings: ExplainSettings,
  origins: ReadonlyMap<string, Origin>,
  recorded: ReadonlyMap<string, string>,
): ExplainSettings {
  const table: SettingsTable = EXPLAIN_SETTINGS;
  const known = [...recorded].flatMap(([name, text]): [string, unknown][] => {
    if (origins.get(name) !== "default") return [];
    const { success, data } = table[name]!.schema.safeParse(text);
    return success ? [[name, data]] : [];
  });
  return { ...settings, ...Object.fromEntries(known) };
}

function joinWatermark(store: Parameters<typeof committedWatermarks>[0]): number | undefined {
  for (const [stage, { input }] of committedWatermarks(store)) {
    if (stage.startsWith(JOIN_STAGE)) return input;
  }
  return undefined;
}
