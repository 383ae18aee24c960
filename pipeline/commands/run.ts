/** `run`: checks everything, runs the pipeline until its input or the user ends it, and says what became of it. */
import type { Pipeline, PipelineRun } from "@order-payment-stream/beam";
import { type DirectRun, Health, runDirect } from "@order-payment-stream/beam/direct";
import { systemClock, TrustedClock } from "@order-payment-stream/beam/io";
import { ServerClock } from "@order-payment-stream/mongodb";
import { buildPipeline, MONGODB_CONNECTION } from "../graph.js";
import { earlierFigures, figuresOf, figuresSince } from "../report/figures.js";
import { createLog, type Log } from "../report/log.js";
import { Progress } from "../report/progress.js";
import { OutputClosedError, print } from "../report/standard_output.js";
import { imbalances, summaryOf, summaryText } from "../report/summary.js";
import { Terminal } from "../report/terminal.js";
import type { RunSettings } from "../settings/options.js";
import { registerConnections } from "../settings/worker_settings.js";
import { unlessAborted, watchInterrupts } from "./interrupts.js";
import { checkConnections } from "./preflight.js";
import { recordsMayBeMissing } from "./start_position.js";
import { openState, type RunState } from "./state.js";

/**
 * Resolves with the exit code.
 * @param texts the settings as they were written
 */
export async function run(settings: RunSettings, texts: ReadonlyMap<string, string>): Promise<number> {
  const terminal = new Terminal();
  const log = createLog(settings.log_level, terminal);
  const { signal } = watchInterrupts();
  const health = watchHealth(log);
  const state = await unlessAborted(signal, openState(settings, health, log));
  try {
    await unlessAborted(signal, checkConnections(settings, log));
    const mayMissRecords = await unlessAborted(signal, recordsMayBeMissing(settings, state.isResumed, log));
    if (settings.kafka_start === "group" && settings.state_dir === undefined) {
      log.warn(
        "KAFKA_START=group without STATE_DIR: events that waited when the run before ended do not come again",
      );
    }
    if (settings.bounded && settings.drain === "keep" && settings.state_dir === undefined) {
      log.warn("DRAIN=keep without STATE_DIR: what waits at the end of this run is kept nowhere");
    }
    signal.addEventListener("abort", () => {
      log.info(
        settings.runner === "direct"
          ? "ending: what was read is finished first; a second signal ends at once"
          : "ending the job; a second signal ends at once",
        { drain: settings.drain ?? "keep" },
      );
    });
    const begun =
      settings.runner === "direct"
        ? await startPipeline(settings, log, state, health, mayMissRecords)
        : await startElsewhere(settings, texts, log, health, signal, mayMissRecords);
    await supervise(begun, { settings, terminal, log, signal, lost: state.lost });
  } finally {
    await state.close();
  }
  return 0;
}

/** How long a run that begins waits for MongoDB's clock. */
const CLOCK_ANSWER_MAX_MS = 5_000;

/** Begins to read, in this process. */
export async function startPipeline(
  settings: RunSettings,
  log: Log,
  state: RunState,
  health: Health,
  mayMissRecords: boolean,
): Promise<DirectRun> {
  const trustedClock = new TrustedClock(systemClock, {
    skewMaxMs: settings.clock_skew_max,
    witnessName: "MongoDB",
    advice: "; to believe this machine's, start again with CLOCK_SKEW_MAX=off",
  });
  const pipeline = preparePipeline(settings, log, health, mayMissRecords, trustedClock);
  const serverClock = new ServerClock(MONGODB_CONNECTION, trustedClock, systemClock);
  try {
    await untilAtMost(serverClock.answered, CLOCK_ANSWER_MAX_MS);
    const run = runDirect(pipeline, {
      store: state.store,
      bundleSizeMax: settings.bundle_size,
      bundleTimeMaxMs: settings.bundle_time,
      atEnd: settings.drain ?? "expire",
      onFirstCommit: state.onFirstCommit,
      health,
      trustedClock,
    });
    run.finished.catch(() => undefined).finally(() => serverClock.stop());
    return run;
  } catch (error) {
    serverClock.stop();
    throw error;
  }
}

async function untilAtMost(promise: Promise<void>, maxMs: number): Promise<void> {
  let callOff = (): void => undefined;
  const isOver = new Promise<void>((resolve) => {
    callOff = systemClock.schedule(maxMs, resolve);
  });
  await Promise.race([promise, isOver]);
  callOff();
}

