/**
 * Runs one scenario: the product's graph on the direct runner, in a world of which everything outside the process is
 * simulated. A safety phase, in which things go wrong and nothing may become wrong; then a liveness phase, in which all
 * works again and the run has to come to its end.
 */
import type { ElementBatch } from "../../beam/engine/element_batch.js";
import type { Stage } from "../../beam/engine/stage.js";
import { DEFAULT_CLOCK_SKEW_MAX_MS, TrustedClock } from "../../beam/platform/trusted_clock.js";
import { type DirectRun, runDirect } from "../../beam/runners/direct/direct_runner.js";
import type { Store } from "../../beam/store/store.js";
import type { KafkaLogger } from "../../connectors/kafka/client/kafka_client.js";
import { PositionRefusedError } from "../../connectors/kafka/position_lost.js";
import { ServerClock } from "../../connectors/mongodb/server_clock.js";

import { buildPipeline, MONGODB_CONNECTION } from "../../pipeline/graph.js";
import { figuresOf } from "../../pipeline/report/figures.js";
import type { InputRecord } from "../oracle/oracle.js";
import { ActiveFaults } from "./active_faults.js";
import { CHECKERS, type CheckerName, LIVENESS } from "./checkers/all_checkers.js";
import { type Checker, COLLECTIONS, DATABASE, isOfADoFn, type World } from "./checkers/checker.js";
import { Load } from "./load.js";
import { observedStore, openStore } from "./observed_store.js";
import { ReadPath, type Telling } from "./read_path.js";
import { registerConnections } from "./register_connections.js";
import {
  calmFromMs,
  type EarlierRun,
  type Fault,
  logChanges,
  type OffsetReset,
  type RunSettings,
  type Scenario,
  START_MS,
} from "./scenario.js";
import { EventLoop, WORLD } from "./world/event_loop.js";
import { randomFor } from "./world/seeded.js";
import { SimulatedDisk } from "./world/simulated_directory.js";
import { SimulatedKafka } from "./world/simulated_kafka.js";
import { SimulatedMongo } from "./world/simulated_mongodb.js";
import { Machine, SimulatedProcess } from "./world/simulated_process.js";
import { plantStumblingBlock } from "./world/stumbling_decoder.js";

export interface Finding {
  readonly checker: CheckerName;
  readonly message: string;
}

export interface Figures {
  events: number;
  steps: number;
  commits: number;
  /** Lives of the process that ended otherwise than in order. */
  crashes: number;
  failures: number;
  faults: Partial<Record<Fault["kind"], number>>;
}

export interface SimulationResult {
  readonly seed: number;
  /** Empty: nothing is wrong. */
  readonly findings: readonly Finding[];
  readonly trace: string;
  readonly figures: Figures;
}

export interface SimulationOptions {
  readonly onTrace?: (line: string) => void;
}

/** A run that takes more is stuck. */
const STEPS_MAX = 400_000;
/** World time that the liveness phase may take beyond what the watermark needs. */
const CALM_MAX_MS = 120_000;
const SUPERVISOR_DELAY_MS = 500;
const LOOK_MS = 100;
const FINDINGS_MAX = 20;
/** After so many refusals to go on elsewhere, a user says where. */
const REFUSALS_MAX = 2;
/** A change of a log that nobody has noticed yet is by then. */
const NOTICE_MS = 5_000;

export async function simulate(
  scenario: Scenario,
  options: SimulationOptions = {},
): Promise<SimulationResult> {
  const simulation = new Simulation(scenario, options);
  const takeOut = plantStumblingBlock();
  try {
    return await simulation.simulate();
  } finally {
    takeOut();
  }
}

class Simulation implements World {
  readonly loop: EventLoop;
  readonly kafka: SimulatedKafka;
  readonly mongodb: SimulatedMongo;
  readonly disk: SimulatedDisk;
  readonly machine: Machine;
  readonly isDurable: boolean;
  readonly stages = new Set<Stage>();
  run: DirectRun | undefined;
  readonly readPath: ReadPath;
  /** Those that have come to their end. */
  #runsOver = 0;
  /** Ends for positions that were lost. */
  #refusals = 0;
  #calmAtMs = Number.POSITIVE_INFINITY;
  readonly #faults: ActiveFaults;
  readonly #checkers: readonly Checker[];
  readonly #findings: Finding[] = [];
  readonly #figures: Figures = { events: 0, steps: 0, commits: 0, crashes: 0, failures: 0, faults: {} };
  #process: SimulatedProcess | undefined;
  #processes = 0;
  #commits = 0;
  #inserts = 0;
  #isOver = false;
  /** The run ended because it was told to, and is to be started again. */
  #restartAfterMs: number | undefined;

