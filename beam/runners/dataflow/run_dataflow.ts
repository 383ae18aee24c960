/**
 * Submits a pipeline to Dataflow: translates it, stages the graph, creates the job, and follows it. An update is compared
 * with the graph that runs before anything is sent.
 */

import type { runnerApi } from "../../model/apache_beam.js";
import { systemClock } from "../../platform/clock.js";
import { type Pipeline, protoOf } from "../../sdk/collection.js";
import { checkCompatible, shapeOf, shapeOfProto } from "./compatibility.js";
import { DataflowError } from "./dataflow_errors.js";
import { type DataflowJob, dataflowJob, type StagedProto, stageProto } from "./dataflow_job.js";
import type { DataflowJobOptions, DataflowPlace, ObjectAccess } from "./dataflow_options.js";
import { dataflowProto } from "./dataflow_proto.js";
import { DataflowRun, type FollowOptions } from "./dataflow_run.js";
import { DataflowService } from "./dataflow_service.js";
import { fromStruct } from "./struct.js";

/** A job, and whether it takes the place of another. */
export interface DataflowSubmission extends DataflowJobOptions {
  /** Takes the place of the job that runs under this name. */
  readonly update?: boolean | undefined;
  /** For an update: see DataflowUpdate. */
  readonly transformNameMapping?: Readonly<Record<string, string>> | undefined;
}

/** A job as it would be sent, and the graph that belongs to it. */
export interface PreparedJob {
  readonly job: DataflowJob;
  readonly staged: StagedProto;
  readonly proto: runnerApi.Pipeline;
}

/** Asks nobody, so an update has no id of the job that it replaces. @throws UnsupportedOnDataflowError */
export function prepareDataflowJob(pipeline: Pipeline, options: DataflowSubmission): PreparedJob {
  const proto = dataflowProto(protoOf(pipeline), options.sdkContainerImage);
  const staged = stageProto(proto, options, systemClock.now());
  return { job: dataflowJob(proto, staged, options), staged, proto };
}

/**
 * As a template's launcher wants it: stages the graph, and writes the job to an object instead of sending it.
 * @param templateLocation gs:// URL of that object
 */
export async function writeDataflowTemplate(
  { job, staged }: PreparedJob,
  objects: ObjectAccess,
  templateLocation: string,
): Promise<void> {
  await objects.write(staged.url, staged.bytes);
  await objects.write(templateLocation, Buffer.from(JSON.stringify(job, null, 2)));
}

/**
 * Resolves when the service has taken the job.
 * @throws DataflowError in one line with what to do; UnsupportedOnDataflowError; IncompatibleUpdateError, with nothing sent
 */
export async function runDataflow(
  pipeline: Pipeline,
  options: DataflowSubmission,
  objects: ObjectAccess,
  follow: FollowOptions,
): Promise<DataflowRun> {
  const { job, staged, proto } = prepareDataflowJob(pipeline, options);
  const service = new DataflowService(options);
  const { log } = follow;
  try {
    // Before Cloud Storage is asked: there, who has none is taken for anybody.
    await service.findCredentials();
    const update = options.update ? await updateOf(service, options, proto, objects) : undefined;
    await objects.write(staged.url, staged.bytes);
    log.info("the graph is staged", { url: staged.url, bytes: staged.bytes.length });
    const created = await service.create(update === undefined ? job : { ...job, ...update });
    const jobId = created.id ?? "";
    log.info("the job is submitted", { job: jobId, console: consoleUrl(options, jobId) });
    return new DataflowRun(service, jobId, proto, follow);
  } catch (error) {
    await service.close();
    throw error;
  }
}

/** Where a person sees the job. */
export function consoleUrl({ project, region }: DataflowPlace, jobId: string): string {
  return `https://console.cloud.google.com/dataflow/jobs/${region}/${jobId}?project=${project}`;
}

async function updateOf(
  service: DataflowService,
  { jobName, project, region, transformNameMapping }: DataflowSubmission,
  proto: runnerApi.Pipeline,
  objects: ObjectAccess,
): Promise<Pick<DataflowJob, "replaceJobId" | "transformNameMapping">> {
  const replaceJobId = await service.activeJob(jobName);
  if (replaceJobId === undefined) {
    throw new DataflowError(
      `no job called ${jobName} runs in ${project}, ${region}, so there is none to update: see \`order-payment-stream jobs list\`, or leave out --update`,
    );
  }
  const { environment } = await service.get(replaceJobId, "JOB_VIEW_ALL");
  const { options } = fromStruct(environment?.sdkPipelineOptions as never);
  const { pipelineUrl } = (options ?? {}) as { readonly pipelineUrl?: unknown };
  if (typeof pipelineUrl !== "string") {
    throw new DataflowError(
      `the job ${replaceJobId} does not say where its graph is, so it cannot be compared: was it submitted by another SDK?`,
    );
  }
  const running = shapeOf(await objects.read(pipelineUrl));
  checkCompatible(running, shapeOfProto(proto), transformNameMapping);
  return { replaceJobId, ...(transformNameMapping !== undefined && { transformNameMapping }) };
}
