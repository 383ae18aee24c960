/**
 * The portability protos, for whoever writes a runner or tests one: pipelines, the Fn API, provisioning, artifacts. As
 * protobuf-ts makes them, but for fields that they do not know, which they keep.
 */
import "./only_copy.js";

export { artifactApi, endpointsApi, fnApi, provisionApi, runnerApi, Struct } from "./model/apache_beam.js";
