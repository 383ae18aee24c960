/**
 * A runner's job service, call by call. Nothing waits without a bound but the two streams, and those end with the job.
 * Source: beam_job_api.proto.
 */
import { type ClientReadableStream, credentials } from "@grpc/grpc-js";
import type { runnerApi } from "../../model/apache_beam.js";
import { JobServiceClient, jobApi, type Struct } from "./job_api.js";
import { CHANNEL_OPTIONS, callOnce, RunnerCallError } from "./rpc.js";

const REACH_TIMEOUT_MS = 10_000;
const CALL_TIMEOUT_MS = 10_000;
/** Flink's server looks through the whole pipeline first. */
const PREPARE_TIMEOUT_MS = 60_000;
const RUN_TIMEOUT_MS = 60_000;
/** The package's protos are older than this call. Its messages have the shape of Cancel's. */
const DRAIN_METHOD = "/org.apache.beam.model.job_management.v1.JobService/Drain";

export class JobService {
  readonly #client: JobServiceClient;

  /** @param endpoint host:port */
  constructor(readonly endpoint: string) {
    this.#client = new JobServiceClient(endpoint, credentials.createInsecure(), CHANNEL_OPTIONS);
  }

  /** Rejects unless a job service answers, whatever it answers. */
  async reach(): Promise<void> {
    try {
      await callOnce("a first call", this.endpoint, REACH_TIMEOUT_MS, (options, callback) =>
        this.#client.getJobs(jobApi.GetJobsRequest.create(), options, callback),
      );
    } catch (error) {
      if (!(error instanceof RunnerCallError) || error.isUnanswered) throw error;
    }
  }

  prepare(
    pipeline: runnerApi.Pipeline,
    pipelineOptions: Struct,
    jobName: string,
  ): Promise<jobApi.PrepareJobResponse> {
    const request = jobApi.PrepareJobRequest.create({ pipeline, pipelineOptions, jobName });
    return callOnce("prepare the job", this.endpoint, PREPARE_TIMEOUT_MS, (options, callback) =>
      this.#client.prepare(request, options, callback),
    );
  }

  /** Resolves with the job's id. */
  async run(preparationId: string, retrievalToken: string): Promise<string> {
    const request = jobApi.RunJobRequest.create({ preparationId, retrievalToken });
    const { jobId } = await callOnce<jobApi.RunJobResponse>(
      "run the job",
      this.endpoint,
      RUN_TIMEOUT_MS,
      (options, callback) => this.#client.run(request, options, callback),
    );
    return jobId;
  }

  async state(jobId: string): Promise<jobApi.JobState_Enum> {
    const { state } = await callOnce<jobApi.JobStateEvent>(
      "tell the job's state",
      this.endpoint,
      CALL_TIMEOUT_MS,
      (options, callback) =>
        this.#client.getState(jobApi.GetJobStateRequest.create({ jobId }), options, callback),
    );
    return state;
  }

  states(jobId: string): ClientReadableStream<jobApi.JobStateEvent> {
    return this.#client.getStateStream(jobApi.GetJobStateRequest.create({ jobId }));
  }

  messages(jobId: string): ClientReadableStream<jobApi.JobMessagesResponse> {
    return this.#client.getMessageStream(jobApi.JobMessagesRequest.create({ jobId }));
  }

  async metrics(jobId: string): Promise<jobApi.MetricResults> {
    const { metrics } = await callOnce<jobApi.GetJobMetricsResponse>(
      "tell the job's metrics",
      this.endpoint,
      CALL_TIMEOUT_MS,
      (options, callback) =>
        this.#client.getJobMetrics(jobApi.GetJobMetricsRequest.create({ jobId }), options, callback),
    );
    return metrics ?? jobApi.MetricResults.create();
  }

  async cancel(jobId: string): Promise<void> {
    await callOnce("cancel the job", this.endpoint, CALL_TIMEOUT_MS, (options, callback) =>
      this.#client.cancel(jobApi.CancelJobRequest.create({ jobId }), options, callback),
    );
  }

  /** Rejects with an error that `isUnimplemented` where the runner cannot. */
  async drain(jobId: string): Promise<void> {
    await callOnce("drain a job", this.endpoint, CALL_TIMEOUT_MS, (options, callback) =>
      this.#client.makeUnaryRequest(
        DRAIN_METHOD,
        (request: jobApi.CancelJobRequest) => Buffer.from(jobApi.CancelJobRequest.toBinary(request)),
        (bytes: Buffer) => jobApi.CancelJobResponse.fromBinary(bytes),
        jobApi.CancelJobRequest.create({ jobId }),
        options,
        callback,
      ),
    );
  }

  close(): void {
    this.#client.close();
  }
}
