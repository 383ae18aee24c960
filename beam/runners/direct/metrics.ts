/** What all finished bundles of a run counted, by transform and name. */
import type { TransformMetric } from "../../exec/bundle_processor.js";
import { Counter, Distribution, type DistributionValue } from "../../sdk/metrics.js";
import type { MetricSource } from "../../sdk/pipeline_run.js";

export class RunMetrics implements MetricSource {
  readonly #counters = new Map<string, number>();
  readonly #distributions = new Map<string, DistributionValue>();
  readonly #gauges = new Map<string, number>();

  /** Takes over what a bundle added, and makes the cell ready for the next. */
  take({ transform, name, cell }: TransformMetric): void {
    const key = `${transform}/${name}`;
    if (cell instanceof Counter) {
      if (cell.delta === 0) return;
      this.#counters.set(key, (this.#counters.get(key) ?? 0) + cell.delta);
      cell.delta = 0;
    } else if (cell instanceof Distribution) {
      this.#takeDistribution(key, cell);
    } else {
      if (cell.value === undefined) return;
      this.#gauges.set(key, cell.value);
      cell.value = undefined;
    }
  }

  #takeDistribution(key: string, cell: Distribution): void {
    if (cell.count === 0) return;
    const { count, sum, min, max } = this.#distributions.get(key) ?? {
      count: 0,
      sum: 0,
      min: cell.min,
      max: cell.max,
    };
    this.#distributions.set(key, {
      count: count + cell.count,
      sum: sum + cell.sum,
      min: Math.min(min, cell.min),
      max: Math.max(max, cell.max),
    });
    cell.count = 0;
    cell.sum = 0;
    cell.min = Number.POSITIVE_INFINITY;
    cell.max = Number.NEGATIVE_INFINITY;
  }

  /** A counter summed over all transforms; with `transform`, over those whose name begins so. */
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
    return this.#gauges;
  }
}
