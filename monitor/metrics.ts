/**
 * `/metrics`: each metric by name, with where its value is. They are made of an observation when somebody asks, so that
 * nothing is counted twice and nothing is paid for in between. Names are Prometheus's: base units, `_total` for what
 * only grows, and no id of an order, a payment or a document in a label.
 */

import type { StageActivity } from "@order-payment-stream/beam/direct";
import { systemClock } from "@order-payment-stream/beam/io";
import { collectDefaultMetrics, type Metric, Registry } from "prom-client";
import { type Book, KINDS, PLACES, type Place } from "../schemas/figures.js";
import { lagOf, type Observation } from "./observation.js";

type Labels = Readonly<Record<string, string | number>>;
type Value = readonly [value: number, labels?: Labels];

export interface MetricDefinition {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly labels: readonly string[];
  readonly values: (observation: Observation) => readonly Value[];
}

const ofStages =
  (value: (stage: StageActivity) => number) =>
  ({ stages }: Observation): Value[] =>
    stages.map((stage): Value => [value(stage), { stage: stage.name }]);

const ofKinds =
  (name: keyof Book) =>
  ({ total, tellsFigures }: Observation): Value[] =>
    tellsFigures ? KINDS.map((kind): Value => [total[kind][name], { kind }]) : [];

const seconds = (ms: number): number => ms / 1000;

/** How far a watermark is behind the clock, where it says anything. */
export function gapMs(watermark: number | undefined, atMs: number): number | undefined {
  // Beyond what a date can be: not begun, or at the end of all time.
  if (watermark === undefined || Math.abs(watermark) > 8.64e15 - 1e9) return undefined;
  return atMs - watermark;
}

function known(values: readonly (readonly [number | undefined, Labels?])[]): Value[] {
  return values.filter((value): value is Value => value[0] !== undefined);
}

const PLACE_HELP: Readonly<Record<Place, string>> = {
  joined: "Events that have found a partner.",
  unmatched: "Events whose time ended without a partner.",
  duplicates: "Events that repeat one in state.",
  dead_letters: "Records that could not take part.",
  pending: "Events in state without a partner.",
};

/** ops_duplicate_events_total, ops_pending_events: in the singular, before what is counted. */
export function eventsMetricName(place: Place): string {
  return `ops_${place.replace(/s$/, "")}_events${place === "pending" ? "" : "_total"}`;
}

function eventsIn(place: Place): MetricDefinition {
  return {
    name: eventsMetricName(place),
    type: place === "pending" ? "gauge" : "counter",
    help: PLACE_HELP[place],
    labels: ["kind"],
    values: ofKinds(place),
  };
}

