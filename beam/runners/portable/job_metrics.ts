/**
 * What a job's DoFns have measured, as the runner last told it. A runner names the transform of a metric by its id in
 * the pipeline, or by an id that it made of that one when it expanded the step; here it has its full name.
 *
 *     sum_int64           varint
 *     distribution_int64  varint count | varint sum | varint min | varint max
 *     latest_int64        varint timestamp | varint value
 *
 * Source: metrics.proto, MonitoringInfo.
 */
import type { runnerApi } from "../../model/apache_beam.js";
import { ByteReader } from "../../model/bytes.js";
import type { DistributionValue } from "../../sdk/metrics.js";
import type { MetricSource } from "../../sdk/pipeline_run.js";
import type { jobApi, metricsApi } from "./job_api.js";

const COUNTER_URN = "beam:metric:user:sum_int64:v1";
const DISTRIBUTION_URN = "beam:metric:user:distribution_int64:v1";
const GAUGE_URN = "beam:metric:user:latest_int64:v1";

class Measured {
  readonly counters = new Map<string, number>();
  readonly distributions = new Map<string, DistributionValue>();
  readonly gauges = new Map<string, number>();
  readonly #gaugeTimes = new Map<string, number>();

  get isEmpty(): boolean {
    return this.counters.size + this.distributions.size + this.gauges.size === 0;
  }

  addCounter(key: string, reader: ByteReader): void {
    this.counters.set(key, (this.counters.get(key) ?? 0) + reader.readVarint());
  }

  addDistribution(key: string, reader: ByteReader): void {
    const [count, sum, min, max] = [
      reader.readVarint(),
      reader.readVarint(),
      reader.readVarint(),
      reader.readVarint(),
    ];
    if (count === 0) return;
    const known = this.distributions.get(key) ?? { count: 0, sum: 0, min, max };
    this.distributions.set(key, {
      count: known.count + count,
      sum: known.sum + sum,
      min: Math.min(known.min, min),
      max: Math.max(known.max, max),
    });
  }

  /** The latest of those told for parts of a step. */
  addGauge(key: string, reader: ByteReader): void {
    const toldAt = reader.readVarint();
    if (toldAt < (this.#gaugeTimes.get(key) ?? Number.NEGATIVE_INFINITY)) return;
    this.#gaugeTimes.set(key, toldAt);
    this.gauges.set(key, reader.readVarint());
  }
}

export class JobMetrics implements MetricSource {
  readonly #transforms: ReadonlyMap<string, string>;
  readonly #names = new Map<string, string>();
  #measured = new Measured();

  constructor(pipeline: runnerApi.Pipeline) {
    this.#transforms = new Map(
      Object.entries(pipeline.components!.transforms).map(([id, { uniqueName }]) => [id, uniqueName]),
    );
  }

  /** Whether the runner has told of any metric so far. */
  get isKnown(): boolean {
    return !this.#measured.isEmpty;
  }

  /** Takes the place of what was told before; nothing told changes nothing, for some runners fall silent at the end. */
  take({ committed, attempted }: jobApi.MetricResults): void {
    const measured = this.#measuredIn(committed);
    const told = measured.isEmpty ? this.#measuredIn(attempted) : measured;
    if (!told.isEmpty) this.#measured = told;
  }

  counter(name: string, transform = ""): number {
    let sum = 0;
    for (const [key, value] of this.counters()) {
      if (key.startsWith(transform) && key.endsWith(`/${name}`)) sum += value;
    }
    return sum;
  }

  counters(): ReadonlyMap<string, number> {
    return this.#measured.counters;
  }

  distributions(): ReadonlyMap<string, DistributionValue> {
    return this.#measured.distributions;
  }

  gauges(): ReadonlyMap<string, number> {
    return this.#measured.gauges;
  }

  #measuredIn(infos: readonly metricsApi.MonitoringInfo[]): Measured {
    const measured = new Measured();
    for (const { urn, labels, payload } of infos) {
      const key = `${this.#nameOf(labels.PTRANSFORM ?? "")}/${labels.NAME}`;
      const reader = new ByteReader(Buffer.from(payload));
      if (urn === COUNTER_URN) measured.addCounter(key, reader);
      else if (urn === DISTRIBUTION_URN) measured.addDistribution(key, reader);
      else if (urn === GAUGE_URN) measured.addGauge(key, reader);
    }
    return measured;
  }

  #nameOf(id: string): string {
    let name = this.#names.get(id);
    if (name === undefined) {
      name = this.#transforms.get(id) ?? this.#nameOfPart(id) ?? id;
      this.#names.set(id, name);
    }
    return name;
  }

  /** For "etransform_7_splitnsize": the step transform_7. */
  #nameOfPart(id: string): string | undefined {
    for (const [whole, name] of this.#transforms) {
      const at = id.indexOf(whole);
      if (at >= 0 && !/^\d/.test(id.slice(at + whole.length))) return name;
    }
    return undefined;
  }
}
