/**
 * What the service looks at before it takes a job: all that is public of the contract. Problems are thrown as refusals, as
 * the service words them.
 */
import { createHash } from "node:crypto";
import { status } from "@grpc/grpc-js";
import { type ObjectAccess, shapeOf } from "@order-payment-stream/beam/dataflow";
import { runnerApi } from "@order-payment-stream/beam/protos";
import { Refusal } from "./google_service.js";

/** As JSON; structs are plain objects. */
export interface ReceivedJob {
  readonly name?: string;
  readonly projectId?: string;
  readonly type?: string;
  readonly steps?: readonly unknown[];
  readonly clientRequestId?: string;
  readonly replaceJobId?: string;
  readonly transformNameMapping?: Readonly<Record<string, string>>;
  readonly environment?: any;
}

export interface CheckedJob {
  readonly bytes: Uint8Array;
  readonly proto: runnerApi.Pipeline;
  readonly image: string;
  readonly options: Record<string, unknown>;
}

const REGIONS = /^(us|europe|asia|australia|northamerica|southamerica|me|africa)-[a-z]+\d+$/;
const EXPERIMENTS = ["beam_fn_api", "use_runner_v2", "use_unified_worker", "use_portable_job_submission"];
const STREAMING_EXPERIMENTS = ["enable_streaming_engine", "enable_windmill_service"];
/** Source: beam_runner_api.proto, StandardRequirements. */
const REQUIREMENTS = new Set(
  ["stateful", "finalization", "splittable_dofn", "on_window_expiration", "time_sorted_input"].map(
    (name) => `beam:requirement:pardo:${name}:v1`,
  ),
);
const WITHOUT_ENVIRONMENT = new Set(["beam:transform:impulse:v1", "beam:transform:group_by_key:v1"]);

/** @throws Refusal */
export async function checkJob(
  job: ReceivedJob,
  place: { readonly projectId: string; readonly location: string },
  objects: ObjectAccess,
): Promise<CheckedJob> {
  if (!REGIONS.test(place.location))
    refuse(`The workflow could not be created: unexpected location: ${place.location}`);
  if (job.projectId && job.projectId !== place.projectId)
    refuse("the job names another project than the request");
  if (!/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/.test(job.name ?? "")) refuse(`invalid job name "${job.name}"`);
  if ((job.steps ?? []).length > 0) refuse("a portable job has no steps");
  const { environment } = job;
  const isStreaming = checkEnvironment(job);
  const options = environment.sdkPipelineOptions?.options ?? {};
  const bytes = await fetchGraph(options, objects);
  const proto = parse(bytes);
  checkGraph(proto, isStreaming);
  return { bytes, proto, image: checkImages(proto, environment), options };
}

function refuse(details: string): never {
  throw new Refusal(status.INVALID_ARGUMENT, details);
}

/** Whether it streams. */
function checkEnvironment({ type, environment }: ReceivedJob): boolean {
  const isStreaming = type === "JOB_TYPE_STREAMING";
  if (!isStreaming && type !== "JOB_TYPE_BATCH") refuse(`unknown type of job ${type}`);
  const expected = isStreaming ? "FNAPI_STREAMING" : "FNAPI_BATCH";
  const { job_type: told, major } = environment?.version ?? {};
  if (told !== expected) refuse(`environment.version.job_type is ${told}: expected ${expected}`);
  if (!/^\d+$/.test(String(major))) refuse("environment.version.major is missing");
  const { name, version } = environment.userAgent ?? {};
  if (!name || !version) refuse("environment.userAgent has no name or no version");
  const wanted = [...EXPERIMENTS, ...(isStreaming ? STREAMING_EXPERIMENTS : [])];
  const missing = wanted.filter((experiment) => !(environment.experiments ?? []).includes(experiment));
  if (missing.length > 0) refuse(`experiments are missing: ${missing.join(", ")}`);
  if (!/^(gs:\/\/|storage\.googleapis\.com\/)/.test(environment.tempStoragePrefix ?? "")) {
    refuse("tempStoragePrefix is no place in Cloud Storage");
  }
  return isStreaming;
}

