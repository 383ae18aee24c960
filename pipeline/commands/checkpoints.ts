/** `checkpoints list`: what a run can be restored from, newest first. */

import { CheckpointRepository, type Manifest } from "@order-payment-stream/beam/direct";
import { print } from "../report/standard_output.js";
import type { CheckpointPlaceSettings } from "../settings/options.js";
import { CHECKPOINT_PLACE_SETTINGS } from "../settings/options.js";
import { SettingsError } from "../settings/read_settings.js";
import { nameOf } from "../settings/setting.js";
import { openCheckpointPlace } from "./checkpoint_place.js";

/** Resolves with the exit code. */
export async function listCheckpoints(settings: CheckpointPlaceSettings): Promise<number> {
  const { gcs_checkpoint_path: path } = settings;
  if (path === undefined) {
    const setting = CHECKPOINT_PLACE_SETTINGS.gcs_checkpoint_path;
    throw new SettingsError([
      `${nameOf("gcs_checkpoint_path", setting)} is not set: expected ${setting.expected}`,
    ]);
  }
  const objects = await openCheckpointPlace(path, settings);
  const repository = new CheckpointRepository(objects);
  const { pointer } = await repository.pointer();
  let count = 0;
  for (const id of await repository.ids()) {
    const manifest = await repository.manifest(id);
    // It may have been pruned since.
    if (manifest === undefined) continue;
    count++;
    await print(checkpointText(manifest, id === pointer?.checkpoint));
  }
  if (count === 0) await print(`${objects.path} holds no checkpoint`);
  return 0;
}

/** One line; its first word is the id. */
export function checkpointText(manifest: Manifest, isLatest: boolean): string {
  const { id, createdAtMs, author, commit, files } = manifest;
  const bytes = files.reduce((sum, { length }) => sum + length, 0);
  return [
    id,
    isLatest ? "latest" : "      ",
    new Date(createdAtMs).toISOString(),
    `${(bytes / 1e6).toFixed(1)} MB`.padStart(12),
    `commit ${commit}`,
    `of ${author.host}`,
  ].join("  ");
}
