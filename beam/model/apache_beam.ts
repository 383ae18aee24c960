/**
 * The one door to the `apache-beam` package. Its modules import one another in a circle, so its root must be loaded
 * before any deep import; every other file of ours imports from here.
 */
import "./removed_from_node.js";
import "apache-beam";

import * as artifact from "apache-beam/proto/beam_artifact_api";
import * as fn from "apache-beam/proto/beam_fn_api";
import * as provision from "apache-beam/proto/beam_provision_api";
import * as runner from "apache-beam/proto/beam_runner_api";
import * as endpoints from "apache-beam/proto/endpoints";
import * as metrics from "apache-beam/proto/metrics";
import * as windowFns from "apache-beam/proto/standard_window_fns";
import { readUnknownFields } from "./unknown_fields.js";

for (const module of [artifact, fn, provision, runner, endpoints, metrics, windowFns]) {
  readUnknownFields(module);
}

export { Pipeline } from "apache-beam/internal/pipeline";
export * as artifactApi from "apache-beam/proto/beam_artifact_api";
export * as fnApi from "apache-beam/proto/beam_fn_api";
export * as provisionApi from "apache-beam/proto/beam_provision_api";
export * as runnerApi from "apache-beam/proto/beam_runner_api";
export * as endpointsApi from "apache-beam/proto/endpoints";
export { Duration } from "apache-beam/proto/google/protobuf/duration";
export { Struct } from "apache-beam/proto/google/protobuf/struct";
export { Timestamp } from "apache-beam/proto/google/protobuf/timestamp";
export * as metricsApi from "apache-beam/proto/metrics";
export * as windowFnsApi from "apache-beam/proto/standard_window_fns";
export { P, PCollection, Root } from "apache-beam/pvalue";
export { impulse } from "apache-beam/transforms/internal";
export { withName } from "apache-beam/transforms/transform";
