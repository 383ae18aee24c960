/**
 * What a runner tells a worker before it starts. What is said here goes before the flags.
 * Source: beam_provision_api.proto.
 */
import { provisionApi, type runnerApi, Struct } from "../model/apache_beam.js";
import { Connection } from "./connection.js";
import { GET_PROVISION_INFO } from "./fn_methods.js";
import { optionsByName } from "./pipeline_options.js";

export interface Provision {
  /** By name, without Beam's prefixes. */
  readonly pipelineOptions: Readonly<Record<string, unknown>>;
  readonly runnerCapabilities: readonly string[];
  /** Whether it looks at more than the whole seconds of a delay, as all do but Flink. */
  readonly honoursMs: boolean;
  /** Empty where none was told. */
  readonly controlEndpoint: string;
  readonly loggingEndpoint: string;
  readonly statusEndpoint: string;
  readonly artifactEndpoint: string;
  readonly dependencies: readonly runnerApi.ArtifactInformation[];
  readonly siblingWorkerIds: readonly string[];
}

const REACH_TIMEOUT_MS = 20_000;

const NOTHING: Provision = {
  pipelineOptions: {},
  runnerCapabilities: [],
  honoursMs: true,
  controlEndpoint: "",
  loggingEndpoint: "",
  statusEndpoint: "",
  artifactEndpoint: "",
  dependencies: [],
  siblingWorkerIds: [],
};

/** Where the endpoint is empty, nothing is told. Rejects, in bounded time, when nobody answers. */
export async function fetchProvision(endpoint: string, workerId: string): Promise<Provision> {
  if (endpoint === "") return NOTHING;
  const connection = new Connection(endpoint, workerId);
  try {
    await connection.reach("provision service", REACH_TIMEOUT_MS);
    const request = provisionApi.GetProvisionInfoRequest.create();
    const { info } = await connection.call(GET_PROVISION_INFO, request);
    if (info === undefined) return NOTHING;
    const pipelineOptions =
      info.pipelineOptions === undefined ? {} : optionsByName(Struct.toJson(info.pipelineOptions));
    return {
      pipelineOptions,
      runnerCapabilities: info.runnerCapabilities,
      honoursMs: !isFlink(info.metadata.runner, pipelineOptions),
      controlEndpoint: info.controlEndpoint?.url ?? "",
      loggingEndpoint: info.loggingEndpoint?.url ?? "",
      statusEndpoint: info.statusEndpoint?.url ?? "",
      artifactEndpoint: info.artifactEndpoint?.url ?? "",
      dependencies: info.dependencies,
      siblingWorkerIds: info.siblingWorkerIds,
    };
  } finally {
    connection.close();
  }
}

/** Flink's job server tells no name, but all its options, defaults too. */
function isFlink(name: string | undefined, options: Readonly<Record<string, unknown>>): boolean {
  return /flink/i.test(name ?? "") || Object.keys(options).some((option) => /^flink_?master$/i.test(option));
}
