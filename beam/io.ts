/**
 * For whoever writes a connector: the clock, health, checksums, connections by name, objects kept elsewhere, and events
 * that are described by their fields.
 * A connector is a package beside this one that imports this entry and the main one, and nothing below them.
 */
import "./only_copy.js";

export { type Backoff, backoffMs } from "./platform/backoff.js";
export { after, type Clock, every, sleep, systemClock, type WaitOptions } from "./platform/clock.js";
export { crc32c } from "./platform/crc32c.js";
export { type HealthReporter, silentHealth } from "./platform/health.js";
export { makeDirectory, makeDirectorySync } from "./platform/make_directory.js";
export {
  forgetSecret,
  isPlainAddress,
  MASK,
  maskAddress,
  maskSecrets,
  rememberSecret,
  rememberSecretsOf,
} from "./platform/masking.js";
export { SharedConnections } from "./platform/shared_connections.js";
export { TrustedClock } from "./platform/trusted_clock.js";
export { snappyLength, tooLarge, unpackZstd, withLimit } from "./platform/unpacking.js";
export { coderOf } from "./sdk/graph.js";
export { isTimestamp } from "./sdk/object_coder.js";
export { objectFromJson } from "./sdk/object_json.js";
export {
  type ObjectBody,
  type ObjectInfo,
  ObjectNotFoundError,
  type ObjectStore,
  type OpenObject,
  PreconditionFailedError,
} from "./store/checkpoint/object_store.js";
