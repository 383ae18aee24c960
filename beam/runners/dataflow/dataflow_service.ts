/**
 * The Dataflow service, call by call: each has a deadline, an outage is tried again a few times, and what the service
 * refuses is thrown in one line. Source: google.dataflow.v1beta3 in @google-cloud/dataflow.
 */

import { createRequire } from "node:module";
import type {
  JobsV1Beta3Client,
  MessagesV1Beta3Client,
  MetricsV1Beta3Client,
  protos,
} from "@google-cloud/dataflow";
import { credentials } from "@grpc/grpc-js";
import { type Backoff, backoffMs } from "../../platform/backoff.js";
import { sleep } from "../../platform/clock.js";
import { type Asked, DataflowError, explainDataflowError, nameInUse } from "./dataflow_errors.js";
import type { DataflowJob } from "./dataflow_job.js";
import type { DataflowPlace } from "./dataflow_options.js";
import { toStruct } from "./struct.js";

/** A job as the service tells of it. Source: google.dataflow.v1beta3.Job. */
export type Job = protos.google.dataflow.v1beta3.IJob;
export type ServiceMessage = protos.google.dataflow.v1beta3.IJobMessage;
export type MetricUpdate = protos.google.dataflow.v1beta3.IMetricUpdate;
export type JobState = keyof typeof protos.google.dataflow.v1beta3.JobState;

const CALL_TIMEOUT_MS = 60_000;
const ATTEMPTS = 4;
const BACKOFF: Backoff = { firstMs: 1_000, maxMs: 60_000, jitter: 0 };
const PAGE_SIZE = 100;
const PAGES_MAX = 100;

interface Clients {
  readonly jobs: JobsV1Beta3Client;
  readonly messages: MessagesV1Beta3Client;
  readonly metrics: MetricsV1Beta3Client;
}

/** Jobs of one project in one region, at the service itself. */
export class DataflowService {
  #clients: Clients | undefined;

  constructor(readonly place: DataflowPlace) {}

  /** Throws a DataflowError where there are none; whether they are good for anything, only an answer tells. */
  async findCredentials(): Promise<void> {
    if (this.place.dataflowEndpoint?.startsWith("http:")) return;
    try {
      await this.#open().jobs.auth.getClient();
    } catch (error) {
      throw explainDataflowError(error, { ...this.place, what: "find credentials" });
    }
  }

