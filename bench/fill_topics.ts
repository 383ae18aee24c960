/** The topics that a bench reads, filled once for all that it measures. */
import { join } from "node:path";
import { DEFAULT_OUT_OF_ORDERNESS_MS, DEFAULT_TIMEOUT_MS } from "../producers/scenario.js";
import { PARTITIONS } from "../producers/topics.js";
import type { LoadInput, LoadResult } from "./load_input.js";
import { runScript } from "./run_script.js";
import type { SubjectInput } from "./subject.js";

const TOPICS = { orders: "bench_orders", payments: "bench_payments" };
/** Orders per second of event time. */
const EVENT_RATE = 250;

export interface FilledTopics {
  readonly load: LoadInput;
  readonly loaded: LoadResult;
}

/**
 * Each order is a key of its own; the same number of events gives the same bytes on any day.
 * @param scripts folder of the compiled bench
 * @param more in place of what all benches fill
 */
export async function fillTopics(
  scripts: string,
  broker: string,
  events: number,
  signal: AbortSignal,
  more: Partial<LoadInput> = {},
): Promise<FilledTopics> {
  const load: LoadInput = {
    brokers: [broker],
    topics: TOPICS,
    events,
    seed: 1,
    eventRatePerSecond: EVENT_RATE,
    timeoutMs: DEFAULT_TIMEOUT_MS,
    outOfOrdernessMs: DEFAULT_OUT_OF_ORDERNESS_MS,
    ...more,
  };
  const loaded = await runScript<LoadResult>({ script: join(scripts, "load.js"), input: load, signal });
  console.error(`The topics hold ${loaded.orders + loaded.payments} records.`);
  return { load, loaded };
}

/** What a subject is told that reads these topics to a sink of its own. */
export function inputOf({ load, loaded }: FilledTopics): SubjectInput {
  return {
    brokers: load.brokers,
    topics: load.topics,
    partitions: PARTITIONS,
    expected: loaded,
    timeoutMs: load.timeoutMs,
    outOfOrdernessMs: load.outOfOrdernessMs,
    mongodbUri: "",
    database: "",
    latencySeconds: 0,
    changes: "",
  };
}
