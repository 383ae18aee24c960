/** Where checkpoints of the state are kept. */

import type { ObjectStore } from "@order-payment-stream/beam/io";
import type { GcsPath } from "@order-payment-stream/gcs";

import type { CheckpointPlaceSettings } from "../settings/options.js";

/** @throws GcsRefusedError, GcsUnavailableError */
export async function openCheckpointPlace(
  path: GcsPath,
  { storage_emulator_host: apiEndpoint }: CheckpointPlaceSettings,
): Promise<ObjectStore> {
  // Loaded only here: Google's client is large.
  const { GcsObjectStore } = await import("@order-payment-stream/gcs");
  return GcsObjectStore.open(path, { apiEndpoint });
}
