/**
 * What a bundle reports: metrics of its DoFns, elements of its collections, how far it has read. All count from the
 * start of the bundle. What stays the same of an info goes over the wire once, under a short id.
 * Source: metrics.proto, MonitoringInfoSpecs.
 */
import type { BundleProcessor } from "../exec/bundle_processor.js";
import type { ExecutionTimes } from "../exec/execution_times.js";
import type { RestrictionProgress } from "../exec/operator.js";
import type { metricsApi } from "../model/apache_beam.js";
import { ByteWriter } from "../model/bytes.js";
import { urns } from "../model/urns.js";
import { Counter, Distribution, type MetricCell } from "../sdk/metrics.js";
import type { SampledSizes } from "./sampled_sizes.js";

const SUM = "beam:metrics:sum_int64:v1";
const DISTRIBUTION = "beam:metrics:distribution_int64:v1";
/** That of the calls of process, and that of all calls, which are the same as far as they are measured. */
const EXECUTION_TIMES = [
  "beam:metric:pardo_execution_time:process_bundle_msecs:v1",
  "beam:metric:ptransform_execution_time:total_msecs:v1",
];
const PROGRESS = "beam:metrics:progress:v1";

type Labels = Readonly<Record<string, string>>;

/** Ids that stand for one info while the runner has not asked what it means; a runner may never ask. */
const ALIASES_MAX = 64;

/** Short ids, which mean the same for the life of the worker. */
export class ShortIds {
  readonly #ids = new Map<string, string>();
  readonly #infos = new Map<string, metricsApi.MonitoringInfo>();
  /** Told to the runner as the end of a bundle; the number of ids that stand for the same. */
  readonly #told = new Map<string, number>();
  /** How many questions had come when the runner first asked for an id. */
  readonly #asked = new Map<string, number>();
  /** What the runner has asked for so far. */
  questions = 0;

  idOf(urn: string, type: string, labels: Labels): string {
    const key = JSON.stringify([urn, type, labels]);
    let id = this.#ids.get(key);
    if (id === undefined) {
      id = this.#newId({ urn, type, labels: { ...labels }, payload: new Uint8Array(0) });
      this.#ids.set(key, id);
    }
    return id;
  }

