/** Checkpoints around a run: one restored before it, and those that are written beside it. */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import {
  CheckpointRepository,
  type CheckpointSource,
  CheckpointUploader,
  CheckpointWriter,
  type Directory,
  type Manifest,
  refuseUnfinishedRestore,
  restoreCheckpoint,
} from "@order-payment-stream/beam/direct";
import { type HealthReporter, systemClock } from "@order-payment-stream/beam/io";

import type { Checkpoint } from "../../monitor/observation.js";
import { bytesBar } from "../report/bar.js";
import type { Log } from "../report/log.js";
import { Terminal } from "../report/terminal.js";
import type { RunSettings } from "../settings/options.js";
import { openCheckpointPlace } from "./checkpoint_place.js";

/** Before a store is opened in the directory. */
export async function restoreState(settings: RunSettings, directory: Directory, log: Log): Promise<void> {
  const { restore, gcs_checkpoint_path: path } = settings;
  if (restore === undefined || path === undefined) {
    await refuseUnfinishedRestore(directory);
    return;
  }
  await directory.lock();
  try {
    const objects = await openCheckpointPlace(path, settings);
    const startedMs = systemClock.elapsed();
    const repository = new CheckpointRepository(objects);
    const progress = restoreProgress(log);
    const manifest = await restoreCheckpoint(repository, restore, directory, progress.onProgress).finally(
      () => progress.end(),
    );
    const durationMs = Math.round(systemClock.elapsed() - startedMs);
    log.info("restored", { ...fieldsOf(manifest), from: objects.path, to: directory.path, durationMs });
  } finally {
    // The store takes it anew.
    await directory.close();
  }
}

/** A bar on a terminal, elsewhere a line now and then. */
function restoreProgress(log: Log): { onProgress: (bytes: number, all: number) => void; end: () => void } {
  const terminal = new Terminal();
  const intervalMs = terminal.isTty ? 100 : 5_000;
  let toldMs = systemClock.elapsed();
  const onProgress = (bytes: number, all: number): void => {
    if (systemClock.elapsed() - toldMs < intervalMs) return;
    toldMs = systemClock.elapsed();
    if (terminal.isTty) terminal.show([`  restoring      ${bytesBar(bytes, all)}`]);
    else log.info("restoring", { bytes, of: all, percent: Math.floor((100 * bytes) / all) });
  };
  return { onProgress, end: () => terminal.isTty && terminal.show([]) };
}

/** DurableStore fits. */
export interface CheckpointedStore extends CheckpointSource {
  readonly directory: Directory;
}

/** Undefined when no place for checkpoints is set. The store must be open until the uploader is stopped. */
export async function beginCheckpoints(
  settings: RunSettings,
  store: CheckpointedStore,
  health: HealthReporter,
  log: Log,
  onCheckpoint: (checkpoint: Checkpoint) => void = () => undefined,
): Promise<CheckpointUploader | undefined> {
  const { gcs_checkpoint_path: path } = settings;
  if (path === undefined) return undefined;
  const objects = await openCheckpointPlace(path, settings);
  const writer = await CheckpointWriter.open(objects, store.directory, {
    keptMax: settings.checkpoints_kept,
    clock: systemClock,
    sessionId: randomUUID(),
    host: hostname(),
  });
  return new CheckpointUploader({
    source: store,
    writer,
    clock: systemClock,
    intervalMs: settings.checkpoint_interval,
    health,
    onPublished: (manifest, durationMs) => {
      log.info("checkpoint", { ...fieldsOf(manifest), to: objects.path, durationMs: Math.round(durationMs) });
      const { id, commit, bytes } = fieldsOf(manifest);
      onCheckpoint({ id, commit, bytes, durationMs, atMs: systemClock.now() });
    },
  });
}

function fieldsOf({ id, commit, files }: Manifest): Pick<Checkpoint, "id" | "commit" | "bytes"> {
  return { id, commit, bytes: files.reduce((sum, { length }) => sum + length, 0) };
}
