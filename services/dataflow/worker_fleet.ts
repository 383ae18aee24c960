/**
 * Several worker processes that look like one worker to the runner, as the machines of a Dataflow job do: each bundle goes
 * to the next of them, so that what one puts off is resumed by another; a bundle whose worker dies, or fails it, is given
 * to the next one; and nothing that a bundle has written or emitted reaches the runner before the bundle has succeeded.
 *
 *     Prism ── control, data, state ──► fleet ── the Fn API, as Dataflow serves it ──► entrypoint of the image, siblings
 */
import { sleep } from "@order-payment-stream/beam/io";
import { fnApi, provisionApi } from "@order-payment-stream/beam/protos";
import {
  type Assignment,
  elementsByInstruction,
  FleetBundle,
  isSource,
  portsOf,
  timerFamiliesOf,
} from "./fleet_bundle.js";
import { FleetDescriptors } from "./fleet_descriptors.js";
import { FleetQuestions, marked } from "./fleet_questions.js";
import { idOf, serveWorkers } from "./fleet_server.js";
import { FleetState } from "./fleet_state.js";
import { FleetWorker } from "./fleet_worker.js";
import { RunnerConnection, type ServerStream } from "./fn_calls.js";
import { SplitChecks } from "./split_checks.js";

export interface FleetOptions {
  /** Beside the first one. */
  readonly siblings: number;
  /** As the worker gets them. */
  readonly pipelineOptions: Record<string, unknown>;
  readonly onLog: (workerId: string, entry: fnApi.LogEntry) => void;
  /** A worker has broken a rule of the protocol; the job fails with it. */
  readonly onViolation: (what: string) => void;
  /** Timers come twice, as they may on Dataflow. */
  readonly firesTimersTwice?: boolean;
}

type Control = ServerStream<fnApi.InstructionResponse, fnApi.InstructionRequest>;

/** Streaming jobs try for ever; a test has to end. */
const ATTEMPTS_MAX = 5;
const FINISHED_MAX = 1_000;

export class WorkerFleet {
  /** Of each attempt: the bundle's descriptor and its worker, for tests. */
  readonly assignments: Assignment[] = [];
  isDraining = false;
  readonly #workers: FleetWorker[] = [];
  readonly #bundles = new Map<string, FleetBundle>();
  /** Elements that came before their bundle. */
  readonly #early = new Map<string, fnApi.Elements[]>();
  readonly #unassigned: FleetBundle[] = [];
  /** Last workers of finished bundles, for finalization; none for those that no worker had. */
  readonly #finished = new Map<string, FleetWorker | undefined>();
  readonly #questions = new FleetQuestions();
  readonly #turns = new Map<string, number>();
  readonly #checks = new SplitChecks();
  #descriptors!: FleetDescriptors;
  #state!: FleetState;
  #control!: ReturnType<RunnerConnection["stream"]>;
  #data: ReturnType<RunnerConnection["stream"]> | undefined;
  #connections = 0;
  #isClosed = false;

  private constructor(
    private readonly runner: RunnerConnection,
    private readonly provision: provisionApi.ProvisionInfo,
    private readonly options: FleetOptions,
  ) {}

  endpoint = "";
  #closeServer: () => void = () => undefined;

  /** Between a runner that has asked for a worker, and the processes that will connect. */
  static async start(request: fnApi.StartWorkerRequest, options: FleetOptions): Promise<WorkerFleet> {
    const url = request.provisionEndpoint?.url || request.controlEndpoint?.url || "";
    const runner = new RunnerConnection(url, request.workerId);
    const { info } = await runner.call<provisionApi.GetProvisionInfoResponse>(
      provisionApi.ProvisionService,
      "GetProvisionInfo",
      {},
    );
    const fleet = new WorkerFleet(runner, info!, options);
    await fleet.#serve();
    fleet.#connect();
    return fleet;
  }

