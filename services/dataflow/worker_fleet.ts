/**
 * Several worker processes that look like one worker to the runner, as the machines of a Dataflow job do: each bundle goes
 * to the next of them, so that what one puts off is resumed by another; a bundle whose worker dies, or fails it, is given
 * to the next one; and nothing that a bundle has written or emitted reaches the runner before the bundle has succeeded.
 *
 *     Prism ── control, data, state ──► fleet ── the Fn API, as Dataflow serves it ──► entrypoint of the image, siblings
 */
import { sleep } from "@order-payment-stream/beam/io";
import { fnApi, provisionApi } from "@order-payment-stream/beam/protos";
import { isSource } from "./bundle_ports.js";
import { type Assignment, elementsByInstruction, FleetBundle, withTimersTwice } from "./fleet_bundle.js";
import { FleetDescriptors } from "./fleet_descriptors.js";
import { FleetGate, type GateOptions } from "./fleet_gate.js";
import { FleetLedger } from "./fleet_ledger.js";
import { emptyAnswerTo, FleetQuestions, marked } from "./fleet_questions.js";
import { FleetRoster } from "./fleet_roster.js";
import { idOf, serveWorkers } from "./fleet_server.js";
import { FleetState } from "./fleet_state.js";
import type { OwedByJob } from "./fleet_takeover.js";
import type { FleetWorker } from "./fleet_worker.js";
import { RunnerConnection, type ServerStream } from "./fn_calls.js";
import type { GraphNames } from "./graph_names.js";
import { SplitChecks } from "./split_checks.js";
import { UserState } from "./user_state.js";

export interface FleetOptions extends GateOptions {
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
  /** Of the job's keys. */
  readonly userState = new UserState();
  readonly #ledger = new FleetLedger();
  readonly #gate: FleetGate;
  readonly #roster = new FleetRoster();
  readonly #bundles = new Map<string, FleetBundle>();
  /** Elements that came before their bundle. */
  readonly #early = new Map<string, fnApi.Elements[]>();
  readonly #unassigned: FleetBundle[] = [];
  /** Last workers of finished bundles, for finalization; none for those that no worker had. */
  readonly #finished = new Map<string, FleetWorker | undefined>();
  readonly #questions = new FleetQuestions();
  readonly #checks = new SplitChecks();
  #descriptors!: FleetDescriptors;
  #state!: FleetState;
  #control!: ReturnType<RunnerConnection["stream"]>;
  #data: ReturnType<RunnerConnection["stream"]> | undefined;
  #isClosed = false;

