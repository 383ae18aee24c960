/** Objects in Google Cloud Storage. */

export { GcsObjectStore, type GcsOptions } from "./gcs_object_store.js";
export { type GcsPath, parseGcsPath } from "./gcs_path.js";
