/**
 * The Job that is sent, in the JSON of the REST API, which is also what a template's launcher reads. It has no steps: the
 * service reads the graph from where it was staged. Compared field by field with what Beam's Go and Python SDKs send in
 * test/unit/beam/runners/dataflow/dataflow_job.test.ts. Source: projects.locations.jobs in the v1b3 API, Go's
 * runners/dataflow/dataflowlib/job.go, Python's internal/apiclient.py.
 */

import { createHash, randomBytes } from "node:crypto";
import { runnerApi } from "../../model/apache_beam.js";
import { SDK_NAME, SDK_VERSION } from "../../model/version.js";
import { systemClock } from "../../platform/clock.js";
import { type DataflowJobOptions, type DataflowUpdate, joinUrl } from "./dataflow_options.js";
import { isStreaming } from "./dataflow_proto.js";
import type { JsonObject } from "./struct.js";

export interface SdkHarnessContainerImage {
  readonly containerImage: string;
  readonly useSingleCorePerContainer: boolean;
  readonly environmentId: string;
  readonly capabilities: readonly string[];
}

export interface DataflowWorkerPool {
  readonly kind: "harness";
  readonly workerHarnessContainerImage: string;
  readonly sdkHarnessContainerImages: readonly SdkHarnessContainerImage[];
  readonly packages: readonly [];
  readonly autoscalingSettings: { readonly algorithm?: string; readonly maxNumWorkers?: number };
  readonly numWorkers?: number;
  readonly machineType?: string;
  readonly diskSizeGb?: number;
  readonly network?: string;
  readonly subnetwork?: string;
  readonly ipConfiguration?: string;
}

/** What is sent to create a job. Source: dataflow/v1beta3/jobs.proto, Job. */
export interface DataflowJob {
  readonly projectId: string;
  readonly location: string;
  readonly name: string;
  readonly type: "JOB_TYPE_STREAMING" | "JOB_TYPE_BATCH";
  /** The same in each attempt, so that a repeat makes no second job. */
  readonly clientRequestId: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly replaceJobId?: string;
  readonly transformNameMapping?: Readonly<Record<string, string>>;
  readonly environment: {
    readonly userAgent: JsonObject;
    readonly version: JsonObject;
    readonly experiments: readonly string[];
    readonly serviceOptions?: readonly string[];
    readonly tempStoragePrefix: string;
    readonly serviceAccountEmail?: string;
    readonly serviceKmsKeyName?: string;
    readonly workerZone?: string;
    readonly sdkPipelineOptions: JsonObject;
    readonly workerPools: readonly [DataflowWorkerPool];
  };
}

/** A graph ready to be staged. */
export interface StagedProto {
  readonly url: string;
  readonly bytes: Uint8Array;
  /** SHA-256 in hex. */
  readonly hash: string;
}

/** What selects the portable service, as Go's SDK says it. */
const EXPERIMENTS = ["beam_fn_api", "use_runner_v2", "use_unified_worker", "use_portable_job_submission"];
const STREAMING_EXPERIMENTS = ["enable_streaming_engine", "enable_windmill_service"];
/** Of the protocol between service and workers; "6" as Go sends. */
const MAJOR_VERSION = "6";
const MULTI_CORE = "beam:protocol:multi_core_bundle_processing:v1";
const SOURCE = "order_payment_stream.options";

/** Where the graph goes; two submissions never share a place. */
export function stageProto(
  proto: runnerApi.Pipeline,
  options: DataflowJobOptions,
  atMs: number,
): StagedProto {
  const bytes = runnerApi.Pipeline.toBinary(proto);
  const { stagingLocation = joinUrl(options.tempLocation, "staging"), jobName } = options;
  const unique = `${atMs}-${randomBytes(4).toString("hex")}`;
  return {
    url: joinUrl(stagingLocation, `${jobName}-${unique}`, "pipeline.pb"),
    bytes,
    hash: createHash("sha256").update(bytes).digest("hex"),
  };
}