  /** Resolves with the job as the service has it. Throws a DataflowError, also for a name that is in use. */
  async create(job: DataflowJob): Promise<Job> {
    const { projectId, location } = job;
    const created = await this.#call<Job>("create a job", job.name, ({ jobs }, options) =>
      jobs.createJob({ projectId, location, job: toMessage(job) }, options),
    );
    // The service answers with the job that has the name, whose ever it is.
    const isOurs = !created.clientRequestId || created.clientRequestId === job.clientRequestId;
    if (!isOurs) throw nameInUse(job.name, this.place);
    return created;
  }

  get(jobId: string, view: "JOB_VIEW_SUMMARY" | "JOB_VIEW_ALL" = "JOB_VIEW_SUMMARY"): Promise<Job> {
    return this.#call<Job>("show a job", jobId, ({ jobs }, options) =>
      jobs.getJob({ ...this.#where, jobId, view }, options),
    );
  }

  /** Jobs of the region, newest first as the service has them. */
  async list(filter: "ALL" | "ACTIVE" | "TERMINATED", name?: string): Promise<Job[]> {
    const found: Job[] = [];
    let pageToken = "";
    for (let page = 0; page < PAGES_MAX; page++) {
      const request = { ...this.#where, filter, pageSize: PAGE_SIZE, pageToken, ...(name && { name }) };
      const [jobs, next] = await this.#pages<Job>("list jobs", undefined, ({ jobs: client }, options) =>
        client.listJobs(request, options),
      );
      found.push(...jobs);
      if (next === "") break;
      pageToken = next;
    }
    return found;
  }

  /** The id of the job that runs under a name; undefined when none does. */
  async activeJob(name: string): Promise<string | undefined> {
    const active = await this.list("ACTIVE");
    return active.find((job) => job.name === name)?.id ?? undefined;
  }

  /** Cancels or drains. */
  async request(jobId: string, requestedState: "JOB_STATE_CANCELLED" | "JOB_STATE_DRAINING"): Promise<void> {
    const what = requestedState === "JOB_STATE_CANCELLED" ? "cancel a job" : "drain a job";
    await this.#call<Job>(what, jobId, ({ jobs }, options) =>
      jobs.updateJob({ ...this.#where, jobId, job: { requestedState } }, options),
    );
  }

  /** Messages from a time on, oldest first. The service tells those of the very time again. */
  async messages(jobId: string, startTime: ServiceMessage["time"]): Promise<ServiceMessage[]> {
    const found: ServiceMessage[] = [];
    let pageToken = "";
    for (let page = 0; page < PAGES_MAX; page++) {
      const request = {
        ...this.#where,
        jobId,
        minimumImportance: "JOB_MESSAGE_DETAILED" as const,
        pageSize: PAGE_SIZE,
        pageToken,
        ...(startTime != null && { startTime }),
      };
      const [messages, next] = await this.#pages<ServiceMessage>(
        "read messages of a job",
        jobId,
        ({ messages: client }, options) => client.listJobMessages(request, options),
      );
      found.push(...messages);
      if (next === "") break;
      pageToken = next;
    }
    return found;
  }

  async metrics(jobId: string): Promise<MetricUpdate[]> {
    const { metrics } = await this.#call<{ metrics?: MetricUpdate[] | null }>(
      "read metrics of a job",
      jobId,
      ({ metrics: client }, options) => client.getJobMetrics({ ...this.#where, jobId }, options),
    );
    return metrics ?? [];
  }

  async close(): Promise<void> {
    const clients = this.#clients;
    this.#clients = undefined;
    if (clients === undefined) return;
    await Promise.all([clients.jobs.close(), clients.messages.close(), clients.metrics.close()]);
  }

  get #where(): { readonly projectId: string; readonly location: string } {
    return { projectId: this.place.project, location: this.place.region };
  }

  async #call<T>(
    what: string,
    job: string | undefined,
    call: (clients: Clients, options: { timeout: number }) => PromiseLike<unknown>,
  ): Promise<T> {
    const [answer] = await this.#attempt(what, job, call);
    return answer as T;
  }

  async #pages<T>(
    what: string,
    job: string | undefined,
    call: (
      clients: Clients,
      options: { timeout: number; autoPaginate: false; maxRetries: number },
    ) => PromiseLike<unknown>,
  ): Promise<[T[], string]> {
    const [items, , response] = await this.#attempt(what, job, (clients, { timeout }) =>
      call(clients, { timeout, autoPaginate: false, maxRetries: 0 }),
    );
    const { nextPageToken } = (response ?? {}) as { nextPageToken?: string | null };
    return [items as T[], nextPageToken ?? ""];
  }

  async #attempt(
    what: string,
    job: string | undefined,
    call: (clients: Clients, options: { timeout: number }) => PromiseLike<unknown>,
  ): Promise<readonly unknown[]> {
    const asked: Asked = { ...this.place, what, job };
    for (let attempt = 1; ; attempt++) {
      try {
        return (await call(this.#open(), { timeout: CALL_TIMEOUT_MS })) as readonly unknown[];
      } catch (error) {
        const explained = explainDataflowError(error, asked);
        if (!explained.isOutage || attempt === ATTEMPTS) throw explained;
        await sleep(backoffMs(BACKOFF, attempt));
      }
    }
  }

  /** What is Google's is loaded when it is asked for: it is large, and no dependency of the library. */
  #open(): Clients {
    if (this.#clients !== undefined) return this.#clients;
    const google = loadGoogle();
    const options = clientOptions(this.place.dataflowEndpoint);
    this.#clients = {
      jobs: new google.JobsV1Beta3Client(options),
      messages: new google.MessagesV1Beta3Client(options),
      metrics: new google.MetricsV1Beta3Client(options),
    };
    return this.#clients;
  }
}

function loadGoogle(): typeof import("@google-cloud/dataflow") {
  try {
    return createRequire(import.meta.url)("@google-cloud/dataflow");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
    throw new DataflowError(
      "the package @google-cloud/dataflow is missing: add it to your program (npm install @google-cloud/dataflow)",
    );
  }
}

function clientOptions(endpoint: string | undefined): Record<string, string | number | boolean | object> {
  if (endpoint === undefined) return { fallback: false };
  const { hostname, port, protocol } = new URL(endpoint);
  const isPlain = protocol === "http:";
  // An emulator asks for no account, so none is looked for.
  if (isPlain) process.env.METADATA_SERVER_DETECTION ??= "none";
  return {
    fallback: false,
    apiEndpoint: hostname,
    port: Number(port || (isPlain ? 80 : 443)),
    ...(isPlain && { sslCreds: credentials.createInsecure() }),
  };
}

/** The same in the form of protobuf: what is free JSON there is a Struct here. */
function toMessage(job: DataflowJob): Job {
  const { environment, ...rest } = job;
  const { userAgent, version, sdkPipelineOptions, ...others } = environment;
  return {
    ...rest,
    environment: {
      ...others,
      userAgent: toStruct(userAgent),
      version: toStruct(version),
      sdkPipelineOptions: toStruct(sdkPipelineOptions),
    },
  } as unknown as Job;
}
