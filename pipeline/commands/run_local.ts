/**
 * `run-local`: all of it on one machine. Starts what is missing, generates load, runs the pipeline, and at the end takes
 * down what it started and nothing else. The load is made in this process: at rates of some thousands per second it
 * costs the pipeline little, and it cannot outlive it.
 */
import { renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import {
  type DirectRun,
  type Health,
  IncompatibleGraphError,
  OlderFormatError,
} from "@order-payment-stream/beam/direct";
import { maskAddress, sleep, systemClock } from "@order-payment-stream/beam/io";

import { kafkaPartitions, type PartitionStatus } from "@order-payment-stream/kafka";
import { type ProduceProgress, type ProduceSummary, produce } from "../../producers/producer.js";
import { ensureServices, type Running, servicesHome } from "../../services/index.js";
import { KAFKA_CONNECTION } from "../graph.js";
import { type KeptLog, keepLog } from "../logs/keep_log.js";
import { type Monitoring, type SettingTexts, startMonitor } from "../monitoring/start_monitor.js";
import { type Figures, figuresOf } from "../report/figures.js";
import { createLog, type Log } from "../report/log.js";
import { formatCount } from "../report/summary.js";
import { Terminal } from "../report/terminal.js";
import type { RunSettings } from "../settings/options.js";
import type { ReadSettings } from "../settings/read_settings.js";
import type { RUN_LOCAL_SETTINGS } from "./command_options.js";
import { unlessAborted, watchInterrupts } from "./interrupts.js";
import { checkConnections } from "./preflight.js";
import { producerOptions, randomSeed, valueFormat } from "./produce.js";
import { startPipeline, supervise, watchHealth } from "./run.js";
import { recordsMayBeMissing } from "./start_position.js";
import { openState } from "./state.js";

type Invocation = ReadSettings<typeof RUN_LOCAL_SETTINGS>;

const FIND_PARTITIONS_MAX_MS = 30_000;
const CATCH_UP_MAX_MS = 5_000;
/** Longer than a fetch waits for records. */
const SETTLED_MS = 1_000;
const POLL_MS = 20;

/** Resolves with the exit code: 0 also after Ctrl-C. */
export async function runLocal(read: Invocation, environment: NodeJS.ProcessEnv): Promise<number> {
  const { settings: given, origins } = read;
  const terminal = new Terminal();
  const log = createLog(given.log_level, terminal, given.log_format);
  const { signal } = watchInterrupts();
  const env = {
    ...environment,
    KAFKA_BOOTSTRAP: origins.get("kafka_bootstrap") === "default" ? "" : given.kafka_bootstrap.join(","),
    MONGODB_URI: origins.get("mongodb_uri") === "default" ? "" : given.mongodb_uri,
  };
  const services = await bringUp(env, log, signal);
  let kept: KeptLog | undefined;
  try {
    const settings: RunSettings = {
      ...given,
      bounded: false,
      orders: undefined,
      payments: undefined,
      then_kafka_from: undefined,
      kafka_bootstrap: services.kafkaBootstrap.split(","),
      mongodb_uri: services.mongodbUri,
      state_dir: given.state_dir ?? stateBeside(services, env),
    };
    tellChoices(settings, origins, log);
    await unlessAborted(signal, prepare(settings, log));
    const health = watchHealth(log);
    kept = keepLog(settings, log, health);
    const monitoring = await startMonitor(settings, read as SettingTexts, health, log);
    try {
      await runUnderLoad(settings, given, { terminal, log, signal, health, monitoring });
    } finally {
      await monitoring.close();
    }
    if (terminal.isTty) tell(whereToLook(settings), terminal);
  } finally {
    log.flush();
    await kept?.close();
    const sources = [services.kafka?.source, services.mongodb?.source];
    if (sources.includes("maven") || sources.includes("container")) {
      log.info(
        "ending the services that were started here; `order-payment-stream services up` keeps them running",
      );
    }
    await services.stop();
  }
  return 0;
}

/** State outlives the run where the topics that it speaks of do: in the servers that were started from here. */
function stateBeside({ kafka, mongodb }: Running, env: NodeJS.ProcessEnv): string | undefined {
  if (kafka?.pid === undefined || mongodb?.pid === undefined) return undefined;
  return join(servicesHome(env), "run-local-state");
}

async function bringUp(env: NodeJS.ProcessEnv, log: Log, signal: AbortSignal): Promise<Running> {
  try {
    return await ensureServices({ kafka: true, mongodb: true, env, signal, log: (line) => log.info(line) });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

async function prepare(settings: RunSettings, log: Log): Promise<void> {
  // A run of the producer without orders creates the topics that are missing.
  const nothing = { which: "all", count: 0, rate: 0, seed: 0 } as const;
  await produce({ ...producerOptions(settings), ...nothing });
  await checkConnections(settings, log);
}

interface Surroundings {
  readonly terminal: Terminal;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly health: Health;
  readonly monitoring: Monitoring;
}

async function runUnderLoad(
  settings: RunSettings,
  given: Invocation["settings"],
  { terminal, log, signal, health, monitoring: { watch, url } }: Surroundings,
): Promise<void> {
  const endOfLoad = new AbortController();
  const endOfRun = new AbortController();
  let sent: ProduceProgress | undefined;
  const page = url === undefined ? [] : [`  page           ${url}`];
  const more = (): string[] => [`  load           ${loadText(sent)}`, ...page];

  const begin = async () => {
    watch.starts("reading the state back");
    const state = await unlessAborted(
      signal,
      openState(settings, health, log, (checkpoint) => watch.checkpoint(checkpoint)),
    );
    try {
      watch.store = state.store;
      watch.starts("beginning to read");
      const mayMiss = await recordsMayBeMissing(settings, state.isResumed, log);
      return { state, direct: await startPipeline(settings, log, state, health, mayMiss) };
    } catch (error) {
      watch.store = undefined;
      await state.close();
      throw error;
    }
  };
  const { state, direct } = await begin().catch((error: unknown) => {
    const own = given.state_dir === undefined ? settings.state_dir : undefined;
    const isOfAnother = error instanceof IncompatibleGraphError || error instanceof OlderFormatError;
    if (own === undefined || !isOfAnother) throw error;
    setAside(own, log);
    return begin();
  });
  watch.runs(direct);
  const before = figuresOf(direct.metrics);
  const supervised = supervise(direct, {
    settings,
    terminal,
    log,
    signal: endOfRun.signal,
    lost: state.lost,
    more,
  });
  supervised.catch(() => undefined);
  let produced: Promise<ProduceSummary> | undefined;
  try {
    // A run that goes on has them in its state.
    if (!state.isResumed) {
      const { kafka_order_topic: orders, kafka_payment_topic: payments } = settings;
      await unlessAborted(signal, Promise.race([untilRead([orders, payments]), supervised]));
    }
    const seed = given.seed ?? randomSeed();
    log.info("generating load", { messagesPerSecond: given.rate, seed });
    if (terminal.isTty) tell([...page, ...whereToLook(settings)], terminal);
    else log.info("where to look", { ...(url !== undefined && { page: url }), ...placesOf(settings) });
    const format = await unlessAborted(signal, valueFormat({ ...settings, format: given.format }, "all"));
    produced = produce({
      ...producerOptions(settings),
      which: "all",
      valueFormat: format,
      count: Number.POSITIVE_INFINITY,
      rate: given.rate,
      seed,
      timeoutMs: settings.state_timeout_minutes,
      outOfOrdernessMs: Math.max(1, settings.max_out_of_orderness),
      signal: endOfLoad.signal,
      onProgress: (progress) => {
        sent = progress;
      },
    });
    produced.catch(() => undefined);
    const duration = given.duration === undefined ? [] : [sleep(given.duration, { isBackground: true })];
    await unlessAborted(signal, Promise.race([produced, supervised, ...duration]));
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    log.info("ending the load, then the pipeline; a second Ctrl-C ends at once");
    watch.ends("the load has ended, and what was read is finished");
    endOfLoad.abort();
    try {
      const summary = await produced;
      if (summary !== undefined) await Promise.race([untilCaughtUp(direct, before, summary), supervised]);
    } finally {
      endOfRun.abort();
      await supervised.finally(() => {
        watch.store = undefined;
        return state.close();
      });
    }
  }
}

/** After an update the program may be another pipeline. What is lost then is load that was made up. */
function setAside(stateDir: string, log: Log): void {
  const aside = `${stateDir}.of-another-version`;
  rmSync(aside, { recursive: true, force: true });
  renameSync(stateDir, aside);
  log.info("the previous run's state belongs to another version of this pipeline; starting without it", {
    aside,
  });
}

/** From then on the read misses nothing that is sent, also when it starts from "latest". */
async function untilRead(topics: readonly string[]): Promise<void> {
  const deadline = systemClock.elapsed() + FIND_PARTITIONS_MAX_MS;
  for (;;) {
    const unread = unreadOf(topics, kafkaPartitions(KAFKA_CONNECTION));
    if (unread.length === 0) return;
    if (systemClock.elapsed() > deadline) {
      throw new Error(
        `no partition of ${unread.join(" and ")} was found within ${FIND_PARTITIONS_MAX_MS / 1000} s`,
      );
    }
    await sleep(POLL_MS);
  }
}

/** The topics of which no partition is being read: asked of the readers, whatever the steps of the graph are called. */
export function unreadOf(
  topics: readonly string[],
  partitions: readonly Pick<PartitionStatus, "topic">[],
): string[] {
  return topics.filter((topic) => !partitions.some((partition) => partition.topic === topic));
}

/**
 * Until as much is read as was sent, and the ends of the topics are: what an earlier run had sent before it was killed is
 * read by this one, and counts in the first. Or until it takes too long: others may write to these topics too, or the
 * pipeline may be behind.
 */
async function untilCaughtUp(direct: DirectRun, before: Figures, sent: ProduceSummary): Promise<void> {
  const deadline = systemClock.elapsed() + CATCH_UP_MAX_MS;
  let caughtUpAtMs: number | undefined;
  while (systemClock.elapsed() < deadline) {
    const isCaughtUp = kafkaPartitions(KAFKA_CONNECTION).every((partition) => partition.isCaughtUp);
    caughtUpAtMs = isCaughtUp ? (caughtUpAtMs ?? systemClock.elapsed()) : undefined;
    const { orders, payments } = figuresOf(direct.metrics);
    const isRead =
      orders.read - before.orders.read >= sent.orders &&
      payments.read - before.payments.read >= sent.payments;
    if (isRead && caughtUpAtMs !== undefined && systemClock.elapsed() - caughtUpAtMs >= SETTLED_MS) return;
    await sleep(POLL_MS);
  }
}

function tellChoices(settings: RunSettings, origins: Invocation["origins"], log: Log): void {
  const chosen = [
    ["state_timeout_minutes", `${settings.state_timeout_minutes / 60_000} min`],
    ["max_out_of_orderness", `${settings.max_out_of_orderness / 1000} s`],
  ] as const;
  for (const [name, value] of chosen) {
    if (origins.get(name) === "default")
      log.info(`${name.toUpperCase()} is ${value}, shortened, so that expiry shows within a minute`);
  }
  if (settings.state_dir === undefined && origins.get("kafka_start") === "default") {
    log.info("reading only what is sent from now on: state is in memory, and that of older events is gone");
  }
}

function loadText(sent: ProduceProgress | undefined): string {
  if (sent === undefined) return "begins";
  const errors = sent.errors > 0 ? `, ${formatCount(sent.errors)} errors` : "";
  return `${formatCount(sent.acknowledged)} sent, ${formatCount(sent.ratePerSecond)}/s${errors}`;
}

function tell(lines: readonly string[], terminal: Terminal): void {
  terminal.write(lines.map((line) => `${line}\n`).join(""));
}

function placesOf(settings: RunSettings): Record<string, string> {
  const [, where, look] = /in MongoDB +(.*)\n +look +(.*)$/.exec(whereToLook(settings).join("\n")) ?? [];
  return { mongodb: where ?? "", look: look ?? "" };
}

/** Where to see the results, for somebody who has mongosh. */
export function whereToLook(settings: RunSettings): string[] {
  const { mongodb_database: database, mongodb_collection: joined } = settings;
  // The database stands where the URI may have one of its own.
  const uri = maskAddress(settings.mongodb_uri).replace(/^(\w+(?:\+srv)?:\/\/[^/]*).*$/, "$1");
  const collections = [
    joined,
    settings.mongodb_unmatched_collection,
    settings.mongodb_dead_letter_collection,
  ].join(", ");
  return [
    `  in MongoDB     ${uri}, database ${database}: ${collections}`,
    `  look           mongosh ${uri}/${database} --eval 'db.getCollection("${joined}").find().limit(3)'`,
  ];
}
