/** Objects in Google Cloud Storage. */

export { GcsObjectStore, type GcsOptions } from "./gcs_object_store.js";
export { type GcsObjects, gcsObjects } from "./gcs_objects.js";
export { type GcsPath, parseGcsPath } from "./gcs_path.js";
