/** The product from Kafka to a sink that counts: the engine without the cost of a database. */

import { type DirectRun, runDirect } from "../../beam/runners/direct/direct_runner.js";
import type { Store } from "../../beam/store/store.js";
import { kafkaConnections } from "../../connectors/kafka/kafka_connections.js";
import { buildPipeline, type GraphOptions, KAFKA_CONNECTION } from "../../pipeline/graph.js";
import { type Measurement, runSubject, type SubjectInput } from "../subject.js";
import { countResults } from "./counting_sink.js";
import { assertStateEmpty, duplicatesOf, graphOptions, registerKafka } from "./pipeline.js";

export function measureCounting(openStore: () => Promise<Store>): Promise<void> {
  return runSubject((input) => runCounting(input, openStore));
}

/**
 * @param openStore where state is; opening it is not within the time
 * @param more of the graph
 * @param onRun for whoever looks on
 */
export async function runCounting(
  input: SubjectInput,
  openStore: () => Promise<Store>,
  more: Partial<GraphOptions> = {},
  onRun: (run: DirectRun) => void = () => undefined,
): Promise<Measurement> {
  registerKafka(input);
  // As for the ceilings, being connected comes before the time; finding partitions and their ends is within it.
  await kafkaConnections.acquire(KAFKA_CONNECTION);
  const measurement = await runGraph(input, await openStore(), more, onRun);
  await kafkaConnections.release(KAFKA_CONNECTION);
  return measurement;
}

/** Runs the graph to its end, from wherever `more` has it read. Closes the store. */
export async function runGraph(
  input: SubjectInput,
  store: Store,
  more: Partial<GraphOptions>,
  onRun: (run: DirectRun) => void = () => undefined,
): Promise<Measurement> {
  const pipeline = buildPipeline({ ...graphOptions(input, true), ...more }, countResults);
  const startMs = performance.now();
  const run = runDirect(pipeline, { store });
  onRun(run);
  await run.finished;
  const seconds = (performance.now() - startMs) / 1000;
  assertStateEmpty(run);
  await store.close();
  const counted = (sink: string): number => run.metrics.counter("counted", sink);
  return {
    events: run.metrics.counter("records"),
    seconds,
    counts: {
      pairs: counted("CountJoined"),
      unmatched: counted("CountUnmatched"),
      duplicates: duplicatesOf(run),
      deadLetters: counted("CountDeadLetters"),
    },
  };
}
