/**
 * What a bundle reports: metrics of its DoFns, elements of its collections, how far it has read. All count from the
 * start of the bundle. What stays the same of an info goes over the wire once, under a short id.
 * Source: metrics.proto, MonitoringInfoSpecs.
 */
import type { BundleProcessor } from "../exec/bundle_processor.js";
import type { Progress } from "../exec/operator.js";
import type { metricsApi } from "../model/apache_beam.js";
import { ByteWriter } from "../model/bytes.js";
import { Counter, Distribution, type MetricCell } from "../sdk/metrics.js";

const SUM = "beam:metrics:sum_int64:v1";
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

  constructor(
    processor: BundleProcessor,
    private readonly shortIds: ShortIds,
  ) {
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
  }

  /**
   * @param isFull also with whole infos, for runners that do not know short ids
   * @param isFinal of a bundle that ends; otherwise of one that goes on
   */
  report(
    reads: readonly ReadIndex[],
    inProgress: ReadonlyMap<string, Progress>,
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

  #payload(cell: MetricCell, nowMs: number): Uint8Array | undefined {
    if (cell instanceof Counter) return cell.delta === 0 ? undefined : this.#varint(cell.delta);
    const writer = this.#writer;
    writer.reset();
    if (cell instanceof Distribution) {
      if (cell.count === 0) return undefined;
      writer.writeVarint(cell.count);
      for (const value of [cell.sum, cell.min, cell.max]) writer.writeVarint(Math.round(value));
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
      return ["beam:metric:user:distribution_int64:v1", "beam:metrics:distribution_int64:v1"];
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
