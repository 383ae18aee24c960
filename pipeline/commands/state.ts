/** The state of a run on disk: opened before the run, carried away beside it if that is set, closed behind it. */

import {
  DurableStore,
  type Health,
  LocalDirectory,
  MemoryStore,
  type Store,
  UnusableDirectoryError,
  writeProblem,
} from "@order-payment-stream/beam/direct";
import { every, systemClock } from "@order-payment-stream/beam/io";
import type { Checkpoint } from "../../monitor/observation.js";
import type { Log } from "../report/log.js";
import { checkKeptSettings } from "../settings/kept_settings.js";
import { type RunSettings, STATE_SETTINGS } from "../settings/options.js";
import { nameOf } from "../settings/setting.js";
import { beginCheckpoints, restoreState } from "./checkpointing.js";
import { CommandError } from "./command.js";
import { EXIT_FAILED, EXIT_WRONG_SETTINGS } from "./exit_codes.js";

/** How often it is looked at whether the directory is still there. */
const WATCH_INTERVAL_MS = 1_000;
/** What another place might be told as well: the setting is not what is wrong. */
const OF_THE_MACHINE: ReadonlySet<string> = new Set([
  "EDQUOT",
  "EIO",
  "EMFILE",
  "ENFILE",
  "ENOMEM",
  "ENOSPC",
]);

export interface RunState {
  readonly store: Store;
  /** Something was committed by an earlier run. */
  readonly isResumed: boolean;
  /** To be called within the first commit. */
  readonly onFirstCommit: () => void;
  /** Aborts when the directory is lost under the run, which must end then; the reason is a DirectoryLostError. */
  readonly lost: AbortSignal;
  /** Once no more is committed: after the last checkpoint, if there are any. */
  close(): Promise<void>;
}

/**
 * @throws CommandError for a place where no state can be, and for settings that do not fit the state; StoreError, DirectoryInUseError, and what a restore throws:
 * nothing has been changed then
 */
export async function openState(
  settings: RunSettings,
  health: Health,
  log: Log,
  onCheckpoint?: (checkpoint: Checkpoint) => void,
): Promise<RunState> {
  try {
    return await open(settings, health, log, onCheckpoint);
  } catch (error) {
    throw error instanceof UnusableDirectoryError ? wrongStateDir(error) : error;
  }
}

/** Names the setting. */
export function wrongStateDir(error: UnusableDirectoryError): CommandError {
  const { state_dir: setting } = STATE_SETTINGS;
  const { code = "" } = error.cause as NodeJS.ErrnoException;
  return new CommandError(`${nameOf("state_dir", setting)}: ${error.message}`, {
    cause: error,
    exitCode: OF_THE_MACHINE.has(code) ? EXIT_FAILED : EXIT_WRONG_SETTINGS,
  });
}

async function open(
  settings: RunSettings,
  health: Health,
  log: Log,
  onCheckpoint: ((checkpoint: Checkpoint) => void) | undefined,
): Promise<RunState> {
  const { state_dir: path } = settings;
  if (path === undefined) {
    return {
      store: new MemoryStore(),
      isResumed: false,
      onFirstCommit: () => undefined,
      lost: new AbortController().signal,
      close: async () => undefined,
    };
  }
  const directory = await LocalDirectory.open(path);
  await restoreState(settings, directory, log);
  const store = await DurableStore.open(directory, {
    sync: settings.state_sync === "always",
    clock: systemClock,
    onSnapshot: (problem) => {
      if (problem === undefined) health.clear("state");
      else health.report("state", `no snapshot could be written: ${writeProblem(problem)}`);
    },
  });
  const { recovery } = store;
  const isResumed = recovery.commit > 0;
  if (isResumed) log.info("going on from the last commit", { in: path, ...recovery });
  else log.info("state is kept on disk", { in: path, sync: settings.state_sync });
  if (recovery.torn !== undefined) {
    log.warn(
      "the end of the state was torn: a crash cut its last commit short. That commit is dropped, and what it held is read from Kafka again; nothing is lost",
      { in: path, ...recovery.torn },
    );
  }
  const watch = watchDirectory(directory, health);
  try {
    const onFirstCommit = checkKeptSettings(settings, store, log);
    const uploader = await beginCheckpoints(settings, store, health, log, onCheckpoint);
    return {
      store,
      isResumed,
      onFirstCommit,
      lost: watch.lost,
      close: async () => {
        watch.end();
        await uploader?.stop();
        await store.close();
      },
    };
  } catch (error) {
    watch.end();
    await store.close();
    throw error;
  }
}

/** A run that waits for something else writes nothing, and would not notice. */
function watchDirectory(directory: LocalDirectory, health: Health): { lost: AbortSignal; end(): void } {
  const controller = new AbortController();
  const end = every(WATCH_INTERVAL_MS, () => {
    try {
      directory.assertLocked();
    } catch (error) {
      end();
      health.report("state", (error as Error).message);
      controller.abort(error);
    }
  });
  return { lost: controller.signal, end };
}
