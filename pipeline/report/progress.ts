/** What a run shows while it goes on: a block that is rewritten each second on a terminal, else now and then a line. */
import { GLOBAL_WINDOW_MAX, MIN_TIMESTAMP, type PipelineRun } from "@order-payment-stream/beam";
import type { HealthProblem, StageWatermark } from "@order-payment-stream/beam/direct";
import { every, systemClock } from "@order-payment-stream/beam/io";
import { labelOf } from "../../schemas/figures.js";

import { deadLetterCount, earlierFigures, type Figures, figuresOf, figuresSince } from "./figures.js";
import type { Log } from "./log.js";
import { countsOf, formatCount, pendingOf } from "./summary.js";
import type { Terminal } from "./terminal.js";

export type Watched = Pick<PipelineRun, "metrics" | "status" | "health">;

const INTERVAL_MS = 1_000;
const LOG_INTERVAL_MS = 5_000;

export interface ProgressFigures extends Figures {
  readonly eventsPerSecond: number;
  /** How far the join's event time is behind the clock; undefined before it is known and after the end. */
  readonly watermarkLagMs: number | undefined;
  /** What is wrong now. */
  readonly problems: readonly string[];
}

export class ProgressReport {
  readonly #end: () => void;
  #previousAtMs: number;
  /** A run that goes on from a commit has counted before. */
  #previousEvents: number;
  readonly #earlier: Figures | undefined;

  /**
   * @param more further lines for the block
   * @param moreFields further fields for the line
   */
  constructor(
    private readonly run: Watched,
    private readonly terminal: Terminal,
    private readonly log: Log,
    private readonly more: () => readonly string[] = () => [],
    private readonly moreFields: () => Readonly<Record<string, number>> = () => ({}),
  ) {
    this.#previousAtMs = systemClock.elapsed();
    this.#earlier = earlierFigures(run.metrics);
    this.#previousEvents = eventsOf(this.#counted());
    const intervalMs = terminal.isTty ? INTERVAL_MS : LOG_INTERVAL_MS;
    this.#end = every(intervalMs, () => this.#report());
  }

  /** The block stays as it was last. */
  stop(): void {
    this.#end();
    if (this.terminal.isTty) this.#report();
    this.terminal.keep();
  }

  #report(): void {
    const figures = this.#figures();
    if (this.run.metrics.counters().size === 0 && this.run.status().length === 0) {
      this.#reportWithoutFigures(figures.problems);
      return;
    }
    if (this.terminal.isTty) this.terminal.show([...progressBlock(figures), ...this.more()]);
    else this.log.info("progress", { ...progressFields(figures), ...this.moreFields() });
  }

  /** Zeros would say that nothing happens. */
  #reportWithoutFigures(problems: readonly string[]): void {
    const lines = [
      "  figures        the runner reports none while the job runs",
      ...problems.map(problemLine),
    ];
    if (this.terminal.isTty) this.terminal.show([...lines, ...this.more()]);
    else
      this.log.info("the runner reports no figures while the job runs", {
        ...(problems.length > 0 && { problems }),
      });
  }

  #counted(): Figures {
    return figuresSince(this.#earlier, figuresOf(this.run.metrics));
  }

  #figures(): ProgressFigures {
    const figures = this.#counted();
    const events = eventsOf(figures);
    const nowMs = systemClock.elapsed();
    const eventsPerSecond =
      (1000 * (events - this.#previousEvents)) / Math.max(1, nowMs - this.#previousAtMs);
    this.#previousAtMs = nowMs;
    this.#previousEvents = events;
    return {
      ...figures,
      eventsPerSecond,
      watermarkLagMs: watermarkLagMs(this.run.status(), systemClock.now()),
      problems: this.run.health().map((problem) => problemText(problem, systemClock.now())),
    };
  }
}

export function eventsOf({ orders, payments }: Figures): number {
  return orders.read + payments.read;
}

/** Of the join: the input watermark of the stage that it is in. */
export function watermarkLagMs(stages: readonly StageWatermark[], nowMs: number): number | undefined {
  const watermark = stages.find(({ name }) => name.startsWith(JOIN_STAGE))?.inputWatermark;
  if (watermark === undefined || watermark <= MIN_TIMESTAMP || watermark >= GLOBAL_WINDOW_MAX)
    return undefined;
  return nowMs - watermark;
}

export function progressBlock(figures: ProgressFigures): string[] {
  const { orders, payments } = figures;
  const lag = figures.watermarkLagMs;
  const cells: readonly [string, string][] = [
    ["read", `${formatCount(orders.read)} orders, ${formatCount(payments.read)} payments`],
    ["events/s", formatCount(Math.round(figures.eventsPerSecond))],
    [labelOf("joined"), formatCount(figures.joined)],
    [labelOf("pending"), formatCount(pendingOf(figures))],
    [labelOf("unmatched"), formatCount(figures.unmatched)],
    [labelOf("dead_letters"), formatCount(deadLetterCount(figures))],
    ["watermark lag", lag === undefined ? "not known" : formatLag(lag)],
  ];
  const problems = figures.problems.map((problem): [string, string] => ["PROBLEM", problem]);
  return [...cells, ...problems].map(([label, value]) => `  ${label.padEnd(14)} ${value}`);
}

/** The names of the summary, and what is of the moment. */
export function progressFields(figures: ProgressFigures): Readonly<Record<string, unknown>> {
  const { watermarkLagMs: lag } = figures;
  return {
    ...countsOf(figures),
    pending: pendingOf(figures),
    eventsPerSecond: Math.round(figures.eventsPerSecond),
    ...(lag !== undefined && { watermarkLagMs: Math.round(lag) }),
    ...(figures.problems.length > 0 && { problems: figures.problems }),
  };
}

const problemLine = (problem: string): string => `  ${"PROBLEM".padEnd(14)} ${problem}`;

/** "Kafka, for 12 s: …" */
export function problemText({ component, problem, sinceMs }: HealthProblem, nowMs: number): string {
  return `${component}, for ${Math.max(0, Math.round((nowMs - sinceMs) / 1000))} s: ${problem}`;
}

function formatLag(lagMs: number): string {
  const seconds = lagMs / 1000;
  if (Math.abs(seconds) < 120) return `${seconds.toFixed(1)} s`;
  const minutes = seconds / 60;
  return Math.abs(minutes) < 120 ? `${minutes.toFixed(1)} min` : `${(minutes / 60).toFixed(1)} h`;
}

/** The grouping by order_id and the join run as one stage, named after its first step. */
export const JOIN_STAGE = "CoGroupByOrderId";