  /**
   * The id under which the end of a bundle tells an info: another one for each bundle that began before the runner has
   * asked what `id` means. Prism keeps what comes under an id that it does not know yet, but only the last of it
   * (jobservices/metrics.go, unprocessedPayloads), so the counts of bundles that end together would be lost; and it may
   * take those of a bundle that is under way before the answer to its question.
   *
   * @param begun `questions` when the bundle began
   */
  toTell(id: string, begun: number): string {
    if ((this.#asked.get(id) ?? Number.POSITIVE_INFINITY) <= begun) return id;
    const told = this.#told.get(id) ?? 0;
    if (told === ALIASES_MAX) return id;
    this.#told.set(id, told + 1);
    return told === 0 ? id : this.#newId(this.#infos.get(id)!);
  }

  /** Without a payload, for a runner that asks. Undefined for an id that was never given. */
  info(id: string): metricsApi.MonitoringInfo | undefined {
    this.questions++;
    if (!this.#asked.has(id)) this.#asked.set(id, this.questions);
    return this.#infos.get(id);
  }

  infoOf(id: string): metricsApi.MonitoringInfo {
    return this.#infos.get(id)!;
  }

  #newId(info: metricsApi.MonitoringInfo): string {
    const id = this.#infos.size.toString(36);
    this.#infos.set(id, info);
    return id;
  }
}

export interface BundleReport {
  readonly monitoringInfos: metricsApi.MonitoringInfo[];
  readonly monitoringData: Record<string, Uint8Array>;
}

/** How far a source has been read. */
export interface ReadIndex {
  readonly transformId: string;
  readonly index: number;
}

export class Monitoring {
  readonly #writer = new ByteWriter(64);
  #begun = 0;
  readonly #metrics: readonly { readonly id: string; readonly cell: MetricCell }[];
  readonly #collections: readonly { readonly id: string; readonly receiver: { elements: number } }[];

  readonly #sizes: readonly { readonly id: string; readonly sizes: SampledSizes }[];
  readonly #transforms: ReadonlySet<string>;

  /** @param sizes by collection */
  constructor(
    processor: BundleProcessor,
    private readonly shortIds: ShortIds,
    sizes: readonly (readonly [string, SampledSizes])[],
    private readonly times: ExecutionTimes,
  ) {
    this.#sizes = sizes.map(([collection, sampled]) => ({
      id: shortIds.idOf("beam:metric:sampled_byte_size:v1", DISTRIBUTION, { PCOLLECTION: collection }),
      sizes: sampled,
    }));
    // What moves elements between the runner and the worker is neither's step.
    this.#transforms = new Set(
      Object.entries(processor.descriptor.transforms)
        .filter(([, { spec }]) => spec?.urn !== urns.source && spec?.urn !== urns.sink)
        .map(([id]) => id),
    );
    this.#metrics = processor.metrics.map(({ transformId, namespace, name, cell }) => {
      const [urn, type] = userMetricType(cell);
      return {
        id: shortIds.idOf(urn, type, { PTRANSFORM: transformId, NAMESPACE: namespace, NAME: name }),
        cell,
      };
    });
    this.#collections = [...processor.collections].map(([id, receiver]) => ({
      id: shortIds.idOf("beam:metric:element_count:v1", SUM, { PCOLLECTION: id }),
      receiver,
    }));
  }

  /** Begins to count anew. */
  reset(): void {
    this.#begun = this.shortIds.questions;
    for (const { receiver } of this.#collections) receiver.elements = 0;
    for (const { cell } of this.#metrics) resetCell(cell);
    for (const { sizes } of this.#sizes) sizes.reset();
    this.times.reset();
  }

  /**
   * @param isFull also with whole infos, for runners that do not know short ids
   * @param isFinal of a bundle that ends; otherwise of one that goes on
   */
  report(
    reads: readonly ReadIndex[],
    inProgress: ReadonlyMap<string, RestrictionProgress>,
    nowMs: number,
    { isFull, isFinal }: { readonly isFull: boolean; readonly isFinal: boolean },
  ): BundleReport {
    const data: Record<string, Uint8Array> = {};
    for (const { id, receiver } of this.#collections) {
      if (receiver.elements > 0) data[id] = this.#varint(receiver.elements);
    }
    for (const { id, cell } of this.#metrics) {
      const payload = this.#payload(cell, nowMs);
      if (payload !== undefined) data[id] = payload;
    }
    for (const { id, sizes } of this.#sizes) {
      if (sizes.count > 0) data[id] = this.#distribution(sizes);
    }
    for (const [transform, ms] of this.times.all()) {
      if (ms < 1 || !this.#transforms.has(transform)) continue;
      for (const urn of EXECUTION_TIMES) {
        data[this.shortIds.idOf(urn, SUM, { PTRANSFORM: transform })] = this.#varint(ms);
      }
    }
    for (const { transformId, index } of reads) {
      const id = this.shortIds.idOf("beam:metric:data_channel:read_index:v1", SUM, {
        PTRANSFORM: transformId,
      });
      data[id] = this.#varint(Math.max(0, index));
    }
    for (const [transformId, { completed, remaining }] of inProgress) {
      for (const [name, amount] of [
        ["completed", completed],
        ["remaining", remaining],
      ] as const) {
        const urn = `beam:metric:ptransform_progress:${name}:v1`;
        this.#writer.reset();
        this.#writer.writeInt32(1);
        this.#writer.writeDouble(amount);
        data[this.shortIds.idOf(urn, PROGRESS, { PTRANSFORM: transformId })] = this.#writer.toBytes();
      }
    }
    const monitoringInfos = isFull
      ? Object.entries(data).map(([id, payload]) => ({ ...this.shortIds.infoOf(id), payload }))
      : [];
    if (!isFinal) return { monitoringInfos, monitoringData: data };
    const told = Object.entries(data).map(([id, payload]) => [
      this.shortIds.toTell(id, this.#begun),
      payload,
    ]);
    return { monitoringInfos, monitoringData: Object.fromEntries(told) };
  }

  #varint(value: number): Uint8Array {
    this.#writer.reset();
    this.#writer.writeVarint(Math.round(value));
    return this.#writer.toBytes();
  }

  #distribution({ count, sum, min, max }: SampledSizes | Distribution): Uint8Array {
    this.#writer.reset();
    this.#writer.writeVarint(count);
    for (const value of [sum, min, max]) this.#writer.writeVarint(Math.round(value));
    return this.#writer.toBytes();
  }

  #payload(cell: MetricCell, nowMs: number): Uint8Array | undefined {
    if (cell instanceof Counter) return cell.delta === 0 ? undefined : this.#varint(cell.delta);
    const writer = this.#writer;
    writer.reset();
    if (cell instanceof Distribution) {
      return cell.count === 0 ? undefined : this.#distribution(cell);
    } else {
      if (cell.value === undefined) return undefined;
      writer.writeVarint(nowMs);
      writer.writeVarint(Math.round(cell.value));
    }
    return writer.toBytes();
  }
}

function userMetricType(cell: MetricCell): readonly [string, string] {
  switch (cell.kind) {
    case "counter":
      return ["beam:metric:user:sum_int64:v1", SUM];
    case "distribution":
      return ["beam:metric:user:distribution_int64:v1", DISTRIBUTION];
    case "gauge":
      return ["beam:metric:user:latest_int64:v1", "beam:metrics:latest_int64:v1"];
  }
}

function resetCell(cell: MetricCell): void {
  if (cell instanceof Counter) {
    cell.delta = 0;
  } else if (cell instanceof Distribution) {
    cell.count = 0;
    cell.sum = 0;
    cell.min = Number.POSITIVE_INFINITY;
    cell.max = Number.NEGATIVE_INFINITY;
  } else {
    cell.value = undefined;
  }
}
