/**
 * Beam's job service, artifact and metrics protos, with their gRPC clients. The package's root comes first: see
 * beam/model/apache_beam.ts.
 */
import "../../model/apache_beam.js";
import * as job from "apache-beam/proto/beam_job_api";
import { readUnknownFields } from "../../model/unknown_fields.js";

readUnknownFields(job);

export * as artifactApi from "apache-beam/proto/beam_artifact_api";
export { ArtifactStagingServiceClient } from "apache-beam/proto/beam_artifact_api.grpc-client";
export * as jobApi from "apache-beam/proto/beam_job_api";
export { JobServiceClient } from "apache-beam/proto/beam_job_api.grpc-client";
export { Struct } from "apache-beam/proto/google/protobuf/struct";
export * as metricsApi from "apache-beam/proto/metrics";
