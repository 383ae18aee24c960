/** Brings up what shows a run, before the run itself, and takes it down behind it. */
import type { Health } from "@order-payment-stream/beam/direct";
import type { MongoClient } from "mongodb";
import { BadRequest } from "../../monitor/actions.js";
import type { Monitor } from "../../monitor/server.js";
import { CommandError } from "../commands/command.js";
import { EXIT_WRONG_SETTINGS } from "../commands/exit_codes.js";
import type { RunLog } from "../report/log.js";
import { needsMongo } from "../settings/file_settings.js";
import type { RUN_SETTINGS, RunSettings } from "../settings/options.js";
import type { ReadSettings } from "../settings/read_settings.js";
import { RunWatch } from "./run_watch.js";
import { MongoProbe } from "./server_probe.js";

/** How settings were written, and where. */
export type SettingTexts = Pick<ReadSettings<typeof RUN_SETTINGS>, "texts" | "origins">;

export interface Monitoring {
  readonly watch: RunWatch;
  /** Where the page is; undefined: there is none. */
  readonly url: string | undefined;
  close(): Promise<void>;
}

/**
 * @throws CommandError where the port that was asked for is taken. The usual one that is taken, by another run for
 * example, gives way to one that is free
 */
export async function startMonitor(
  settings: RunSettings,
  read: SettingTexts,
  health: Health,
  log: RunLog,
  /** False: the job is elsewhere, and its MongoDB may be nowhere near this machine. */
  asksMongo = needsMongo(settings),
): Promise<Monitoring> {
  if (settings.ui_port === null) {
    return { watch: new RunWatch(settings, health, () => []), url: undefined, close: async () => undefined };
  }
  const probe = asksMongo ? new MongoProbe(settings.mongodb_uri) : undefined;
  const watch = new RunWatch(settings, health, () => (probe === undefined ? [] : [probe.status]));
  try {
    const monitor = await serve(settings, read, log, watch, probe);
    log.info("the page of this run", { at: monitor.url });
    return {
      watch,
      url: monitor.url,
      close: async () => {
        await monitor.close();
        await probe?.stop();
      },
    };
  } catch (error) {
    await probe?.stop();
    throw error;
  }
}

async function serve(
  settings: RunSettings,
  read: SettingTexts,
  log: RunLog,
  watch: RunWatch,
  probe: MongoProbe | undefined,
): Promise<Monitor> {
  // Loaded only here: a run without a page needs none of it.
  const { Monitor } = await import("../../monitor/server.js");
  const { pageActions } = await import("./page_actions.js");
  const { ui_host: host, ui_token: token, ui_port: port } = settings;
  const actions = pageActions({ settings, read, log, watch, mongo: () => clientOf(probe) });
  const options = { host, token, observe: () => watch.observe(), actions };
  try {
    return await Monitor.start({ ...options, port: port! });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const isChosen = read.origins.get("ui_port") !== "default";
    if (code !== "EADDRINUSE" || isChosen) throw refused(error as Error, settings);
    log.info(
      `port ${port} is taken: the page of this run uses another port. Set UI_PORT to choose a port, or to off`,
    );
    return Monitor.start({ ...options, port: 0 });
  }
}

async function clientOf(probe: MongoProbe | undefined): Promise<MongoClient> {
  if (probe === undefined)
    throw new BadRequest(
      "this page asks no MongoDB: the run writes to none, or its job runs elsewhere. From where MongoDB can be reached, `order-payment-stream explain` and `dead-letters` ask it",
    );
  return probe.client();
}

function refused(error: Error, { ui_host: host, ui_port: port }: RunSettings): Error {
  const { code } = error as NodeJS.ErrnoException;
  const why: Readonly<Record<string, string>> = {
    EADDRINUSE: "another program listens there",
    EACCES: "this user may not listen there",
    EADDRNOTAVAIL: "this machine has no such address",
    ENOTFOUND: "there is no such host",
  };
  const reason = why[code ?? ""];
  if (reason === undefined) return error;
  return new CommandError(
    `UI_PORT (--ui_port) is ${port} and UI_HOST (--ui_host) is ${JSON.stringify(host)}: ${reason}. Nothing was started; UI_PORT=0 picks a free port, UI_PORT=off disables the page`,
    { exitCode: EXIT_WRONG_SETTINGS, cause: error },
  );
}
