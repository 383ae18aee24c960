/** Where checkpoints of the state are kept. */
import type { GcsPath } from "../beam/io/gcs/gcs_path.js";
import type { ObjectStore } from "../beam/store/checkpoint/object_store.js";
import type { CheckpointPlaceSettings } from "./options.js";

/** @throws GcsRefusedError, GcsUnavailableError */
export async function openCheckpointPlace(
  path: GcsPath,
  { storage_emulator_host: apiEndpoint }: CheckpointPlaceSettings,
): Promise<ObjectStore> {
  // Loaded only here: Google's client is large.
  const { GcsObjectStore } = await import("../beam/io/gcs/gcs_object_store.js");
  return GcsObjectStore.open(path, { apiEndpoint });
}