async function startElsewhere(
  settings: RunSettings,
  texts: ReadonlyMap<string, string>,
  log: Log,
  health: Health,
  signal: AbortSignal,
  mayMissRecords: boolean,
): Promise<PipelineRun> {
  const { startPortable } = await import("./run_portable.js");
  return startPortable(preparePipeline(settings, log, health, mayMissRecords), {
    settings,
    texts,
    log,
    signal,
  });
}

/** The graph, and the connections for the steps of it that run in this process. */
function preparePipeline(
  settings: RunSettings,
  log: Log,
  health: Health,
  mayMissRecords: boolean,
  trustedClock?: TrustedClock,
): Pipeline {
  registerConnections(settings, log, health, trustedClock);
  const pipeline = pipelineOf(settings, mayMissRecords);
  log.info("reading", {
    orders: settings.kafka_order_topic,
    payments: settings.kafka_payment_topic,
    from: settings.kafka_bootstrap.join(","),
    start: settings.kafka_start,
    bounded: settings.bounded,
  });
  return pipeline;
}

/** The graph that these settings describe. */
export function pipelineOf(settings: RunSettings, mayMissRecords: boolean): Pipeline {
  return buildPipeline({
    orderTopic: settings.kafka_order_topic,
    paymentTopic: settings.kafka_payment_topic,
    isBounded: settings.bounded,
    start: settings.kafka_start,
    offsetReset: settings.auto_offset_reset,
    groupId: settings.kafka_group_id,
    timeoutMs: settings.state_timeout_minutes,
    maxOutOfOrdernessMs: settings.max_out_of_orderness,
    maxAheadOfClockMs: settings.max_ahead_of_clock,
    usesSchemaRegistry: settings.schema_registry_url !== undefined,
    writerSchemas: settings.avro_writer_schemas,
    database: settings.mongodb_database,
    joinedCollection: settings.mongodb_collection,
    unmatchedCollection: settings.mongodb_unmatched_collection,
    deadLetterCollection: settings.mongodb_dead_letter_collection,
    recordsMayBeMissing: mayMissRecords,
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
  /** Ends the run as it is: its state is lost. The reason is what `supervise` throws then. */
  readonly lost: AbortSignal;
  /** Further lines for the live progress. */
  readonly more?: () => readonly string[];
}

/** Shows progress until the run ends by itself or the signal, then prints the summary. Throws what the run failed with. */
export async function supervise(run: PipelineRun, supervision: Supervision): Promise<void> {
  const { settings, terminal, log, signal, lost, more } = supervision;
  const startedMs = systemClock.elapsed();
  const progress = new Progress(run, terminal, log, more);
  const onAbort = (): void => {
    // Its failure is that of `finished`.
    run.stop(settings.drain ?? "keep").catch(() => undefined);
  };
  const onLost = (): void => {
    // Nothing may expire that a next run still waits for.
    run.stop("keep").catch(() => undefined);
  };
  lost.addEventListener("abort", onLost, { once: true });
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  try {
    await run.finished;
  } finally {
    progress.stop();
    signal.removeEventListener("abort", onAbort);
    lost.removeEventListener("abort", onLost);
  }
  lost.throwIfAborted();
  const total = figuresOf(run.metrics);
  const earlier = earlierFigures(run.metrics);
  const figures = figuresSince(earlier, total);
  const ofAllRuns = earlier === undefined ? undefined : total;
  const durationMs = systemClock.elapsed() - startedMs;
  // Other runners take stock of each step by itself, and forget what was counted before they restarted it.
  if (settings.runner === "direct") {
    for (const imbalance of imbalances(total)) terminal.write(`${imbalance}\n`);
  }
  await printSummary(
    settings.summary === "json"
      ? JSON.stringify(summaryOf(figures, durationMs, ofAllRuns))
      : summaryText(figures, durationMs, ofAllRuns),
    log,
  );
}

/** What was done is done, whether somebody reads it or not. */
async function printSummary(summary: string, log: Log): Promise<void> {
  try {
    await print(summary);
  } catch (error) {
    if (!(error instanceof OutputClosedError)) throw error;
    log.warn("nobody reads stdout: the summary is not shown");
  }
}
