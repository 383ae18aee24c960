/** Where checkpoints of the state are kept. */

import type { ObjectStore } from "../../beam/store/checkpoint/object_store.js";
import type { GcsPath } from "../../connectors/gcs/gcs_path.js";
import type { CheckpointPlaceSettings } from "../settings/options.js";

/** @throws GcsRefusedError, GcsUnavailableError */
export async function openCheckpointPlace(
  path: GcsPath,
  { storage_emulator_host: apiEndpoint }: CheckpointPlaceSettings,
): Promise<ObjectStore> {
  // Loaded only here: Google's client is large.
  const { GcsObjectStore } = await import("../../connectors/gcs/gcs_object_store.js");
  return GcsObjectStore.open(path, { apiEndpoint });
}
