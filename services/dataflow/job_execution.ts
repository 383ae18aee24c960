/**
 * Runs the graph of a job that was read back from where it was staged: Prism decides what runs, and the image's own
 * entrypoint runs it, as a fleet of worker processes.
 */
import type { PortableRun } from "@order-payment-stream/beam/portable";
import { runSerialized } from "@order-payment-stream/beam/portable";
import { fnApi } from "@order-payment-stream/beam/protos";
import type { LocalRunner } from "../local_runner.js";
import { startPrism } from "../prism.js";
import type { OwedByJob } from "./fleet_takeover.js";
import { serve } from "./fn_calls.js";
import { GraphNames } from "./graph_names.js";
import type { CheckedJob } from "./job_checks.js";
import { WorkerContainer } from "./worker_container.js";
import { WorkerFleet } from "./worker_fleet.js";

/** An image, laid out in a folder. */
export interface LaidOutImage {
  /** Absolute path of what it starts. */
  readonly entrypoint: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface ExecutionOptions {
  readonly image: LaidOutImage;
  /** Worker processes beside the first one. */
  readonly siblings: number;
  readonly firesTimersTwice?: boolean;
  /** Of the job whose place this one takes. */
  readonly owed?: OwedByJob | undefined;
  /** For the job's messages. */
  readonly tell: (importance: "BASIC" | "WARNING" | "ERROR" | "DETAILED", text: string) => void;
  readonly onWorkerLog: (line: string) => void;
}

export class JobExecution {
  /** Settles with the job: rejects with what it failed with. */
  readonly finished: Promise<void>;
  readonly #cleanUps: (() => Promise<void> | void)[] = [];
  fleet: WorkerFleet | undefined;
  container: WorkerContainer | undefined;
  run: PortableRun | undefined;
  #isCancelled = false;
  #violate!: (error: Error) => void;

  constructor(
    private readonly job: CheckedJob,
    private readonly options: ExecutionOptions,
    /** Called when the graph runs. */
    private readonly onRunning: () => void,
  ) {
    this.finished = this.#execute();
    this.finished.catch(() => undefined);
  }

  drain(): void {
    this.fleet?.drain();
  }

  /**
   * Has the job stand still, for another one to take its place.
   * @param renamed names that the other one has for its steps
   * @returns undefined where it has not begun
   */
  async standStill(renamed: Readonly<Record<string, string>>): Promise<OwedByJob | undefined> {
    const { fleet } = this;
    if (fleet === undefined) return undefined;
    const owed = await fleet.standStill(new GraphNames(this.job.proto, renamed));
    if (fleet.hasOtherState)
      this.options.tell(
        "WARNING",
        "the fake of Dataflow cannot move multimaps and lists: their keys begin anew",
      );
    return owed;
  }

  async cancel(): Promise<void> {
    this.#isCancelled = true;
    await this.run?.stop("keep").catch(() => undefined);
    await this.finished.catch(() => undefined);
  }

  async #execute(): Promise<void> {
    const violated = new Promise<never>((_, reject) => {
      this.#violate = reject;
    });
    violated.catch(() => undefined);
    try {
      const prism = await startPrism({ log: (line) => this.options.onWorkerLog(line) });
      this.#cleanUps.push(() => prism.stop());
      await Promise.race([this.#runOn(prism), violated]);
    } finally {
      for (const end of this.#cleanUps.splice(0).reverse())
        await Promise.resolve(end()).catch(() => undefined);
    }
  }

  async #runOn(prism: LocalRunner): Promise<void> {
    const pool = await serve([
      [
        fnApi.BeamFnExternalWorkerPool,
        {
          StartWorker: (call, answer) => {
            this.#startWorkers(call.request).then(
              () => answer(null, { error: "" }),
              (error: Error) => answer(null, { error: error.message }),
            );
          },
          StopWorker: (_call, answer) => answer(null, { error: "" }),
        },
      ],
    ]);
    this.#cleanUps.push(() => pool.close());
    if (this.#isCancelled) return;
    const { tell } = this.options;
    this.run = await runSerialized(this.job.bytes, {
      jobEndpoint: prism.endpoint,
      jobName: "job",
      environment: { kind: "external", endpoint: pool.endpoint },
      log: {
        debug: () => undefined,
        info: () => undefined,
        warn: (text, fields) => tell("WARNING", `${text} ${JSON.stringify(fields ?? {})}`),
      },
      runnerEnded: prism.ended,
    });
    if (this.#isCancelled) void this.run.stop("keep").catch(() => undefined);
    this.onRunning();
    await this.run.finished;
  }

  async #startWorkers(request: fnApi.StartWorkerRequest): Promise<void> {
    const { image, siblings, firesTimersTwice = false, owed, tell, onWorkerLog } = this.options;
    const fleet = await WorkerFleet.start(request, {
      siblings,
      firesTimersTwice,
      pipelineOptions: { options: this.job.options },
      names: new GraphNames(this.job.proto),
      owed,
      onTakenOver: (missed) => {
        tell(
          "BASIC",
          `state of ${owed!.cells.length} cells, timers and positions of the job before were taken over`,
        );
        if (missed.length > 0) tell("WARNING", `what these steps had to do was not: ${missed.join(", ")}`);
      },
      onLog: (id, { message, severity }) => {
        onWorkerLog(`${id} ${fnApi.LogEntry_Severity_Enum[severity]} ${message}`);
        if (severity >= fnApi.LogEntry_Severity_Enum.ERROR) tell("DETAILED", message);
      },
      onViolation: (what) => this.#violate(new Error(`a worker broke the protocol: ${what}`)),
    });
    this.fleet = fleet;
    this.#cleanUps.push(() => fleet.close());
    const container = new WorkerContainer({
      entrypoint: image.entrypoint,
      id: fleet.ids[0]!,
      endpoint: fleet.endpoint,
      env: image.env ?? {},
      onExit: (what) => tell("WARNING", what),
    });
    this.container = container;
    this.#cleanUps.push(async () => {
      await container.stop();
      if (container.output !== "") onWorkerLog(container.output);
    });
  }
}
