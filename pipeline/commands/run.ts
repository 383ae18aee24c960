/** `run`: checks everything, runs the pipeline until its input or the user ends it, and says what became of it. */
import type { Pipeline, PipelineRun } from "@order-payment-stream/beam";
import { type DirectRun, Health, runDirect } from "@order-payment-stream/beam/direct";
import { systemClock, TrustedClock } from "@order-payment-stream/beam/io";
import { ServerClock } from "@order-payment-stream/mongodb";
import type { Checkpoint } from "../../monitor/observation.js";
import { buildPipeline, type GraphOptions, MONGODB_CONNECTION, type Results } from "../graph.js";
import { keepLog } from "../logs/keep_log.js";
import type { RunWatch } from "../monitoring/run_watch.js";
import { type SettingTexts, startMonitor } from "../monitoring/start_monitor.js";
import { earlierFigures, figuresOf, figuresSince } from "../report/figures.js";
import { createLog, type Log } from "../report/log.js";
import { eventsOf, ProgressReport } from "../report/progress.js";
import { OutputClosedError, print } from "../report/standard_output.js";
import { imbalances, summaryOf, summaryText } from "../report/summary.js";
import { Terminal } from "../report/terminal.js";
import { needsKafka, needsMongo } from "../settings/file_settings.js";
import type { RunSettings } from "../settings/options.js";
import { directRunnerOptions } from "../settings/runner_options.js";
import { registerConnections } from "../settings/worker_settings.js";
import { printResults, writeResultFiles, writeToMongo } from "../write_results.js";
import { explain } from "./command.js";
import { absolute, FileProgress, inspectFiles } from "./input_files.js";
import { InterruptedError, unlessAborted, watchInterrupts } from "./interrupts.js";
import { checkConnections } from "./preflight.js";
import { recordsMayBeMissing } from "./start_position.js";
import { openState, type RunState } from "./state.js";

/**
 * Resolves with the exit code.
 * @param read the settings as they were written
 */
export async function run(settings: RunSettings, read: SettingTexts): Promise<number> {
  const terminal = new Terminal();
  const log = createLog(settings.log_level, terminal, settings.log_format);
  const { signal } = watchInterrupts();
  const health = watchHealth(log);
  const kept = keepLog(settings, log, health);
  try {
    const monitoring = await startMonitor(settings, read, health, log);
    try {
      await runWatched(settings, read, { terminal, log, signal, health, watch: monitoring.watch });
    } finally {
      await monitoring.close();
    }
  } catch (error) {
    if (!(error instanceof InterruptedError)) {
      log.errorInFiles("the run has failed", { error: explain(error) });
    }
    throw error;
  } finally {
    log.flush();
    await kept.close();
  }
  return 0;
}

interface Watched {
  readonly terminal: Terminal;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly health: Health;
  readonly watch: RunWatch;
}

async function runWatched(
  settings: RunSettings,
  { texts }: SettingTexts,
  { terminal, log, signal, health, watch }: Watched,
): Promise<void> {
  watch.starts(settings.state_dir === undefined ? "preparing state" : "reading the state back from disk");
  const onCheckpoint = (checkpoint: Checkpoint): void => watch.checkpoint(checkpoint);
  const state = await unlessAborted(signal, openState(settings, health, log, onCheckpoint));
  watch.store = state.store;
  try {
    watch.starts("checking what to read, and where to write");
    const files = await unlessAborted(signal, inspectFiles(settings, state.isResumed, log));
    await unlessAborted(signal, checkConnections(settings, log));
    const mayMissRecords = await unlessAborted(signal, recordsMayBeMissing(settings, state.isResumed, log));
    if (settings.kafka_start === "group" && settings.state_dir === undefined) {
      log.warn(
        "KAFKA_START=group without STATE_DIR: events that were waiting when the previous run ended are not read again",
      );
    }
    if (settings.bounded && settings.drain === "keep" && settings.state_dir === undefined) {
      log.warn("DRAIN=keep without STATE_DIR: events that still wait when this run ends are not kept");
    }
    signal.addEventListener("abort", () => {
      watch.ends("what was read is finished first");
      log.info(
        settings.runner === "direct"
          ? "stopping: what was read is finished first; a second signal ends at once"
          : "ending the job; a second signal ends at once",
        { drain: settings.drain ?? "keep" },
      );
    });
    watch.starts(
      settings.runner === "direct" ? "beginning to read" : `starting the job on ${settings.runner}`,
    );
    const begun =
      settings.runner === "direct"
        ? await startPipeline(settings, log, state, health, mayMissRecords)
        : await startElsewhere(settings, texts, log, health, signal, mayMissRecords);
    watch.runs(begun);
    const progress = files && new FileProgress(begun.metrics, files);
    await supervise(begun, {
      settings,
      terminal,
      log,
      signal,
      lost: state.lost,
      ...(progress !== undefined && { more: () => progress.lines(), moreFields: () => progress.fields() }),
    });
  } finally {
    watch.store = undefined;
    await state.close();
  }
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
    advice: "; to trust this machine's, start again with CLOCK_SKEW_MAX=off",
  });
  const pipeline = preparePipeline(settings, log, health, mayMissRecords, trustedClock, state.isResumed);
  const serverClock = needsMongo(settings)
    ? new ServerClock(MONGODB_CONNECTION, trustedClock, systemClock)
    : undefined;
  try {
    if (serverClock !== undefined) await untilAtMost(serverClock.answered, CLOCK_ANSWER_MAX_MS);
    const run = runDirect(pipeline, {
      store: state.store,
      ...directRunnerOptions(settings),
      atEnd: settings.drain ?? "expire",
      onFirstCommit: state.onFirstCommit,
      health,
      trustedClock,
    });
    run.finished.catch(() => undefined).finally(() => serverClock?.stop());
    return run;
  } catch (error) {
    serverClock?.stop();
    throw error;
  }
}