export function dataflowJob(
  proto: runnerApi.Pipeline,
  staged: StagedProto,
  options: DataflowJobOptions,
  update?: DataflowUpdate,
): DataflowJob {
  const streaming = isStreaming(proto);
  const experiments = [
    ...new Set([...(options.experiments ?? []), ...EXPERIMENTS, ...(streaming ? STREAMING_EXPERIMENTS : [])]),
  ];
  const { labels, serviceOptions, serviceAccountEmail, kmsKey, workerZone } = options;
  const { transformNameMapping } = update ?? {};
  return {
    projectId: options.project,
    location: options.region,
    name: options.jobName,
    type: streaming ? "JOB_TYPE_STREAMING" : "JOB_TYPE_BATCH",
    clientRequestId: `${systemClock.now()}-${randomBytes(8).toString("hex")}`,
    ...(labels !== undefined && { labels }),
    ...(update !== undefined && { replaceJobId: update.replaceJobId }),
    ...(transformNameMapping !== undefined && { transformNameMapping }),
    environment: {
      userAgent: { name: SDK_NAME, version: SDK_VERSION },
      version: { job_type: streaming ? "FNAPI_STREAMING" : "FNAPI_BATCH", major: MAJOR_VERSION },
      experiments,
      ...(serviceOptions !== undefined && { serviceOptions }),
      tempStoragePrefix: options.tempLocation,
      ...(serviceAccountEmail !== undefined && { serviceAccountEmail }),
      ...(kmsKey !== undefined && { serviceKmsKeyName: kmsKey }),
      ...(workerZone !== undefined && { workerZone }),
      sdkPipelineOptions: sdkPipelineOptions(staged, experiments, options),
      workerPools: [workerPool(proto, options)],
    },
  };
}

/** Workers get this as their pipeline options; the job page shows `display_data`. */
function sdkPipelineOptions(
  { url, hash }: StagedProto,
  experiments: readonly string[],
  { project, region, jobName, tempLocation, pipelineOptions = {} }: DataflowJobOptions,
): JsonObject {
  const shown = { job_name: jobName, project, region, temp_location: tempLocation, ...pipelineOptions };
  return {
    options: {
      ...pipelineOptions,
      pipelineUrl: url,
      pipelineProtoHash: hash,
      experiments,
      project,
      region,
      tempLocation,
      jobName,
    },
    display_data: Object.entries(shown).map(([key, value]) => ({
      key,
      namespace: SOURCE,
      type: "STRING",
      value,
    })),
  };
}

function workerPool(proto: runnerApi.Pipeline, options: DataflowJobOptions): DataflowWorkerPool {
  const { numWorkers, maxNumWorkers, autoscalingAlgorithm, machineType, diskSizeGb } = options;
  const { network, subnetwork, usePublicIps } = options;
  return {
    kind: "harness",
    workerHarnessContainerImage: options.sdkContainerImage,
    sdkHarnessContainerImages: Object.entries(proto.components!.environments).map(
      ([environmentId, each]) => ({
        containerImage: runnerApi.DockerPayload.fromBinary(each.payload).containerImage,
        // One event loop: a worker has one core, and siblings the others. As Python decides it.
        useSingleCorePerContainer: !each.capabilities.includes(MULTI_CORE),
        environmentId,
        capabilities: each.capabilities,
      }),
    ),
    packages: [],
    autoscalingSettings: {
      ...(autoscalingAlgorithm !== undefined && { algorithm: ALGORITHMS[autoscalingAlgorithm] }),
      ...(maxNumWorkers !== undefined && { maxNumWorkers }),
    },
    ...(numWorkers !== undefined && { numWorkers }),
    ...(machineType !== undefined && { machineType }),
    ...(diskSizeGb !== undefined && { diskSizeGb }),
    ...(network !== undefined && { network }),
    ...(subnetwork !== undefined && { subnetwork }),
    ...(usePublicIps !== undefined && {
      ipConfiguration: usePublicIps ? "WORKER_IP_PUBLIC" : "WORKER_IP_PRIVATE",
    }),
  };
}

const ALGORITHMS = {
  NONE: "AUTOSCALING_ALGORITHM_NONE",
  THROUGHPUT_BASED: "AUTOSCALING_ALGORITHM_BASIC",
} as const;
