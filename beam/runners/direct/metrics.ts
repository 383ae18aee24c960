/**
 * What the bundles of a run counted, by transform and name. A bundle's report is taken over when the bundle commits, so
 * the figures never speak of what a crash would undo; on a durable store they go on from the last commit.
 */
import type { Ledger } from "../../engine/commits.js";
import type { TransformMetric } from "../../exec/bundle_processor.js";
import { ByteReader, ByteWriter } from "../../model/bytes.js";
import { Counter, Distribution, type DistributionValue } from "../../sdk/metrics.js";
import type { CounterSource, MetricSource } from "../../sdk/pipeline_run.js";
import type { ByteTable } from "../../store/byte_table.js";

/** What one bundle added, by `transform/name`. */
export interface BundleReport {
  readonly counters: readonly (readonly [string, number])[];
  readonly distributions: readonly (readonly [string, DistributionValue])[];
  readonly gauges: readonly (readonly [string, number])[];
}

/** Takes what a bundle counted out of its cells, and makes them ready for the next. */
export function takeReport(metrics: readonly TransformMetric[]): BundleReport {
  const counters: [string, number][] = [];
  const distributions: [string, DistributionValue][] = [];
  const gauges: [string, number][] = [];
  for (const { transform, name, cell } of metrics) {
    const key = `${transform}/${name}`;
    if (cell instanceof Counter) {
      if (cell.delta === 0) continue;
      counters.push([key, cell.delta]);
      cell.delta = 0;
    } else if (cell instanceof Distribution) {
      if (cell.count === 0) continue;
      distributions.push([key, { count: cell.count, sum: cell.sum, min: cell.min, max: cell.max }]);
      cell.count = 0;
      cell.sum = 0;
      cell.min = Number.POSITIVE_INFINITY;
      cell.max = Number.NEGATIVE_INFINITY;
    } else if (cell.value !== undefined) {
      gauges.push([key, cell.value]);
      cell.value = undefined;
    }
  }
  return { counters, distributions, gauges };
}

export class RunMetrics implements Ledger, MetricSource {
  readonly #counters: Map<string, number>;
  readonly #distributions = new Map<string, DistributionValue>();
  readonly #gauges = new Map<string, number>();
  /** Counters that differ from what the table says. */
  readonly #changed = new Set<string>();

  readonly #earlier: Map<string, number>;

  /**
   * @param table where counters outlive the process; those that are there are gone on from
   * @param earlierTable what they were when a run on this state last came to its end
   */
  constructor(
    private readonly table?: ByteTable,
    private readonly earlierTable?: ByteTable,
  ) {
    this.#counters = readCounters(table);
    this.#earlier = readCounters(earlierTable);
  }

  take(report: unknown): boolean {
    if (report === undefined) return false;
    const { counters, distributions, gauges } = report as BundleReport;
    for (const [key, delta] of counters) {
      this.#counters.set(key, (this.#counters.get(key) ?? 0) + delta);
      this.#changed.add(key);
    }
    for (const [key, value] of distributions) this.#takeDistribution(key, value);
    for (const [key, value] of gauges) this.#gauges.set(key, value);
    return counters.length > 0;
  }

  save(): void {
    if (this.table === undefined) return;
    for (const name of this.#changed) writeCounter(this.table, name, this.#counters.get(name)!);
    this.#changed.clear();
  }

  end(): void {
    if (this.earlierTable === undefined) return;
    for (const [name, count] of this.#counters) writeCounter(this.earlierTable, name, count);
  }

  #takeDistribution(key: string, { count, sum, min, max }: DistributionValue): void {
    const total = this.#distributions.get(key);
    if (total === undefined) {
      this.#distributions.set(key, { count, sum, min, max });
      return;
    }
    this.#distributions.set(key, {
      count: total.count + count,
      sum: total.sum + sum,
      min: Math.min(total.min, min),
      max: Math.max(total.max, max),
    });
  }

  /** A counter summed over all transforms; with `transform`, over those whose name begins so. */
  counter(name: string, transform = ""): number {
    return sumOf(this.#counters, name, transform);
  }

  /** What earlier runs on the same state had counted when the last of them came to its end. */
  readonly earlier: CounterSource = {
    counter: (name, transform = "") => sumOf(this.#earlier, name, transform),
  };

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

function sumOf(counters: ReadonlyMap<string, number>, name: string, transform: string): number {
  let sum = 0;
  for (const [key, value] of counters) {
    if (key.startsWith(transform) && key.endsWith(`/${name}`)) sum += value;
  }
  return sum;
}

function readCounters(table: ByteTable | undefined): Map<string, number> {
  const counters = new Map<string, number>();
  const [key, value] = [new ByteReader(), new ByteReader()];
  table?.forEach((address) => {
    table.readKey(address, key);
    table.readValue(address, value);
    counters.set(key.readUtf8(key.remaining), value.readDouble());
  });
  return counters;
}

function writeCounter(table: ByteTable, name: string, count: number): void {
  const [key, value] = [new ByteWriter(64), new ByteWriter(8)];
  key.writeUtf8(name);
  value.writeDouble(count);
  table.put(key, value);
}