  constructor(
    readonly scenario: Scenario,
    options: SimulationOptions,
  ) {
    const { seed } = scenario;
    this.loop = new EventLoop(START_MS, randomFor(seed, "order"), options.onTrace);
    const nodes = Array.from({ length: scenario.brokers }, (_, i) => i + 1);
    const { fetchesById = false } = scenario.kafka;
    this.kafka = new SimulatedKafka(this.loop, randomFor(seed, "kafka"), nodes, fetchesById);
    this.mongodb = new SimulatedMongo(this.loop, randomFor(seed, "mongodb"));
    this.disk = new SimulatedDisk(this.loop, randomFor(seed, "disk"));
    this.machine = new Machine(this.loop, randomFor(seed, "process"));
    this.readPath = new ReadPath(this.kafka);
    this.isDurable = scenario.store === "durable";
    this.#faults = new ActiveFaults(scenario, this);
    this.#checkers = Object.entries(CHECKERS).map(([name, factory]) =>
      factory(this, (message) => this.#report(name as CheckerName, message)),
    );
    this.disk.onOperation = () => this.#faults.countMoment("disk operation", this.disk.operations);
    this.mongodb.onInsert = () => this.#faults.countMoment("insert", ++this.#inserts);
  }

  get trueTimeMs(): number {
    return this.loop.nowMs;
  }

