/** The Fn API as workers see it: one endpoint for all, and who they are and what they are told to begin with. */
import { artifactApi, fnApi, provisionApi, Struct } from "@order-payment-stream/beam/protos";
import { type ServerStream, serve } from "./fn_calls.js";

export interface FleetHandlers {
  /** Of the workers; the first is told of the others, and starts them. */
  readonly ids: readonly string[];
  readonly pipelineOptions: Record<string, unknown>;
  readonly runnerCapabilities: string[];
  onControl(call: ServerStream<fnApi.InstructionResponse, fnApi.InstructionRequest>): void;
  onData(call: ServerStream<fnApi.Elements, fnApi.Elements>): void;
  onState(call: ServerStream<fnApi.StateRequest, fnApi.StateResponse>): void;
  onLog(workerId: string, entry: fnApi.LogEntry): void;
  describe(id: string): Promise<fnApi.ProcessBundleDescriptor>;
}

type Answer = (error: unknown, response?: object) => void;

export async function serveWorkers(
  handlers: FleetHandlers,
): Promise<{ readonly endpoint: string; close(): void }> {
  let endpoint = "";
  const server = await serve([
    [
      fnApi.BeamFnControl,
      {
        Control: handlers.onControl,
        GetProcessBundleDescriptor: ({ request }, answer: Answer) => {
          handlers.describe(request.processBundleDescriptorId).then(
            (descriptor) => answer(null, descriptor),
            (error) => answer(error),
          );
        },
      },
    ],
    [fnApi.BeamFnData, { Data: handlers.onData }],
    [fnApi.BeamFnState, { State: handlers.onState }],
    [fnApi.BeamFnLogging, { Logging: (call) => takeLog(call, handlers) }],
    [
      provisionApi.ProvisionService,
      {
        GetProvisionInfo: (call, answer: Answer) =>
          answer(null, { info: provisionOf(idOf(call), endpoint, handlers) }),
      },
    ],
    [
      artifactApi.ArtifactRetrievalService,
      {
        ResolveArtifacts: ({ request }, answer: Answer) => answer(null, { replacements: request.artifacts }),
      },
    ],
  ]);
  endpoint = server.endpoint;
  return server;
}

export function idOf(call: { readonly metadata: { get(key: string): unknown[] } }): string {
  return String(call.metadata.get("worker_id")[0] ?? "");
}

function provisionOf(
  id: string,
  endpoint: string,
  { ids, pipelineOptions, runnerCapabilities }: FleetHandlers,
): provisionApi.ProvisionInfo {
  const here = { url: endpoint } as never;
  return provisionApi.ProvisionInfo.create({
    pipelineOptions: Struct.fromJson(pipelineOptions as never),
    runnerCapabilities,
    metadata: { runner: "fake-dataflow" },
    controlEndpoint: here,
    loggingEndpoint: here,
    artifactEndpoint: here,
    siblingWorkerIds: id === ids[0] ? ids.slice(1) : [],
  });
}

function takeLog(call: ServerStream<fnApi.LogEntry_List, fnApi.LogControl>, { onLog }: FleetHandlers): void {
  const id = idOf(call);
  call.on("data", ({ logEntries }: fnApi.LogEntry_List) => {
    for (const entry of logEntries) onLog(id, entry);
  });
  call.on("error", () => undefined);
  call.on("end", () => call.end());
}