  private constructor(
    private readonly runner: RunnerConnection,
    private readonly provision: provisionApi.ProvisionInfo,
    private readonly options: FleetOptions,
  ) {
    this.#gate = new FleetGate(options, (bundle) => this.#assign(bundle));
  }

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
    const { owed, names } = options;
    if (owed !== undefined) fleet.userState.takeOver(owed.cells, names);
    await fleet.#serve();
    fleet.#connect();
    return fleet;
  }

  /** Ids of the worker processes, the first of which starts the others. */
  get ids(): readonly string[] {
    return Array.from({ length: this.options.siblings + 1 }, (_, i) => `sdk-0-${i}`);
  }

  /**
   * Has the job stand still where no bundle is under way, for another one to take its place.
   * @param names of its steps, as the other one has them
   */
  async standStill(names: GraphNames): Promise<OwedByJob> {
    const held = await this.#gate.standStill(() => (this.#isClosed ? 0 : this.#bundles.size));
    return { stages: this.#ledger.owed(held, names), cells: this.userState.cells(names) };
  }

  drain(): void {
    this.#gate.isDraining = true;
  }

  /** It has state that another job cannot take over. */
  get hasOtherState(): boolean {
    return this.#state.hasOther;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#gate.close();
    this.#roster.close();
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
    this.#state = new FleetState(this.runner, this.userState);
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
        for (const elements of this.#early.get(id) ?? []) this.#give(bundle, elements);
        this.#early.delete(id);
        this.#gate.note();
        this.#begin(bundle);
        return;
      }
      case "processBundleProgress":
        return this.#passOn(asked.processBundleProgress.instructionId, request);
      case "processBundleSplit":
        return this.#passOn(asked.processBundleSplit.instructionId, request);
      case "finalizeBundle": {
        const worker = this.#finished.get(asked.finalizeBundle.instructionId);
        // Best effort: what a dead worker had to finalize is not.
        if (worker === undefined || worker.isGone)
          this.#reply(id, { oneofKind: "finalizeBundle", finalizeBundle: {} });
        else this.#questions.ask(worker, request, (answer) => this.#answer(answer));
        return;
      }
      case "monitoringInfos":
        return this.#explainShortIds(id, asked.monitoringInfos.monitoringInfoId);
      case "harnessMonitoringInfos":
        return this.#reply(id, {
          oneofKind: "harnessMonitoringInfos",
          harnessMonitoringInfos: { monitoringData: {} },
        });
      default:
        this.#reply(id, { oneofKind: undefined }, `the fleet does not know ${asked.oneofKind}`);
    }
  }

  /** To the worker that has the bundle; with an empty answer where none has it. */
  #passOn(bundleId: string, request: fnApi.InstructionRequest): void {
    const empty = emptyAnswerTo(request);
    const worker = this.#bundles.get(bundleId)?.worker;
    const { instructionId } = request;
    if (worker === undefined) {
      this.#reply(instructionId, empty);
      return;
    }
    this.#questions.ask(worker, request, (answer) => {
      const { response } = answer;
      // Of an attempt that has failed: the runner asks the next one later.
      if (answer.error !== "") {
        this.#reply(instructionId, empty);
        return;
      }
      if (response.oneofKind === "processBundleSplit") {
        const problem = this.#checks.problem(bundleId, response.processBundleSplit);
        if (problem !== undefined) this.options.onViolation(problem);
        const bundle = this.#bundles.get(bundleId);
        if (bundle !== undefined) this.#ledger.split(bundle, response.processBundleSplit);
      }
      if (response.oneofKind === "processBundleProgress") {
        const { monitoringData } = response.processBundleProgress;
        response.processBundleProgress.monitoringData = marked(worker, monitoringData);
      }
      this.#answer(answer);
    });
  }

  #begin(bundle: FleetBundle): void {
    const admitted = this.#gate.admit(bundle);
    if (admitted === "worker") this.#assign(bundle);
    else if (admitted !== "nobody") {
      bundle.substitute(admitted);
      this.#finishIfComplete(bundle);
    }
  }

  #assign(bundle: FleetBundle): void {
    const { id: descriptor } = bundle.descriptor;
    const worker = this.#roster.next(descriptor);
    if (worker === undefined) {
      this.#unassigned.push(bundle);
      return;
    }
    this.assignments.push({ descriptor, worker: worker.id, isSource: isSource(bundle.descriptor) });
    bundle.begin(worker);
    worker.instruct(bundle.request);
    for (const elements of bundle.input) worker.send(elements);
  }

  #finishIfComplete(bundle: FleetBundle): void {
    if (bundle.isComplete) void this.#finish(bundle, bundle.response!);
  }

  async #finish(bundle: FleetBundle, response: fnApi.InstructionResponse): Promise<void> {
    const { worker } = bundle;
    // Nobody else gets it from here on.
    bundle.worker = undefined;
    await this.#state.write(bundle.writes);
    this.userState.commit(bundle.changes);
    this.#ledger.finished(bundle);
    this.#gate.note();
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
    this.#reply(bundle.id, { oneofKind: undefined }, error);
  }

  #forget(bundle: FleetBundle): void {
    this.#bundles.delete(bundle.id);
    this.#checks.forget(bundle.id);
  }

  #reply(instructionId: string, response: fnApi.InstructionResponse["response"], error = ""): void {
    this.#answer({ instructionId, error, response });
  }

  #answer(response: fnApi.InstructionResponse): void {
    if (!this.#isClosed) this.#control.write(response);
  }

  async #explainShortIds(instructionId: string, ids: readonly string[]): Promise<void> {
    const monitoringInfo = await this.#questions.shortIds(this.#roster.all, ids);
    this.#reply(instructionId, { oneofKind: "monitoringInfos", monitoringInfos: { monitoringInfo } });
  }

  #onControl(call: Control): void {
    const worker = this.#roster.connect(idOf(call), call);
    call.on("data", (response: fnApi.InstructionResponse) => this.#onResponse(worker, response));
    const onEnd = (): void => this.#lose(worker);
    call.on("end", onEnd);
    call.on("error", onEnd);
    call.on("cancelled", onEnd);
    for (const bundle of this.#unassigned.splice(0)) this.#assign(bundle);
  }

  #lose(worker: FleetWorker): void {
    if (worker.isGone) return;
    this.#roster.lose(worker);
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
    const worker = this.#roster.find(idOf(call));
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
      for (const [id, part] of elementsByInstruction(elements)) this.#deliver(id, part);
    });
    stream.on("error", () => undefined);
    this.#data = stream;
    return stream;
  }

  #give(bundle: FleetBundle, elements: fnApi.Elements): void {
    this.#ledger.delivered(bundle, elements);
    const delivered = this.options.firesTimersTwice ? withTimersTwice(elements) : elements;
    bundle.input.push(delivered);
    bundle.worker?.send(delivered);
  }

  #deliver(id: string, elements: fnApi.Elements): void {
    const bundle = this.#bundles.get(id);
    if (bundle !== undefined) this.#give(bundle, elements);
    else if (!this.#finished.has(id)) {
      const early = this.#early.get(id) ?? [];
      early.push(elements);
      this.#early.set(id, early);
    }
  }
}
