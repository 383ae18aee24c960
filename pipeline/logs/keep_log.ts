/** The log of a run in files, and from there to a bucket, as far as the settings say so. */
import { statSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join, resolve } from "node:path";
import { every, type HealthReporter, makeDirectorySync, systemClock } from "@order-payment-stream/beam/io";
import { openCheckpointPlace } from "../commands/checkpoint_place.js";
import { CommandError } from "../commands/command.js";
import { EXIT_WRONG_SETTINGS } from "../commands/exit_codes.js";
import type { RunLog } from "../report/log.js";
import type { RunSettings } from "../settings/options.js";
import { LogFiles } from "./log_files.js";
import { LogUploader } from "./log_uploader.js";

const PRUNE_MS = 60_000;

export interface KeptLog {
  /** Once nothing more is logged. */
  close(): Promise<void>;
}

/** @throws CommandError where no files can be */
export function keepLog(settings: RunSettings, log: RunLog, health: HealthReporter): KeptLog {
  const { gcs_log_path: path } = settings;
  const onSignal = (): void => log.toggleDebug();
  process.on("SIGUSR2", onSignal);
  const endSignal = (): void => void process.off("SIGUSR2", onSignal);
  const folder = settings.log_dir === undefined ? path && ownTemporaryFolder() : resolve(settings.log_dir);
  if (folder === undefined) return { close: async () => endSignal() };
  prepare(folder);
  const files = new LogFiles({
    folder,
    bytesMax: settings.log_file_size,
    ageMaxMs: settings.log_file_time,
    keptMs: settings.log_kept,
    health,
  });
  log.addSink(files);
  log.info("the log is kept in files", { in: folder });
  const uploader =
    path === undefined
      ? undefined
      : new LogUploader({
          files,
          open: () => openCheckpointPlace(path, settings),
          intervalMs: settings.log_upload_interval,
          clock: systemClock,
          health,
        });
  const endPruning = every(PRUNE_MS, () => {
    const mayGo = uploader && ((file: Parameters<typeof uploader.isThere>[0]) => uploader.isThere(file));
    files.prune(mayGo).catch(() => undefined);
  });
  return {
    close: async () => {
      endSignal();
      endPruning();
      await files.close();
      await uploader?.close();
    },
  };
}

function prepare(folder: string): void {
  try {
    makeDirectorySync(folder, 0o750);
  } catch (error) {
    throw new CommandError(`LOG_DIR (--log_dir) is ${JSON.stringify(folder)}: ${(error as Error).message}`, {
      exitCode: EXIT_WRONG_SETTINGS,
    });
  }
}

/** Where an upload begins that nobody has named a folder for; the same at each start, so that nothing is left behind. */
function ownTemporaryFolder(): string {
  const { uid } = userInfo();
  const folder = join(tmpdir(), `order-payment-stream-log-${uid}`);
  makeDirectorySync(folder, 0o700);
  // Anybody may make a folder of that name there before.
  if (uid >= 0 && statSync(folder).uid !== uid) {
    throw new CommandError(`${folder} belongs to another user: name a LOG_DIR`, {
      exitCode: EXIT_WRONG_SETTINGS,
    });
  }
  return folder;
}