  /** Ids of the worker processes, the first of which starts the others. */
  get ids(): readonly string[] {
    return Array.from({ length: this.options.siblings + 1 }, (_, i) => `sdk-0-${i}`);
  }

  get connected(): readonly string[] {
    return this.#workers.map(({ id }) => id);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const worker of this.#workers.splice(0)) worker.end();
    this.#control.end();
    this.#data?.end();
    this.#state.close();
    void sleep(100, { isBackground: true }).then(() => {
      this.#closeServer();
      this.runner.close();
    });
  }

  async #serve(): Promise<void> {
    const server = await serveWorkers({
      ids: this.ids,
      pipelineOptions: this.options.pipelineOptions,
      runnerCapabilities: this.provision.runnerCapabilities,
      onControl: (call) => this.#onControl(call),
      onData: (call) => this.#onData(call),
      onState: (call) => this.#onState(call),
      onLog: this.options.onLog,
      describe: (id) => this.#descriptors.forWorkers(id),
    });
    this.endpoint = server.endpoint;
    this.#closeServer = server.close;
    this.#descriptors = new FleetDescriptors(this.runner, server.endpoint);
  }

  #connect(): void {
    this.#control = this.runner.stream(fnApi.BeamFnControl, "Control");
    this.#control.on("data", (request: fnApi.InstructionRequest) => void this.#take(request));
    for (const end of ["end", "error"]) this.#control.on(end, () => this.close());
    this.#state = new FleetState(this.runner);
    // Elements may come from now on.
    this.#openData();
  }

  async #take(request: fnApi.InstructionRequest): Promise<void> {
    const { instructionId: id } = request;
    const asked = request.request;
    switch (asked.oneofKind) {
      case "processBundle": {
        const descriptor = await this.#descriptors.get(asked.processBundle.processBundleDescriptorId);
        const bundle = new FleetBundle(request, descriptor);
        this.#bundles.set(id, bundle);
        bundle.input.push(...(this.#early.get(id) ?? []));
        this.#early.delete(id);
        if (this.isDraining && isSource(descriptor)) this.#endSource(bundle);
        else this.#assign(bundle);
        return;
      }
      case "processBundleProgress":
        return this.#passOn(asked.processBundleProgress.instructionId, request, {
          oneofKind: "processBundleProgress",
          processBundleProgress: { monitoringInfos: [], monitoringData: {} },
        } as never);
      case "processBundleSplit":
        return this.#passOn(asked.processBundleSplit.instructionId, request, {
          oneofKind: "processBundleSplit",
          processBundleSplit: { primaryRoots: [], residualRoots: [], channelSplits: [] },
        } as never);
      case "finalizeBundle": {
        const worker = this.#finished.get(asked.finalizeBundle.instructionId);
        // Best effort: what a dead worker had to finalize is not.
        const done = { oneofKind: "finalizeBundle", finalizeBundle: {} } as const;
        if (worker === undefined || worker.isGone)
          this.#answer({ instructionId: id, error: "", response: done });
        else this.#questions.ask(worker, request, (answer) => this.#answer(answer));
        return;
      }
      case "monitoringInfos":
        return this.#explainShortIds(id, asked.monitoringInfos.monitoringInfoId);
      case "harnessMonitoringInfos":
        return this.#answer({
          instructionId: id,
          error: "",
          response: { oneofKind: "harnessMonitoringInfos", harnessMonitoringInfos: { monitoringData: {} } },
        });
      default:
        this.#answer({
          instructionId: id,
          error: `the fleet does not know ${asked.oneofKind}`,
          response: { oneofKind: undefined },
        });
    }
  }

  /** To the worker that has the bundle; with an empty answer where none has it. */
  #passOn(
    bundleId: string,
    request: fnApi.InstructionRequest,
    empty: fnApi.InstructionResponse["response"],
  ): void {
    const worker = this.#bundles.get(bundleId)?.worker;
    const { instructionId } = request;
    if (worker === undefined) {
      this.#answer({ instructionId, error: "", response: empty });
      return;
    }
    this.#questions.ask(worker, request, (answer) => {
      const { response } = answer;
      // Of an attempt that has failed: the runner asks the next one later.
      if (answer.error !== "") {
        this.#answer({ instructionId, error: "", response: empty });
        return;
      }
      if (response.oneofKind === "processBundleSplit") {
        const problem = this.#checks.problem(bundleId, response.processBundleSplit);
        if (problem !== undefined) this.options.onViolation(problem);
      }
      if (response.oneofKind === "processBundleProgress") {
        const { monitoringData } = response.processBundleProgress;
        response.processBundleProgress.monitoringData = marked(worker, monitoringData);
      }
      this.#answer(answer);
    });
  }

  #assign(bundle: FleetBundle): void {
    if (this.#workers.length === 0) {
      this.#unassigned.push(bundle);
      return;
    }
    const { id: descriptor } = bundle.descriptor;
    const turn = (this.#turns.get(descriptor) ?? -1) + 1;
    this.#turns.set(descriptor, turn);
    const worker = this.#workers[turn % this.#workers.length]!;
    this.assignments.push({ descriptor, worker: worker.id, isSource: isSource(bundle.descriptor) });
    bundle.begin(worker);
    worker.instruct(bundle.request);
    for (const elements of bundle.input) worker.send(elements);
  }

  /** A drain: the source is told to be done without its worker being asked. */
  #endSource(bundle: FleetBundle): void {
    const { id: instructionId } = bundle;
    for (const transformId of portsOf(bundle.descriptor).sinks) {
      bundle.output.data.push({ instructionId, transformId, data: new Uint8Array(), isLast: true });
    }
    for (const [transformId, timerFamilyId] of timerFamiliesOf(bundle.descriptor)) {
      bundle.output.timers.push({
        instructionId,
        transformId,
        timerFamilyId,
        timers: new Uint8Array(),
        isLast: true,
      });
    }
    const processBundle = fnApi.ProcessBundleResponse.create();
    bundle.response = { instructionId, error: "", response: { oneofKind: "processBundle", processBundle } };
    this.#finishIfComplete(bundle);
  }

  #finishIfComplete(bundle: FleetBundle): void {
    if (bundle.isComplete) void this.#finish(bundle, bundle.response!);
  }

  async #finish(bundle: FleetBundle, response: fnApi.InstructionResponse): Promise<void> {
    const { worker } = bundle;
    // Nobody else gets it from here on.
    bundle.worker = undefined;
    await this.#state.write(bundle.writes);
    this.#openData().write(bundle.output);
    if (response.response.oneofKind === "processBundle" && worker !== undefined) {
      const { processBundle } = response.response;
      processBundle.monitoringData = marked(worker, processBundle.monitoringData);
    }
    this.#finished.set(bundle.id, worker);
    if (this.#finished.size > FINISHED_MAX) this.#finished.delete(this.#finished.keys().next().value!);
    this.#forget(bundle);
    this.#answer(response);
  }

  /** Gives the bundle to the next worker; or lets the runner know. */
  #fail(bundle: FleetBundle, error: string): void {
    this.#checks.forget(bundle.id);
    bundle.worker = undefined;
    if (!bundle.isFlushed && bundle.attempts < ATTEMPTS_MAX) {
      this.#assign(bundle);
      return;
    }
    this.#forget(bundle);
    this.#answer({ instructionId: bundle.id, error, response: { oneofKind: undefined } });
  }

  #forget(bundle: FleetBundle): void {
    this.#bundles.delete(bundle.id);
    this.#checks.forget(bundle.id);
  }

  #answer(response: fnApi.InstructionResponse): void {
    if (!this.#isClosed) this.#control.write(response);
  }

  async #explainShortIds(instructionId: string, ids: readonly string[]): Promise<void> {
    const monitoringInfo = await this.#questions.shortIds([...this.#workers], ids);
    const response = { oneofKind: "monitoringInfos", monitoringInfos: { monitoringInfo } } as const;
    this.#answer({ instructionId, error: "", response });
  }

  #onControl(call: Control): void {
    const worker = new FleetWorker(idOf(call), this.#connections++, call);
    this.#workers.push(worker);
    call.on("data", (response: fnApi.InstructionResponse) => this.#onResponse(worker, response));
    const onEnd = (): void => this.#lose(worker);
    call.on("end", onEnd);
    call.on("error", onEnd);
    call.on("cancelled", onEnd);
    for (const bundle of this.#unassigned.splice(0)) this.#assign(bundle);
  }

  #lose(worker: FleetWorker): void {
    if (worker.isGone) return;
    worker.end();
    const place = this.#workers.indexOf(worker);
    if (place >= 0) this.#workers.splice(place, 1);
    if (this.#isClosed) return;
    this.#questions.lose(worker);
    for (const bundle of this.#bundles.values()) {
      if (bundle.worker === worker) this.#fail(bundle, `the worker ${worker.id} is gone`);
    }
  }

  #onResponse(worker: FleetWorker, response: fnApi.InstructionResponse): void {
    if (this.#questions.take(worker, response)) return;
    const { instructionId: id, error } = response;
    const bundle = this.#bundles.get(id);
    if (bundle?.worker !== worker) return;
    if (error !== "") {
      this.#fail(bundle, error);
      return;
    }
    bundle.response = response;
    this.#finishIfComplete(bundle);
  }

  #onData(call: ServerStream<fnApi.Elements, fnApi.Elements>): void {
    const worker = this.#workers.find(({ id }) => id === idOf(call));
    if (worker === undefined) {
      call.end();
      return;
    }
    worker.openData(call);
    call.on("data", (elements: fnApi.Elements) => {
      for (const [id, { data, timers }] of elementsByInstruction(elements)) {
        const bundle = this.#bundles.get(id);
        if (bundle?.worker !== worker) continue;
        bundle.output.data.push(...data);
        bundle.output.timers.push(...timers);
        this.#finishIfComplete(bundle);
      }
    });
    const onEnd = (): void => worker.closeData(call);
    call.on("end", onEnd);
    call.on("error", onEnd);
  }

  #onState(call: ServerStream<fnApi.StateRequest, fnApi.StateResponse>): void {
    call.on("data", (request: fnApi.StateRequest) => {
      const bundle = this.#bundles.get(request.instructionId);
      if (bundle === undefined) {
        call.write({ id: request.id, error: "its bundle is over", response: { oneofKind: undefined } });
        return;
      }
      void this.#state.serve(bundle, request, (response) => call.write(response));
    });
    call.on("error", () => undefined);
    call.on("end", () => call.end());
  }

  /** Prism has one endpoint for all. */
  #openData(): ReturnType<RunnerConnection["stream"]> {
    if (this.#data !== undefined) return this.#data;
    const stream = this.runner.stream(fnApi.BeamFnData, "Data");
    stream.on("data", (elements: fnApi.Elements) => {
      for (const [id, part] of elementsByInstruction(elements)) this.#deliver(id, this.#asDelivered(part));
    });
    stream.on("error", () => undefined);
    this.#data = stream;
    return stream;
  }

  #asDelivered(part: fnApi.Elements): fnApi.Elements {
    if (!this.options.firesTimersTwice) return part;
    const twice = part.timers.flatMap((timers) =>
      timers.timers.length === 0 ? [timers] : [{ ...timers, isLast: false }, timers],
    );
    return { ...part, timers: twice };
  }

  #deliver(id: string, elements: fnApi.Elements): void {
    const bundle = this.#bundles.get(id);
    if (bundle !== undefined) {
      bundle.input.push(elements);
      bundle.worker?.send(elements);
    } else if (!this.#finished.has(id)) {
      const early = this.#early.get(id) ?? [];
      early.push(elements);
      this.#early.set(id, early);
    }
  }
}