export const METRICS: readonly MetricDefinition[] = [
  {
    name: "ops_records_read_total",
    type: "counter",
    help: "Records read by this process.",
    labels: ["topic", "partition"],
    values: ({ partitions }) =>
      partitions.map(({ topic, partition, recordsRead }): Value => [recordsRead, { topic, partition }]),
  },
  {
    name: "ops_consumer_lag_records",
    type: "gauge",
    help: "Records of a partition that have not been read yet, by the end of the log as last told.",
    labels: ["topic", "partition"],
    values: ({ partitions }) => known(partitions.map((p) => [lagOf(p), labelsOf(p)])),
  },
  {
    name: "ops_partition_watermark_lag_seconds",
    type: "gauge",
    help: "How far event time in a partition is behind the clock.",
    labels: ["topic", "partition"],
    values: ({ partitions, atMs }) =>
      known(
        partitions.map((p) => {
          const gap = gapMs(p.watermark, atMs);
          return [gap && seconds(gap), labelsOf(p)];
        }),
      ),
  },
  {
    name: "ops_partition_up",
    type: "gauge",
    help: "1: a partition can be read; 0: no attempt succeeds, or its broker does not answer.",
    labels: ["topic", "partition"],
    values: ({ partitions }) =>
      partitions.map((p): Value => [p.failure === undefined && p.error === undefined ? 1 : 0, labelsOf(p)]),
  },
  {
    name: "ops_events_total",
    type: "counter",
    help: "Events read, over all runs on this state. The sum of joined, unmatched, duplicate, dead-letter and pending events, whenever nothing is in flight.",
    labels: ["kind"],
    values: ofKinds("read"),
  },
  ...PLACES.map(eventsIn),
  {
    name: "ops_joined_total",
    type: "counter",
    help: "Documents written to the joined collection.",
    labels: [],
    values: ({ total, tellsFigures }) => (tellsFigures ? [[total.joined]] : []),
  },
  {
    name: "ops_dead_letters_total",
    type: "counter",
    help: "Dead letters, refused documents included.",
    labels: ["reason"],
    values: ({ total }) =>
      Object.entries(total.dead_letters).map(([reason, count]): Value => [count ?? 0, { reason }]),
  },
  {
    name: "ops_watermark_lag_seconds",
    type: "gauge",
    help: "How far event time in front of a stage is behind the clock.",
    labels: ["stage"],
    values: ({ stages, atMs }) =>
      known(
        stages.map(({ name, inputWatermark }) => {
          const gap = gapMs(inputWatermark, atMs);
          return [gap && seconds(gap), { stage: name }];
        }),
      ),
  },
  {
    name: "ops_expiry_lag_seconds",
    type: "gauge",
    help: "How far the join's event time is behind the clock, beyond the disorder that is allowed for: an unpaid order is reported this much later than it should be.",
    labels: [],
    values: ({ joinWatermarkMs, atMs, outOfOrdernessMs }) => {
      const gap = gapMs(joinWatermarkMs, atMs);
      return gap === undefined ? [] : [[Math.max(0, seconds(gap - outOfOrdernessMs))]];
    },
  },
  {
    name: "ops_stage_elements_total",
    type: "counter",
    help: "Elements that a stage has processed since the start.",
    labels: ["stage"],
    values: ofStages(({ elementsIn }) => elementsIn),
  },
  {
    name: "ops_stage_pending_elements",
    type: "gauge",
    help: "Elements that wait in front of a stage.",
    labels: ["stage"],
    values: ofStages(({ pending }) => pending),
  },
  {
    name: "ops_stage_timers",
    type: "gauge",
    help: "Timers that are set.",
    labels: ["stage"],
    values: ofStages(({ eventTimers, processingTimers }) => eventTimers + processingTimers),
  },
  {
    name: "ops_busy_seconds_total",
    type: "counter",
    help: "Time that a stage spent in its own code.",
    labels: ["stage"],
    values: ofStages(({ busyMs }) => seconds(busyMs)),
  },
  {
    name: "ops_flushing_seconds_total",
    type: "counter",
    help: "Time that a stage waited for a database to answer.",
    labels: ["stage"],
    values: ofStages(({ flushingMs }) => seconds(flushingMs)),
  },
  {
    name: "ops_backpressured_seconds_total",
    type: "counter",
    help: "Time that a stage had work to do but waited for later stages.",
    labels: ["stage"],
    values: ofStages(({ blockedMs }) => seconds(blockedMs)),
  },
  {
    name: "ops_commits_total",
    type: "counter",
    help: "Commits since the start.",
    labels: [],
    values: ({ commits }) => (commits === undefined ? [] : [[commits.count]]),
  },
  {
    name: "ops_commit_seconds_total",
    type: "counter",
    help: "Time that commits took.",
    labels: [],
    values: ({ commits }) => (commits === undefined ? [] : [[seconds(commits.durationMs)]]),
  },
  {
    name: "ops_commit_bytes_total",
    type: "counter",
    help: "Bytes that commits wrote to the state directory.",
    labels: [],
    values: ({ commits }) => (commits === undefined ? [] : [[commits.bytes]]),
  },
  {
    name: "ops_state_bytes",
    type: "gauge",
    help: "Memory reserved for state.",
    labels: [],
    values: ({ stateBytes }) => (stateBytes === undefined ? [] : [[stateBytes]]),
  },
  {
    name: "ops_checkpoints_total",
    type: "counter",
    help: "Checkpoints uploaded since the start.",
    labels: [],
    values: ({ checkpoints }) => (checkpoints === undefined ? [] : [[checkpoints.length]]),
  },
  {
    name: "ops_checkpoint_duration_seconds",
    type: "gauge",
    help: "Time that the last checkpoint took.",
    labels: [],
    values: ({ checkpoints }) => known([[checkpoints?.at(-1) && seconds(checkpoints.at(-1)!.durationMs)]]),
  },
  {
    name: "ops_checkpoint_bytes",
    type: "gauge",
    help: "Size of the last checkpoint.",
    labels: [],
    values: ({ checkpoints }) => known([[checkpoints?.at(-1)?.bytes]]),
  },
  {
    name: "ops_checkpoint_timestamp_seconds",
    type: "gauge",
    help: "When the last checkpoint was finished.",
    labels: [],
    values: ({ checkpoints }) => known([[checkpoints?.at(-1) && seconds(checkpoints.at(-1)!.atMs)]]),
  },
  {
    name: "ops_server_up",
    type: "gauge",
    help: "1: a server answers; 0: it does not.",
    labels: ["server"],
    values: ({ servers }) =>
      servers.map(({ name, problem }): Value => [problem === undefined ? 1 : 0, { server: name }]),
  },
  {
    name: "ops_problems",
    type: "gauge",
    help: "Current problems, by component.",
    labels: ["component"],
    values: ({ problems }) => problems.map(({ component }): Value => [1, { component }]),
  },
  {
    name: "ops_start_time_seconds",
    type: "gauge",
    help: "When this run began.",
    labels: [],
    values: ({ startedAtMs }) => [[seconds(startedAtMs)]],
  },
  {
    name: "ops_run_up",
    type: "gauge",
    help: "1: the pipeline runs; 0: it is starting, or has ended.",
    labels: [],
    values: ({ phase }) => [[phase === "running" ? 1 : 0]],
  },
];

