/** The state of a run on disk: opened before the run, carried away beside it if that is set, closed behind it. */

import {
  DurableStore,
  type Health,
  LocalDirectory,
  MemoryStore,
  type Store,
  writeProblem,
} from "@order-payment-stream/beam/direct";
import { systemClock } from "@order-payment-stream/beam/io";

import type { Log } from "../report/log.js";
import type { RunSettings } from "../settings/options.js";
import { beginCheckpoints, restoreState } from "./checkpointing.js";

export interface RunState {
  readonly store: Store;
  /** Something was committed by an earlier run. */
  readonly isResumed: boolean;
  /** Once no more is committed: after the last checkpoint, if there are any. */
  close(): Promise<void>;
}

/** @throws StoreError, DirectoryInUseError, and what a restore throws: nothing has been changed then */
export async function openState(settings: RunSettings, health: Health, log: Log): Promise<RunState> {
  const { state_dir: path } = settings;
  if (path === undefined) {
    return { store: new MemoryStore(), isResumed: false, close: async () => undefined };
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
    const uploader = await beginCheckpoints(settings, store, health, log);
    return {
      store,
      isResumed,
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