async function fetchGraph(options: any, objects: ObjectAccess): Promise<Uint8Array> {
  const { pipelineUrl, pipelineProtoHash } = options;
  if (typeof pipelineUrl !== "string") refuse("options have no pipelineUrl");
  let bytes: Uint8Array;
  try {
    bytes = await objects.read(pipelineUrl);
  } catch (error) {
    return refuse(`Unable to read the pipeline at ${pipelineUrl}: ${(error as Error).message}`);
  }
  const hash = createHash("sha256").update(bytes).digest("hex");
  if (hash !== pipelineProtoHash)
    refuse(`the pipeline at ${pipelineUrl} has not the hash ${pipelineProtoHash}`);
  return bytes;
}

function parse(bytes: Uint8Array): runnerApi.Pipeline {
  try {
    return runnerApi.Pipeline.fromBinary(bytes);
  } catch (error) {
    return refuse(`the staged pipeline is none: ${(error as Error).message}`);
  }
}

function checkGraph(proto: runnerApi.Pipeline, isStreaming: boolean): void {
  const unknown = proto.requirements.filter((requirement) => !REQUIREMENTS.has(requirement));
  if (unknown.length > 0) refuse(`unknown requirements: ${unknown.join(", ")}`);
  const { transforms, pcollections, coders, windowingStrategies, environments } = proto.components!;
  const names = new Set<string>();
  const made = new Set<string>();
  for (const [id, transform] of Object.entries(transforms)) {
    const { uniqueName, spec, inputs, outputs, subtransforms, environmentId } = transform;
    if (names.has(uniqueName)) refuse(`two transforms are called ${uniqueName}`);
    names.add(uniqueName);
    for (const part of subtransforms) if (!(part in transforms)) refuse(`${uniqueName}: there is no ${part}`);
    if (subtransforms.length > 0) continue;
    for (const input of Object.values(inputs)) {
      if (!made.has(input))
        refuse(`${uniqueName} (${id}) not found in unordered_steps: ${input} is made behind it, or never`);
    }
    for (const output of Object.values(outputs)) {
      if (!(output in pcollections)) refuse(`${uniqueName}: there is no collection ${output}`);
      made.add(output);
    }
    const isOfTheService = WITHOUT_ENVIRONMENT.has(spec?.urn ?? "");
    if (isOfTheService && environmentId !== "") refuse(`${uniqueName} must have no environment`);
    if (environmentId !== "" && !(environmentId in environments))
      refuse(`${uniqueName}: there is no environment ${environmentId}`);
  }
  for (const root of proto.rootTransformIds)
    if (!(root in transforms)) refuse(`there is no transform ${root}`);
  for (const { coderId, windowingStrategyId, uniqueName, isBounded } of Object.values(pcollections)) {
    if (!(coderId in coders)) refuse(`${uniqueName}: there is no coder ${coderId}`);
    if (!(windowingStrategyId in windowingStrategies))
      refuse(`${uniqueName}: there is no windowing ${windowingStrategyId}`);
    if (!isStreaming && isBounded === runnerApi.IsBounded_Enum.UNBOUNDED)
      refuse(`${uniqueName} is unbounded in a batch job`);
  }
  // Names what a step has; throws for what refers to nothing.
  shapeOf(runnerApi.Pipeline.toBinary(proto));
}

function checkImages(proto: runnerApi.Pipeline, environment: any): string {
  const pools = environment.workerPools ?? [];
  if (pools.length !== 1 || pools[0].kind !== "harness")
    refuse("expected one worker pool of the kind harness");
  const [pool] = pools;
  const told = new Map<string, any>(
    (pool.sdkHarnessContainerImages ?? []).map((image: any) => [image.environmentId, image]),
  );
  const { environments } = proto.components!;
  for (const [id, { urn, payload, capabilities }] of Object.entries(environments)) {
    if (urn !== "beam:env:docker:v1") refuse(`the environment ${id} is no container but ${urn}`);
    const { containerImage } = runnerApi.DockerPayload.fromBinary(payload);
    const image = told.get(id);
    if (image?.containerImage !== containerImage)
      refuse(`the image of the environment ${id} is not among sdkHarnessContainerImages`);
    if (JSON.stringify(image.capabilities ?? []) !== JSON.stringify(capabilities)) {
      refuse(`the capabilities of the environment ${id} are not those of its image`);
    }
  }
  if (told.size !== Object.keys(environments).length) refuse("an image has no environment");
  const [only] = [...told.values()];
  if (told.size === 1 && pool.workerHarnessContainerImage !== only.containerImage) {
    refuse("workerHarnessContainerImage is not the image");
  }
  return only.containerImage;
}