/** From the payment's timestamp in Kafka to the answer that its pair is written. */
export const LATENCY_METRIC = "ops_pair_latency_seconds";
const LATENCY_HELP =
  "From the timestamp that a payment has in Kafka to the answer that its pair is written; of pairs that their payment completed.";

function labelsOf({ topic, partition }: { topic: string; partition: number }): Labels {
  return { topic, partition };
}

/** @param observe asked once for each scrape */
export function createRegistry(observe: () => Observation): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  // All metrics of one scrape are of one moment.
  let last: Observation | undefined;
  const observed = (): Observation => {
    if (last === undefined) {
      last = observe();
      void systemClock.yield().then(() => {
        last = undefined;
      });
    }
    return last;
  };
  for (const { name, type, help, values } of METRICS) {
    registerMetric(registry, name, () => ({
      name,
      help,
      type,
      aggregator: "sum",
      values: values(observed()).map(([value, labels = {}]) => ({ value, labels })),
    }));
  }
  registerMetric(registry, LATENCY_METRIC, () => ({
    name: LATENCY_METRIC,
    help: LATENCY_HELP,
    type: "histogram",
    aggregator: "sum",
    values: latencyValues(observed()),
  }));
  return registry;
}

function latencyValues({ latency }: Observation): object[] {
  const values: object[] = [];
  let below = 0;
  latency.counts.forEach((count, index) => {
    below += count;
    const bound = latency.boundsMs[index];
    const le = bound === undefined ? "+Inf" : String(seconds(bound));
    values.push({ value: below, labels: { le }, metricName: `${LATENCY_METRIC}_bucket` });
  });
  values.push({ value: seconds(latency.sumMs), labels: {}, metricName: `${LATENCY_METRIC}_sum` });
  values.push({ value: below, labels: {}, metricName: `${LATENCY_METRIC}_count` });
  return values;
}

/** The registry asks what it is given for `get`; its own classes would count, and these figures are counted already. */
function registerMetric(registry: Registry, name: string, get: () => object): void {
  const metric = { name, get: async () => get(), reset: () => undefined };
  registry.registerMetric(metric as unknown as Metric);
}

/** Names under which a query finds something. */
export function metricNames(): string[] {
  const histogram = ["_bucket", "_sum", "_count"].map((ending) => LATENCY_METRIC + ending);
  return [...METRICS.map(({ name }) => name), ...histogram];
}
