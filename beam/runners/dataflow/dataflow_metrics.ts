/**
 * What the DoFns of a job have measured, as the service tells it: a committed value and a tentative one, which counts
 * what is attempted. Streaming jobs commit late or never, so the tentative one stands where there is no other. Gauges the
 * service does not keep. Source: metrics.proto, MetricUpdate; Python's dataflow_metrics.py.
 */
import type { runnerApi } from "../../model/apache_beam.js";
import type { DistributionValue } from "../../sdk/metrics.js";
import type { MetricSource } from "../../sdk/pipeline_run.js";
import type { MetricUpdate } from "./dataflow_service.js";
import { fromValue, type JsonValue } from "./struct.js";

/** Figures of a job, by the names of its steps. */
export class DataflowMetrics implements MetricSource {
  /** Of steps, by their ids and by what the service makes of their names. */
  readonly #names = new Map<string, string>();
  #counters = new Map<string, number>();
  #distributions = new Map<string, DistributionValue>();
  isKnown = false;

  /** @param proto of the graph; without it steps keep the names that the service has for them */
  constructor(proto?: runnerApi.Pipeline) {
    for (const [id, { uniqueName }] of Object.entries(proto?.components?.transforms ?? {})) {
      for (const known of [id, uniqueName, uniqueName.replaceAll("/", "-")])
        this.#names.set(known, uniqueName);
    }
  }

  /** Takes the place of what was told before. */
  take(updates: readonly MetricUpdate[]): void {
    const told = new Map<string, { committed?: JsonValue; tentative?: JsonValue; isDistribution: boolean }>();
    for (const { name, scalar, distribution } of updates) {
      const { context, name: metric, origin } = name ?? {};
      const step = context?.step;
      if (!step || !metric || origin === "dataflow/v1b3" || /^(ElementCount|MeanByteCount)$/.test(metric)) {
        continue;
      }
      const value = fromValue((distribution ?? scalar) as never);
      if (value === null) continue;
      const key = `${this.#names.get(step) ?? step}/${metric}`;
      const entry = told.get(key) ?? { isDistribution: distribution != null };
      told.set(key, { ...entry, [context?.tentative === "true" ? "tentative" : "committed"]: value });
    }
    if (told.size === 0) return;
    this.isKnown = true;
    this.#counters = new Map();
    this.#distributions = new Map();
    for (const [key, { committed, tentative, isDistribution }] of told) {
      const value = largerOf(committed, tentative);
      if (isDistribution || (typeof value === "object" && value !== null)) {
        const { count = 0, sum = 0, min = 0, max = 0 } = value as Partial<Record<string, number>>;
        this.#distributions.set(key, {
          count: Number(count),
          sum: Number(sum),
          min: Number(min),
          max: Number(max),
        });
      } else {
        this.#counters.set(key, Number(value));
      }
    }
  }

  counter(name: string, transform = ""): number {
    let sum = 0;
    for (const [key, value] of this.#counters) {
      if (key.startsWith(transform) && key.endsWith(`/${name}`)) sum += value;
    }
    return sum;
  }

  counters(): ReadonlyMap<string, number> {
    return this.#counters;
  }

  distributions(): ReadonlyMap<string, DistributionValue> {
    return this.#distributions;
  }

  gauges(): ReadonlyMap<string, number> {
    return new Map();
  }
}

/** The committed value while a batch runs lags behind, and is zero in most streaming jobs. */
function largerOf(committed: JsonValue | undefined, tentative: JsonValue | undefined): JsonValue | undefined {
  if (committed === undefined) return tentative;
  const isNumber = typeof committed === "number" && typeof tentative === "number";
  return isNumber && tentative > committed ? tentative : committed;
}
