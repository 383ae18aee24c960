/**
 * A worker pool for EXTERNAL environments: the runner asks it for workers, and each connects back to the runner. Here
 * the workers share this process. A worker ends when its control stream does; StopWorker may come before, after or
 * never. Source: beam_fn_api.proto, BeamFnExternalWorkerPool.
 *
 * Who may ask is in pool_admission.ts.
 */
import { type handleUnaryCall, type MethodDefinition, Server, ServerCredentials } from "@grpc/grpc-js";
import type { fnApi } from "../model/apache_beam.js";
import { CHANNEL_OPTIONS, deserializer, type Method, serializer } from "./connection.js";
import { START_WORKER, STOP_WORKER } from "./fn_methods.js";
import {
  bracketed,
  checkBinding,
  type PoolAdmission,
  refusalOf,
  refusalOfEndpoints,
} from "./pool_admission.js";
import { fetchProvision } from "./provision.js";
import type { WorkerTraffic } from "./state_channel.js";
import { Worker } from "./worker.js";
import { stderrLog, type WorkerLog } from "./worker_log.js";

export interface WorkerPoolOptions {
  readonly host?: string;
  /** 0: any that is free. */
  readonly port?: number;
  readonly log?: WorkerLog;
  readonly admission?: PoolAdmission;
  /**
   * Called before a worker takes its first bundle, with the pipeline's options by name.
   * @param others how many workers of this pool there are beside it
   */
  readonly prepare?: (options: Readonly<Record<string, unknown>>, others: number) => void | Promise<void>;
  /** What all its workers have asked of their runners; added to as they run. */
  readonly traffic?: WorkerTraffic;
  /** Starts a worker elsewhere than in this process; then `prepare` and `traffic` are its own matter. */
  readonly startWorker?: (worker: WantedWorker) => StartedWorker;
}

/** A worker that a runner asks for. One of the endpoints, host:port, may be "". */
export interface WantedWorker {
  readonly id: string;
  readonly controlEndpoint: string;
  readonly provisionEndpoint: string;
}

export interface StartedWorker {
  stop(): void;
  readonly finished: Promise<void>;
}

/**
 * A pool that serves a runner. It must listen before the job is run: a runner that cannot reach it gives up on the job, and
 * Prism on itself.
 */
export interface WorkerPool {
  /** host:port, as a runner on this machine reaches it. */
  readonly endpoint: string;
  /** Ends the workers that still run, and the server. May be called again. */
  close(): Promise<void>;
}

/** Resolves when the pool listens. Throws if it would be open to anybody. */
export async function startWorkerPool(options: WorkerPoolOptions = {}): Promise<WorkerPool> {
  const { host = "127.0.0.1", port = 0, admission = {} } = options;
  checkBinding(host, admission);
  const workers = new PooledWorkers(options);
  const server = new Server(CHANNEL_OPTIONS);
  const definition = {
    startWorker: definitionOf(START_WORKER),
    stopWorker: definitionOf(STOP_WORKER),
  };
  const startWorker: handleUnaryCall<fnApi.StartWorkerRequest, fnApi.StartWorkerResponse> = (
    { request },
    answer,
  ) => answer(null, { error: workers.start(request) });
  const stopWorker: handleUnaryCall<fnApi.StopWorkerRequest, fnApi.StopWorkerResponse> = (
    { request },
    answer,
  ) => {
    workers.stop(request.workerId);
    answer(null, { error: "" });
  };
  server.addService(definition, { startWorker, stopWorker });
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${bracketed(host)}:${port}`, ServerCredentials.createInsecure(), (error, at) =>
      error === null ? resolve(at) : reject(error),
    );
  });
  return {
    endpoint: `${bracketed(host)}:${bound}`,
    async close() {
      await workers.close();
      server.forceShutdown();
    },
  };
}

/** Workers of one pool, by id. */
class PooledWorkers {
  readonly #workers = new Map<string, StartedWorker>();
  readonly #log: WorkerLog;

  constructor(private readonly options: WorkerPoolOptions) {
    this.#log = options.log ?? stderrLog;
  }

  /** Answers what is wrong with the request, or nothing; the worker connects later. */
  start(request: fnApi.StartWorkerRequest): string {
    const { workerId, controlEndpoint, provisionEndpoint } = request;
    if (this.#workers.has(workerId)) return `a worker ${workerId} is there already`;
    const endpoints = [controlEndpoint, provisionEndpoint, request.loggingEndpoint, request.artifactEndpoint];
    const { admission = {} } = this.options;
    const urls = endpoints.flatMap((endpoint) => endpoint?.url || []);
    const refusal = refusalOf(request.params, urls, admission);
    if (refusal !== undefined) {
      this.#log.warn("a request for a worker was refused", { worker: workerId, reason: refusal });
      return refusal;
    }
    if (endpoints.some((endpoint) => endpoint?.authentication !== undefined)) {
      return "this pool's workers cannot authenticate themselves";
    }
    const control = controlEndpoint?.url ?? "";
    const provision = provisionEndpoint?.url ?? "";
    if (control === "" && provision === "") return "the request names no control endpoint";
    const { startWorker } = this.options;
    const starting =
      startWorker?.({ id: workerId, controlEndpoint: control, provisionEndpoint: provision }) ??
      this.#start(workerId, control, provision);
    this.#workers.set(workerId, starting);
    starting.finished
      .catch((error: Error) => this.#log.warn("a worker ended", { worker: workerId, reason: error.message }))
      .finally(() => this.#workers.delete(workerId));
    return "";
  }

  stop(workerId: string): void {
    this.#workers.get(workerId)?.stop();
  }

  async close(): Promise<void> {
    const workers = [...this.#workers.values()];
    for (const worker of workers) worker.stop();
    await Promise.allSettled(workers.map(({ finished }) => finished));
  }

  #start(workerId: string, control: string, provision: string): StartedWorker {
    let worker: Worker | undefined;
    let isStopped = false;
    const run = async (): Promise<void> => {
      const info = await fetchProvision(provision, workerId);
      const told = [info.controlEndpoint, info.statusEndpoint].filter((url) => url !== "");
      const refusal = refusalOfEndpoints(told, this.options.admission ?? {});
      if (refusal !== undefined) throw new Error(refusal);
      let initialError: Error | undefined;
      try {
        await this.options.prepare?.(info.pipelineOptions, this.#workers.size - 1);
      } catch (error) {
        initialError = error as Error;
      }
      if (isStopped) return;
      worker = new Worker({
        workerId,
        controlEndpoint: control || info.controlEndpoint,
        log: this.#log,
        runnerCapabilities: info.runnerCapabilities,
        honoursMs: info.honoursMs,
        ...(this.options.traffic !== undefined && { traffic: this.options.traffic }),
        statusEndpoint: info.statusEndpoint,
        ...(initialError !== undefined && { initialError }),
      });
      await worker.finished;
    };
    return {
      finished: run(),
      stop: () => {
        isStopped = true;
        worker?.stop();
      },
    };
  }
}

function definitionOf<Request, Response>(
  method: Method<Request, Response>,
): MethodDefinition<Request, Response> {
  return {
    path: method.path,
    requestStream: false,
    responseStream: false,
    requestSerialize: serializer(method.request),
    requestDeserialize: deserializer(method.request),
    responseSerialize: serializer(method.response),
    responseDeserialize: deserializer(method.response),
  };
}
