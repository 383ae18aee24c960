/** The state of a run on disk: opened before the run, carried away beside it if that is set, closed behind it. */
import { systemClock } from "../beam/model/clock.js";
import type { Health } from "../beam/model/health.js";
import { DurableStore } from "../beam/store/durable_store.js";
import { LocalDirectory } from "../beam/store/local_directory.js";
import { MemoryStore } from "../beam/store/memory_store.js";
import type { Store } from "../beam/store/store.js";
import { writeProblem } from "../beam/store/store_errors.js";
import { beginCheckpoints, restoreState } from "./checkpointing.js";
import { checkKeptSettings } from "./kept_settings.js";
import type { Log } from "./log.js";
import type { RunSettings } from "./options.js";

export interface RunState {
  readonly store: Store;
  /** Something was committed by an earlier run. */
  readonly isResumed: boolean;
  /** To be called within the first commit. */
  readonly onFirstCommit: () => void;
  /** Once no more is committed: after the last checkpoint, if there are any. */
  close(): Promise<void>;
}

/** @throws CommandError for settings that do not fit the state, StoreError, DirectoryInUseError, and what a restore throws: nothing has been changed then */
export async function openState(settings: RunSettings, health: Health, log: Log): Promise<RunState> {
  const { state_dir: path } = settings;
  if (path === undefined) {
    const store = new MemoryStore();
    return { store, isResumed: false, onFirstCommit: () => undefined, close: async () => undefined };
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
  try {
    const onFirstCommit = checkKeptSettings(settings, store, log);
    const uploader = await beginCheckpoints(settings, store, health, log);
    return {
      store,
      isResumed,
      onFirstCommit,
      close: async () => {
        await uploader?.stop();
        await store.close();
      },
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}
