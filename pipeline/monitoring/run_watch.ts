/** What is known of the run of this process, from its first moment on: see monitor/observation.ts. */

import { GLOBAL_WINDOW_MAX, MIN_TIMESTAMP, type PipelineRun } from "@order-payment-stream/beam";
import { DirectRun, type Health, type Store } from "@order-payment-stream/beam/direct";
import { systemClock } from "@order-payment-stream/beam/io";
import { kafkaPartitions } from "@order-payment-stream/kafka";
import type { Checkpoint, Observation, Partition, Phase, Server } from "../../monitor/observation.js";
import type { Tally } from "../../schemas/figures.js";
import { DEAD_LETTER_REASONS } from "../../transforms/dead_letter.js";
import { LATENCY_BOUNDS_MS, latencyOf } from "../../transforms/latency.js";
import { KAFKA_CONNECTION } from "../graph.js";
import { earlierFigures, type Figures, figuresOf, figuresSince } from "../report/figures.js";
import { JOIN_STAGE } from "../report/progress.js";
import type { RunSettings } from "../settings/options.js";

const CHECKPOINTS_MAX = 100;
const NO_COUNTERS = { counter: () => 0 };

export class RunWatch {
  readonly #startedAtMs = systemClock.now();
  readonly #checkpoints: Checkpoint[] = [];
  #phase: Phase = "starting";
  #doing = "looking at the settings";
  #run: PipelineRun | undefined;
  /** Of the run's state, while it is open. */
  store: Store | undefined;

  constructor(
    private readonly settings: RunSettings,
    private readonly health: Health,
    private readonly servers: () => readonly Server[],
  ) {}

  /** What the start is about. */
  starts(doing: string): void {
    if (this.#phase === "starting") this.#doing = doing;
  }

  runs(run: PipelineRun): void {
    this.#run = run;
    this.#phase = "running";
    this.#doing = "";
    run.finished.then(
      () => this.#end("ended", "what was read is finished and committed"),
      (error: unknown) => this.#end("failed", error instanceof Error ? error.message : String(error)),
    );
  }

  ends(doing: string): void {
    if (this.#phase !== "running") return;
    this.#phase = "ending";
    this.#doing = doing;
  }

  checkpoint(checkpoint: Checkpoint): void {
    this.#checkpoints.push(checkpoint);
    if (this.#checkpoints.length > CHECKPOINTS_MAX) this.#checkpoints.shift();
  }

  /** Undefined before the pipeline runs. */
  get run(): PipelineRun | undefined {
    return this.#run;
  }

  observe(): Observation {
    const { settings } = this;
    const metrics = this.#run?.metrics;
    const total = figuresOf(metrics ?? NO_COUNTERS);
    const earlier = metrics && earlierFigures(metrics);
    const direct = this.#run instanceof DirectRun ? this.#run : undefined;
    const stages = direct?.activity() ?? [];
    const join = stages.find(({ name }) => name.startsWith(JOIN_STAGE));
    const told = join?.inputWatermark ?? joinWatermark(this.#run);
    const looks = stages.filter(({ name }) => name.includes("FindPartitions")).map((s) => s.outputWatermark);
    return {
      atMs: systemClock.now(),
      startedAtMs: this.#startedAtMs,
      phase: this.#phase,
      doing: this.#doing,
      runner: settings.runner,
      tellsFigures: direct !== undefined || this.#run === undefined || tellsFigures(this.#run),
      run: tallyOf(figuresSince(earlier, total)),
      total: tallyOf(total),
      timeoutMs: settings.state_timeout_minutes,
      outOfOrdernessMs: settings.max_out_of_orderness,
      isBounded: settings.bounded,
      stages,
      joinWatermarkMs: told,
      lookWatermarkMs: looks.length === 0 ? undefined : Math.min(...looks),
      partitions: this.#partitions(),
      expiries:
        direct === undefined ? [] : [...direct.timers()].map(({ time, count }) => ({ atMs: time, count })),
      latency: { boundsMs: LATENCY_BOUNDS_MS, ...latencyOf(metrics ?? NO_COUNTERS) },
      deadLetterReasons: DEAD_LETTER_REASONS,
      commits: direct?.commits(),
      stateBytes: direct?.store.reservedBytes,
      checkpoints: settings.gcs_checkpoint_path === undefined ? undefined : this.#checkpoints,
      problems: this.#run?.health() ?? this.health.problems(),
      servers: this.servers(),
    };
  }

  #end(phase: Phase, doing: string): void {
    this.#phase = phase;
    this.#doing = doing;
  }

  #partitions(): Partition[] {
    const { kafka_order_topic: orders } = this.settings;
    return kafkaPartitions(KAFKA_CONNECTION).map((partition) => ({
      ...partition,
      kind: partition.topic === orders ? "orders" : "payments",
    }));
  }
}

function joinWatermark(run: PipelineRun | undefined): number | undefined {
  const watermark = run?.status().find(({ name }) => name.startsWith(JOIN_STAGE))?.inputWatermark;
  if (watermark === undefined || watermark <= MIN_TIMESTAMP || watermark >= GLOBAL_WINDOW_MAX)
    return undefined;
  return watermark;
}

/** Some runners tell what was counted only when a job has ended. */
function tellsFigures({ metrics }: PipelineRun): boolean {
  return metrics.counters().size > 0;
}

function tallyOf({ orders, payments, joined, unmatched, dead_letters }: Figures): Tally {
  return { orders, payments, joined, unmatched, dead_letters };
}
