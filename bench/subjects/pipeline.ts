/** The product's own graph and runner, as `order-payment-stream run` would start them, for the subjects that measure it. */

import type { DirectRun } from "../../beam/runners/direct/direct_runner.js";
import type { PipelineRun } from "../../beam/sdk/pipeline_run.js";
import { registerKafkaConnection } from "../../connectors/kafka/kafka_connections.js";
import { type GraphOptions, KAFKA_CONNECTION } from "../../pipeline/graph.js";
import { turnOffPretenuring } from "../../pipeline/pretenuring.js";
import type { SubjectInput } from "../subject.js";

// As main.ts does.
turnOffPretenuring();

const FUTURE_MAX_MS = 5 * 60_000;
const silent = (): void => {};
const logger = { debug: silent, info: silent, warn: console.error, error: console.error };

export const COLLECTIONS = { joined: "joined", unmatched: "unmatched", deadLetters: "dead_letters" };

export function registerKafka({ brokers }: SubjectInput): void {
  registerKafkaConnection(KAFKA_CONNECTION, { brokers, clientId: "bench-pipeline", logger });
}

export function graphOptions(input: SubjectInput, isBounded: boolean): GraphOptions {
  return {
    orderTopic: input.topics.orders,
    paymentTopic: input.topics.payments,
    isBounded,
    start: "earliest",
    groupId: undefined,
    timeoutMs: input.timeoutMs,
    maxOutOfOrdernessMs: input.outOfOrdernessMs,
    maxAheadOfClockMs: FUTURE_MAX_MS,
    database: input.database,
    joinedCollection: COLLECTIONS.joined,
    unmatchedCollection: COLLECTIONS.unmatched,
    deadLetterCollection: COLLECTIONS.deadLetters,
  };
}

/** A duplicate leaves nothing behind but its count. */
export function duplicatesOf({ metrics }: Pick<PipelineRun, "metrics">): number {
  return metrics.counter("duplicates_orders") + metrics.counter("duplicates_payments");
}

/** Of a durable store: what tells of the run as a whole. */
const WHAT_STAYS = /^run\/|^progress\/(watermarks|restrictions)$/;

/** Throws when something is left in state after a bounded run: the figure would be that of half the work. */
export function assertStateEmpty(run: DirectRun): void {
  const left = [...run.store.sizes()].filter(([name, size]) => size > 0 && !WHAT_STAYS.test(name));
  if (left.length > 0) throw new Error(`state is left: ${JSON.stringify(left)}`);
}
