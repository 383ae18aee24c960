/**
 * What a job's DoFns have counted, as the runner last told it. A runner names the transform of a counter by its id in
 * the pipeline, or by an id that it made of that one when it expanded the step; here it has its full name.
 * Source: metrics.proto, MonitoringInfo.
 */
import type { runnerApi } from "../../model/apache_beam.js";
import { ByteReader } from "../../model/bytes.js";
import type { CounterSource } from "../../sdk/pipeline_run.js";
import type { jobApi, metricsApi } from "./job_api.js";

const COUNTER_URN = "beam:metric:user:sum_int64:v1";

export class JobMetrics implements CounterSource {
  readonly #transforms: ReadonlyMap<string, string>;
  readonly #names = new Map<string, string>();
  #counters: ReadonlyMap<string, number> = new Map();

  constructor(pipeline: runnerApi.Pipeline) {
    this.#transforms = new Map(
      Object.entries(pipeline.components!.transforms).map(([id, { uniqueName }]) => [id, uniqueName]),
    );
  }

  /** Whether the runner has told of any counter so far. */
  get isKnown(): boolean {
    return this.#counters.size > 0;
  }

  /** Takes the place of what was told before; nothing told changes nothing, for some runners fall silent at the end. */
  take({ committed, attempted }: jobApi.MetricResults): void {
    const counters = this.#countersOf(committed);
    const told = counters.size > 0 ? counters : this.#countersOf(attempted);
    if (told.size > 0) this.#counters = told;
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

  #countersOf(infos: readonly metricsApi.MonitoringInfo[]): Map<string, number> {
    const counters = new Map<string, number>();
    for (const { urn, labels, payload } of infos) {
      if (urn !== COUNTER_URN) continue;
      const key = `${this.#nameOf(labels.PTRANSFORM ?? "")}/${labels.NAME}`;
      const value = new ByteReader(Buffer.from(payload)).readVarint();
      counters.set(key, (counters.get(key) ?? 0) + value);
    }
    return counters;
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
