/** The calls of the Fn API that a worker makes. Source: beam_fn_api.proto, beam_provision_api.proto, beam_artifact_api.proto. */
import { artifactApi, fnApi, provisionApi } from "../model/apache_beam.js";
import { methodOf } from "./connection.js";

export const CONTROL = methodOf<fnApi.InstructionResponse, fnApi.InstructionRequest>(
  fnApi.BeamFnControl,
  "Control",
);
export const GET_DESCRIPTOR = methodOf<
  fnApi.GetProcessBundleDescriptorRequest,
  fnApi.ProcessBundleDescriptor
>(fnApi.BeamFnControl, "GetProcessBundleDescriptor");
export const DATA = methodOf<fnApi.Elements, fnApi.Elements>(fnApi.BeamFnData, "Data");
export const STATE = methodOf<fnApi.StateRequest, fnApi.StateResponse>(fnApi.BeamFnState, "State");
export const LOGGING = methodOf<fnApi.LogEntry_List, fnApi.LogControl>(fnApi.BeamFnLogging, "Logging");
export const WORKER_STATUS = methodOf<fnApi.WorkerStatusResponse, fnApi.WorkerStatusRequest>(
  fnApi.BeamFnWorkerStatus,
  "WorkerStatus",
);
export const START_WORKER = methodOf<fnApi.StartWorkerRequest, fnApi.StartWorkerResponse>(
  fnApi.BeamFnExternalWorkerPool,
  "StartWorker",
);
export const STOP_WORKER = methodOf<fnApi.StopWorkerRequest, fnApi.StopWorkerResponse>(
  fnApi.BeamFnExternalWorkerPool,
  "StopWorker",
);
export const GET_PROVISION_INFO = methodOf<
  provisionApi.GetProvisionInfoRequest,
  provisionApi.GetProvisionInfoResponse
>(provisionApi.ProvisionService, "GetProvisionInfo");
export const RESOLVE_ARTIFACTS = methodOf<
  artifactApi.ResolveArtifactsRequest,
  artifactApi.ResolveArtifactsResponse
>(artifactApi.ArtifactRetrievalService, "ResolveArtifacts");
export const GET_ARTIFACT = methodOf<artifactApi.GetArtifactRequest, artifactApi.GetArtifactResponse>(
  artifactApi.ArtifactRetrievalService,
  "GetArtifact",
);
