/** `run`: checks everything, runs the pipeline until its input or the user ends it, and says what became of it. */
import { registerKafkaConnection } from "../beam/io/kafka/kafka_connections.js";
import { registerMongoConnection } from "../beam/io/mongodb/mongo_connections.js";
import { systemClock } from "../beam/model/clock.js";
import { Health } from "../beam/model/health.js";
import { type DirectRun, runDirect } from "../beam/runners/direct/direct_runner.js";
import { print } from "./command.js";
import { kafkaConfig } from "./connections.js";
import { figuresOf } from "./figures.js";
import { buildPipeline, KAFKA_CONNECTION, MONGODB_CONNECTION } from "./graph.js";
import { unlessAborted, watchInterrupts } from "./interrupts.js";
import { createLog, type Log } from "./log.js";
import type { RunSettings } from "./options.js";
import { checkConnections } from "./preflight.js";
import { Progress } from "./progress.js";
import { openState, type RunState } from "./state.js";
import { imbalances, summaryOf, summaryText } from "./summary.js";
import { Terminal } from "./terminal.js";

/** Resolves with the exit code. */
export async function run(settings: RunSettings): Promise<number> {
  const terminal = new Terminal();
  const log = createLog(settings.log_level, terminal);
  const { signal } = watchInterrupts();
  const health = watchHealth(log);
  const state = await openState(settings, health, log);
  try {
    await unlessAborted(signal, checkConnections(settings, log));
    if (settings.kafka_start === "group" && settings.state_dir === undefined) {
      log.warn(
        "KAFKA_START=group without STATE_DIR: events that waited when the run before ended do not come again",
      );
    }
    signal.addEventListener("abort", () => {
      log.info("ending: what was read is finished first; a second signal ends at once", {
        drain: settings.drain,
      });
    });
    await supervise(startPipeline(settings, log, state, health), { settings, terminal, log, signal });
  } finally {
    await state.close();
  }
  return 0;
}

/** Begins to read. */
export function startPipeline(
  settings: RunSettings,
  log: Log,
  state: RunState,
  health = watchHealth(log),
): DirectRun {
  const { outage_max: outageMaxMs } = settings;
  const kafka = kafkaConfig(settings, log);
  registerKafkaConnection(KAFKA_CONNECTION, { ...kafka, health, limits: { retryMaxMs: outageMaxMs } });
  const writerOptions = { logger: log, health, retryTimeMaxMs: outageMaxMs };
  registerMongoConnection(MONGODB_CONNECTION, settings.mongodb_uri, writerOptions);
  const pipeline = buildPipeline({
    orderTopic: settings.kafka_order_topic,
    paymentTopic: settings.kafka_payment_topic,
    isBounded: settings.bounded,
    start: settings.kafka_start,
    groupId: settings.kafka_group_id,
    timeoutMs: settings.state_timeout_minutes,
    maxOutOfOrdernessMs: settings.max_out_of_orderness,
    futureMaxMs: settings.max_ahead_of_clock,
    database: settings.mongodb_database,
    joinedCollection: settings.mongodb_collection,
    unmatchedCollection: settings.mongodb_unmatched_collection,
    deadLetterCollection: settings.mongodb_dead_letter_collection,
  });
  log.info("reading", {
    orders: settings.kafka_order_topic,
    payments: settings.kafka_payment_topic,
    from: settings.kafka_bootstrap.join(","),
    start: settings.kafka_start,
    bounded: settings.bounded,
  });
  return runDirect(pipeline, {
    store: state.store,
    bundleSizeMax: settings.bundle_size,
    bundleTimeMaxMs: settings.bundle_time,
    health,
  });
}

/** Problems are logged when they begin, change and end. */
export function watchHealth(log: Log): Health {
  return new Health(systemClock, (component, now) => {
    if (now === undefined) log.info("well again", { component });
    else log.warn("problem", { component, problem: now.problem });
  });
}

export interface Supervision {
  readonly settings: RunSettings;
  readonly terminal: Terminal;
  readonly log: Log;
  /** Ends the run in order. */
  readonly signal: AbortSignal;
  /** Further lines for the live progress. */
  readonly more?: () => readonly string[];
}

/** Shows progress until the run ends by itself or the signal, then prints the summary. Throws what the run failed with. */
export async function supervise(direct: DirectRun, supervision: Supervision): Promise<void> {
  const { settings, terminal, log, signal, more } = supervision;
  const startedMs = performance.now();
  const progress = new Progress(direct, terminal, log, more);
  const onAbort = (): void => {
    // Its failure is that of `finished`.
    direct.stop(settings.drain).catch(() => undefined);
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  try {
    await direct.finished;
  } finally {
    progress.stop();
    signal.removeEventListener("abort", onAbort);
  }
  const figures = figuresOf(direct.metrics);
  const durationMs = performance.now() - startedMs;
  for (const imbalance of imbalances(figures)) terminal.write(`${imbalance}\n`);
  await print(
    settings.summary === "json"
      ? JSON.stringify(summaryOf(figures, durationMs))
      : summaryText(figures, durationMs),
  );
}