  get settings(): RunSettings {
    return this.scenario.earlierRuns?.[this.#runsOver] ?? this.scenario;
  }

  get offsetReset(): OffsetReset {
    const { offsetReset = "none", offsetResetThen = "earliest" } = this.scenario;
    return offsetReset === "none" && this.#refusals >= REFUSALS_MAX ? offsetResetThen : offsetReset;
  }

  records(): InputRecord[] {
    return this.readPath.records();
  }

  async simulate(): Promise<SimulationResult> {
    const { scenario, loop } = this;
    this.kafka.createTopic("orders", scenario.partitions.orders);
    this.kafka.createTopic("payments", scenario.partitions.payments);
    new Load(loop, this.kafka).plan(scenario);
    loop.after(START_MS - loop.nowMs, WORLD, "begin", () => {
      this.#faults.begin();
      this.#start();
      this.#endEarlierRuns();
    });
    const calmAtMs = START_MS + calmFromMs(scenario);
    loop.after(calmAtMs - loop.nowMs, WORLD, "calm", () => this.#calm());
    let longestMs = 0;
    for (const { timeoutMs, outOfOrdernessMs } of [scenario, ...(scenario.earlierRuns ?? [])]) {
      longestMs = Math.max(longestMs, timeoutMs + outOfOrdernessMs);
    }
    const endAtMs = calmAtMs + 20 * longestMs + CALM_MAX_MS;

    while (!this.#isOver && this.#findings.length === 0) {
      const went = await loop.step();
      if (went && loop.steps < STEPS_MAX && loop.nowMs < endAtMs) continue;
      const why = went ? `after ${loop.steps} steps` : "for nothing is left to happen";
      this.#report(LIVENESS, `not at ${loop.nowMs - START_MS} ms, ${why}:\n${this.run?.describe()}`);
    }
    if (this.#findings.length === 0) for (const checker of this.#checkers) await checker.onEnd?.();
    for (const { checker, message } of this.#findings) loop.note(`${checker}: ${message}`);
    this.#figures.events = this.records().length;
    this.#figures.steps = loop.steps;
    this.#figures.faults = Object.fromEntries(this.#faults.counts);
    this.#process?.die();
    return { seed: scenario.seed, findings: this.#findings, trace: loop.trace, figures: this.#figures };
  }

  // ── Called by the engine's stages ─────────────────────────────────────────────────────────────────────────────────

  onStage(stage: Stage): void {
    this.stages.add(stage);
    for (const checker of this.#checkers) checker.onStage?.(stage);
  }

  onDelivery(producer: Stage | undefined, consumer: Stage, input: number, batch: ElementBatch): void {
    for (const checker of this.#checkers) checker.onDelivery?.(producer, consumer, input, batch);
  }

  // ── The life of the process ───────────────────────────────────────────────────────────────────────────────────────

  #start(): void {
    if (this.#process?.isAlive) return;
    const { sleepsUntilMs } = this.machine;
    if (sleepsUntilMs > this.loop.nowMs) {
      this.#restart(sleepsUntilMs - this.loop.nowMs);
      return;
    }
    const process = new SimulatedProcess(this.machine, ++this.#processes);
    this.#process = process;
    this.loop.note(`${process.name} starts`);
    this.stages.clear();
    this.run = undefined;
    const { scenario } = this;
    const trustedClock = new TrustedClock(process, {
      skewMaxMs: scenario.clockSkewMaxMs ?? DEFAULT_CLOCK_SKEW_MAX_MS,
    });
    registerConnections(this, process, trustedClock, this.#logger);
    this.#live(process, trustedClock).then(
      () => this.#ended(process),
      (error) => this.#failed(process, error),
    );
  }

  async #live(process: SimulatedProcess, trustedClock: TrustedClock): Promise<void> {
    const { scenario } = this;
    const store = await openStore(scenario.store, this.disk, process);
    const serverClock = new ServerClock(MONGODB_CONNECTION, trustedClock, process);
    try {
      // No run begins before MongoDB can be reached.
      await serverClock.answered;
      const run = this.#runPipeline(process, trustedClock, store);
      this.run = run;
      this.readPath.beginUnknown(run.store);
      this.readPath.goOnFrom("orders", run.metrics.counter("positions_lost", "ReadOrders"));
      this.readPath.goOnFrom("payments", run.metrics.counter("positions_lost", "ReadPayments"));
      for (const checker of this.#checkers) checker.onStart?.();
      await run.finished;
    } finally {
      serverClock.stop();
      await store.close();
    }
  }

  #runPipeline(process: SimulatedProcess, trustedClock: TrustedClock, store: Store): DirectRun {
    const { scenario, settings, offsetReset } = this;
    const pipeline = buildPipeline({
      orderTopic: "orders",
      paymentTopic: "payments",
      isBounded: settings.mode === "bounded",
      start: "earliest",
      offsetReset,
      groupId: scenario.usesGroup ? "group" : undefined,
      timeoutMs: settings.timeoutMs,
      maxOutOfOrdernessMs: settings.outOfOrdernessMs,
      maxAheadOfClockMs: 300_000,
      database: DATABASE,
      joinedCollection: COLLECTIONS.joined,
      unmatchedCollection: COLLECTIONS.unmatched,
      deadLetterCollection: COLLECTIONS.deadLetters,
    });
    const onCommit = (): void => {
      this.#figures.commits++;
      this.#faults.countMoment("commit", ++this.#commits);
    };
    return runDirect(pipeline, {
      ...scenario.engine,
      // Of the last run, whose state is to be empty then, the ending is that of a streaming one.
      atEnd: settings === scenario ? "expire" : settings.ending,
      clock: process,
      trustedClock,
      observer: this,
      store: observedStore(store, onCommit, () => {
        for (const checker of this.#checkers) checker.onCommit?.();
      }),
    });
  }

  #ended(process: SimulatedProcess): void {
    this.loop.note(`${process.name} ends`);
    process.die();
    this.disk.killProcess();
    const restartAfterMs = this.#restartAfterMs;
    const { earlierRuns = [] } = this.scenario;
    if (restartAfterMs !== undefined) this.#restart(restartAfterMs);
    else if (this.#runsOver < earlierRuns.length) this.#restart(this.#pauseBehind(earlierRuns));
    else this.#isOver = true;
  }

  /** A bounded run that is the last reads all. */
  #pauseBehind(earlierRuns: readonly EarlierRun[]): number {
    const { pauseMs } = earlierRuns[this.#runsOver++]!;
    this.loop.note(`run ${this.#runsOver} is over`);
    const isLast = this.#runsOver === earlierRuns.length;
    if (!isLast || this.scenario.mode === "streaming") return pauseMs;
    return Math.max(pauseMs, START_MS + calmFromMs(this.scenario) - this.loop.nowMs);
  }

  /** Streaming runs before the last are told to end when their time has come. */
  #endEarlierRuns(): void {
    const settings = this.scenario.earlierRuns?.[this.#runsOver];
    if (settings === undefined || this.#isOver) return;
    this.loop.after(LOOK_MS, WORLD, "look whether a run is to end", () => this.#endEarlierRuns());
    const { mode, ending, endsAtMs } = settings;
    if (mode === "bounded" || this.loop.nowMs < START_MS + endsAtMs) return;
    if (!this.#process?.isAlive || this.#restartAfterMs !== undefined) return;
    this.run?.stop(ending).catch(() => undefined);
  }

  #failed(process: SimulatedProcess, error: unknown): void {
    this.loop.note(`${process.name} fails: ${error}`);
    this.#figures.failures++;
    for (const checker of this.#checkers) checker.onFailure?.(error);
    if (error instanceof PositionRefusedError) this.#refusals++;
    process.die();
    this.disk.killProcess();
    this.#restart(SUPERVISOR_DELAY_MS);
  }

  crash({ losesPower, downMs }: Extract<Fault, { kind: "crash" }>): void {
    const process = this.#process;
    if (!process?.isAlive) return;
    this.#figures.crashes++;
    process.die();
    if (losesPower) this.disk.losePower();
    else this.disk.killProcess();
    this.#restart(downMs);
  }

  stop({ downMs }: Extract<Fault, { kind: "stop" }>): void {
    if (!this.#process?.isAlive || this.run === undefined || this.#restartAfterMs !== undefined) return;
    this.#restartAfterMs = downMs;
    this.run.stop("keep").catch(() => undefined);
  }

  #restart(afterMs: number): void {
    this.run = undefined;
    this.#restartAfterMs = undefined;
    this.loop.after(afterMs, WORLD, "restart", () => this.#start());
  }

  // ── The end ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #calm(): void {
    this.#calmAtMs = this.loop.nowMs;
    this.#faults.calm();
    this.#lookForTheEnd();
  }

  /** A streaming run ends when it is told to: once all is read, and, unless it is drained, has expired. */
  #lookForTheEnd(): void {
    if (this.#isOver) return;
    this.loop.after(LOOK_MS, WORLD, "look", () => this.#lookForTheEnd());
    const { run, scenario } = this;
    if (run === undefined || !this.#process?.isAlive) return;
    for (const checker of this.#checkers) checker.onLook?.();
    if (this.settings !== scenario || scenario.mode === "bounded") return;
    if (this.#restartAfterMs !== undefined || !this.#isAllRead(run)) return;
    if (scenario.ending === "keep" && !this.#isAllExpired(run)) return;
    run.stop(scenario.ending).catch(() => undefined);
  }

  #isAllRead(run: DirectRun): boolean {
    if (logChanges(this.scenario).length > 0 && this.loop.nowMs < this.#calmAtMs + NOTICE_MS) return false;
    const { orders, payments } = figuresOf(run.metrics);
    return orders.read + payments.read >= this.records().length;
  }

  #isAllExpired(run: DirectRun): boolean {
    for (const [name, size] of run.store.sizes()) if (size > 0 && isOfADoFn(name)) return false;
    return run.status().every(({ pending }) => pending === 0);
  }

  readonly #logger: KafkaLogger = {
    debug() {},
    info() {},
    error() {},
    warn: (text, fields = {}) => {
      if (fields.readUpTo === undefined) return;
      const { topic, partition, readUpTo, offset, skipped } = fields as unknown as Telling;
      const log = this.kafka.partition(topic, partition);
      this.loop.note(text);
      // The topic may be gone again by now: then there is nothing that could have been found.
      if (log === undefined) return;
      const telling = { topic, partition, readUpTo, offset, skipped, text, log };
      for (const checker of this.#checkers) checker.onTelling?.(telling);
      this.readPath.tell(telling);
    },
  };

  #report(checker: CheckerName, message: string): void {
    if (this.#findings.length < FINDINGS_MAX) this.#findings.push({ checker, message });
  }
}
