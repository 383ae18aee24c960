/** A job service that does what a test says, on a free port of 127.0.0.1. */
import { once } from "node:events";
import {
  type handleUnaryCall,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerWritableStream,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import type { IMessageType } from "@protobuf-ts/runtime";
import { artifactApi, jobApi } from "../../../../../beam/runners/portable/job_api.js";

const { JobState_Enum, JobMessage_MessageImportance } = jobApi;

export type Script = {
  prepare?(request: jobApi.PrepareJobRequest): void;
  /** Asked of the client while it stages. */
  stagingRequests?: readonly artifactApi.ArtifactRequestWrapper[];
  /** Called when the job runs; ends with its terminal state. */
  job?(job: ScriptedJob): void | Promise<void>;
  metrics?(): jobApi.MetricResults;
  cancel?(job: ScriptedJob): void;
  drain?(job: ScriptedJob): void;
};

export class ScriptedJob {
  readonly states: jobApi.JobState_Enum[] = [JobState_Enum.STARTING];
  readonly messages: jobApi.JobMessage[] = [];
  readonly #listeners = new Set<() => void>();

  go(state: keyof typeof JobState_Enum): void {
    this.states.push(JobState_Enum[state]);
    for (const listener of this.#listeners) listener();
  }

  say(messageText: string, importance: keyof typeof JobMessage_MessageImportance): void {
    this.messages.push(
      jobApi.JobMessage.create({ messageText, importance: JobMessage_MessageImportance[importance] }),
    );
    for (const listener of this.#listeners) listener();
  }

  watch(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

export class ScriptedJobServer {
  readonly job = new ScriptedJob();
  readonly stagingResponses: artifactApi.ArtifactResponseWrapper[] = [];
  endpoint = "";
  readonly #server = new Server();

  constructor(private readonly script: Script) {}

  static async start(script: Script): Promise<ScriptedJobServer> {
    const server = new ScriptedJobServer(script);
    await server.#listen();
    return server;
  }

  /** As a runner that is killed: no stream is ended in order. */
  kill(): void {
    this.#server.forceShutdown();
  }

  async #listen(): Promise<void> {
    this.#addService(jobApi.JobService, {
      Prepare: unary(({ ...request }: jobApi.PrepareJobRequest) => {
        this.script.prepare?.(request);
        return jobApi.PrepareJobResponse.create({
          preparationId: "prepared",
          stagingSessionToken: "token",
          artifactStagingEndpoint: { url: this.endpoint },
        });
      }),
      Run: unary(() => {
        void this.script.job?.(this.job);
        return jobApi.RunJobResponse.create({ jobId: "job" });
      }),
      GetJobs: unary(() => jobApi.GetJobsResponse.create()),
      GetState: unary(() => jobApi.JobStateEvent.create({ state: this.job.states.at(-1)! })),
      GetJobMetrics: unary(() => {
        const metrics = this.script.metrics?.() ?? jobApi.MetricResults.create();
        return jobApi.GetJobMetricsResponse.create({ metrics });
      }),
      Cancel: unary(() => {
        this.script.cancel?.(this.job);
        return jobApi.CancelJobResponse.create();
      }),
      GetStateStream: (call: ServerWritableStream<unknown, jobApi.JobStateEvent>) => this.#streamStates(call),
      GetMessageStream: (call: ServerWritableStream<unknown, jobApi.JobMessagesResponse>) =>
        this.#streamMessages(call),
    });
    if (this.script.drain !== undefined) this.#addDrain();
    this.#addService(artifactApi.ArtifactStagingService, {
      ReverseArtifactRetrievalService: (
        call: ServerDuplexStream<artifactApi.ArtifactResponseWrapper, artifactApi.ArtifactRequestWrapper>,
      ) => void this.#stage(call),
    });
    const port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    this.endpoint = `127.0.0.1:${port}`;
  }

  #streamStates(call: ServerWritableStream<unknown, jobApi.JobStateEvent>): void {
    let sent = 0;
    const send = (): void => {
      for (; sent < this.job.states.length; sent++) {
        const state = this.job.states[sent]!;
        call.write(jobApi.JobStateEvent.create({ state }));
        if (isTerminal(state)) return void call.end();
      }
    };
    call.on("cancelled", this.job.watch(send));
    send();
  }

  #streamMessages(call: ServerWritableStream<unknown, jobApi.JobMessagesResponse>): void {
    let sent = 0;
    const send = (): void => {
      for (; sent < this.job.messages.length; sent++) {
        const messageResponse = this.job.messages[sent]!;
        call.write(
          jobApi.JobMessagesResponse.create({ response: { oneofKind: "messageResponse", messageResponse } }),
        );
      }
      if (isTerminal(this.job.states.at(-1)!)) call.end();
    };
    call.on("cancelled", this.job.watch(send));
    send();
  }

  async #stage(
    call: ServerDuplexStream<artifactApi.ArtifactResponseWrapper, artifactApi.ArtifactRequestWrapper>,
  ): Promise<void> {
    const [first] = await once(call, "data");
    this.stagingResponses.push(first);
    for (const request of this.script.stagingRequests ?? []) {
      call.write(request);
      const [response] = await once(call, "data");
      this.stagingResponses.push(response);
    }
    call.end();
  }

  #addDrain(): void {
    const drain = unary((_: jobApi.CancelJobRequest) => {
      this.script.drain?.(this.job);
      return jobApi.CancelJobResponse.create();
    });
    const definition = methodDefinition(
      "/org.apache.beam.model.job_management.v1.JobService/Drain",
      jobApi.CancelJobRequest,
      jobApi.CancelJobResponse,
      false,
      false,
    );
    this.#server.addService({ Drain: definition }, { Drain: drain } as UntypedServiceImplementation);
  }

  #addService(
    service: typeof jobApi.JobService | typeof artifactApi.ArtifactStagingService,
    implementation: Record<string, unknown>,
  ): void {
    const methods = service.methods.filter(({ name }) => name in implementation);
    const definitions = methods.map((method) => [
      method.name,
      methodDefinition(
        `/${service.typeName}/${method.name}`,
        method.I,
        method.O,
        method.clientStreaming ?? false,
        method.serverStreaming ?? false,
      ),
    ]);
    this.#server.addService(
      Object.fromEntries(definitions),
      implementation as unknown as UntypedServiceImplementation,
    );
  }
}

function methodDefinition(
  path: string,
  input: IMessageType<any>,
  output: IMessageType<any>,
  requestStream: boolean,
  responseStream: boolean,
) {
  return {
    path,
    requestStream,
    responseStream,
    requestSerialize: (message: object) => Buffer.from(input.toBinary(message)),
    requestDeserialize: (bytes: Buffer) => input.fromBinary(bytes),
    responseSerialize: (message: object) => Buffer.from(output.toBinary(message)),
    responseDeserialize: (bytes: Buffer) => output.fromBinary(bytes),
  };
}

function unary<Request, Response>(
  answer: (request: Request) => Response,
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    try {
      callback(null, answer(call.request));
    } catch (error) {
      callback({ code: status.INVALID_ARGUMENT, details: (error as Error).message });
    }
  };
}

function isTerminal(state: jobApi.JobState_Enum): boolean {
  return [JobState_Enum.DONE, JobState_Enum.FAILED, JobState_Enum.CANCELLED, JobState_Enum.DRAINED].includes(
    state,
  );
}