async function untilAtMost(promise: Promise<void>, maxMs: number): Promise<void> {
  let cancel = (): void => undefined;
  const isOver = new Promise<void>((resolve) => {
    cancel = systemClock.schedule(maxMs, resolve);
  });
  await Promise.race([promise, isOver]);
  cancel();
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
  isResumed = false,
): Pipeline {
  registerConnections(settings, log, health, trustedClock);
  const pipeline = pipelineOf(settings, mayMissRecords);
  const { orders, payments, then_kafka_from: then } = settings;
  log.info("reading", {
    orders: orders ?? settings.kafka_order_topic,
    payments: payments ?? settings.kafka_payment_topic,
    ...(needsKafka(settings) && {
      from: settings.kafka_bootstrap.join(","),
      start: isResumed
        ? "where the state ends"
        : orders === undefined || payments === undefined
          ? settings.kafka_start
          : then,
      ...(then !== undefined && { thenKafkaFrom: then }),
    }),
    bounded: settings.bounded,
  });
  return pipeline;
}

/** The graph that these settings describe. */
export function pipelineOf(settings: RunSettings, mayMissRecords: boolean): Pipeline {
  const options: GraphOptions = {
    orderTopic: settings.kafka_order_topic,
    paymentTopic: settings.kafka_payment_topic,
    orderFiles: settings.orders && absolute(settings.orders),
    paymentFiles: settings.payments && absolute(settings.payments),
    seam: settings.then_kafka_from,
    badFiles: settings.bad_files,
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
  };
  return buildPipeline(options, sinkOf(settings, options));
}

function sinkOf(settings: RunSettings, options: GraphOptions): (results: Results) => void {
  const { sink, sink_path: path, sink_codec: codec, sink_interval: intervalMs, bounded } = settings;
  if (sink === "mongodb") return writeToMongo(options);
  if (sink === "stdout") return printResults;
  return writeResultFiles({
    folder: absolute(path!),
    format: sink,
    codec,
    intervalMs: bounded ? null : intervalMs,
  });
}

/** Problems are logged when they begin, change and end. */
export function watchHealth(log: Log): Health {
  return new Health(systemClock, (component, now) => {
    if (now === undefined) log.info("recovered", { component });
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
  /** Further lines for the live progress, and fields for its line in a log. */
  readonly more?: () => readonly string[];
  readonly moreFields?: () => Readonly<Record<string, number>>;
}

/** Shows progress until the run ends by itself or the signal, then prints the summary. Throws what the run failed with. */
export async function supervise(run: PipelineRun, supervision: Supervision): Promise<void> {
  const { settings, terminal, log, signal, lost, more, moreFields } = supervision;
  const startedMs = systemClock.elapsed();
  const before = eventsOf(figuresSince(earlierFigures(run.metrics), figuresOf(run.metrics)));
  const progress = new ProgressReport(run, terminal, log, more, moreFields);
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
  if (settings.summary === "json") {
    await printSummary(JSON.stringify(summaryOf(figures, durationMs, ofAllRuns)), log);
    return;
  }
  const text = summaryText(figures, durationMs, ofAllRuns, placeOf(settings), before);
  // Stdout holds the results there.
  if (settings.sink === "stdout") terminal.write(`${text}\n`);
  else await printSummary(text, log);
}

function placeOf({ sink, sink_path: path }: RunSettings): string {
  if (sink === "mongodb") return "in MongoDB";
  return sink === "stdout" ? "on stdout" : `in ${path}`;
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
