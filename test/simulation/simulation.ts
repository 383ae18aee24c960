/**
 * Runs one scenario: the product's graph on the direct runner, in a world of which everything outside the process is
 * simulated. A safety phase, in which things go wrong and nothing may become wrong; then a liveness phase, in which all
 * works again and the run has to come to its end.
 */
import type { MongoClient } from "mongodb";
import type { ElementBatch } from "../../beam/engine/element_batch.js";
import type { Stage } from "../../beam/engine/stage.js";
import { DEFAULT_CLOCK_SKEW_MAX_MS, TrustedClock } from "../../beam/platform/trusted_clock.js";
import { type DirectRun, runDirect } from "../../beam/runners/direct/direct_runner.js";
import type { Store } from "../../beam/store/store.js";
import { kafkaConnections, registerKafkaClient } from "../../connectors/kafka/kafka_connections.js";
import { mongoConnections, registerMongoClient } from "../../connectors/mongodb/mongo_connections.js";
import { ServerClock } from "../../connectors/mongodb/server_clock.js";

import { buildPipeline, KAFKA_CONNECTION, MONGODB_CONNECTION } from "../../pipeline/graph.js";
import { figuresOf } from "../../pipeline/report/figures.js";
import type { InputRecord } from "../oracle/oracle.js";
import { ActiveFaults } from "./active_faults.js";
import { CHECKERS, type CheckerName, LIVENESS } from "./checkers/all_checkers.js";
import { type Checker, COLLECTIONS, DATABASE, isOfADoFn, type World } from "./checkers/checker.js";
import { observedStore, openStore } from "./observed_store.js";
import { type Arrival, calmFromMs, type Fault, type Scenario, START_MS, valueBytes } from "./scenario.js";
import { EventLoop, WORLD } from "./world/event_loop.js";
import { randomFor } from "./world/seeded.js";
import { SimulatedDisk } from "./world/simulated_directory.js";
import { SimulatedKafka } from "./world/simulated_kafka.js";
import { connectSimulatedKafka } from "./world/simulated_kafka_client.js";
import { SimulatedMongo, SimulatedMongoClient } from "./world/simulated_mongodb.js";
import { Machine, SimulatedProcess } from "./world/simulated_process.js";

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

export function simulate(scenario: Scenario, options: SimulationOptions = {}): Promise<SimulationResult> {
  const simulation = new Simulation(scenario, options);
  return simulation.simulate();
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
    this.kafka = new SimulatedKafka(this.loop, randomFor(seed, "kafka"), nodes);
    this.mongodb = new SimulatedMongo(this.loop, randomFor(seed, "mongodb"));
    this.disk = new SimulatedDisk(this.loop, randomFor(seed, "disk"));
    this.machine = new Machine(this.loop, randomFor(seed, "process"));
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

  records(): InputRecord[] {
    return (["orders", "payments"] as const).flatMap((topic) =>
      this.kafka
        .partitionsOf(topic)
        .flatMap(({ partition, visible }) =>
          visible.map((record): InputRecord => ({ topic, partition, ...record })),
        ),
    );
  }

  async simulate(): Promise<SimulationResult> {
    const { scenario, loop } = this;
    this.kafka.createTopic("orders", scenario.partitions.orders);
    this.kafka.createTopic("payments", scenario.partitions.payments);
    for (const arrival of scenario.arrivals) this.#plan(arrival);
    loop.after(START_MS - loop.nowMs, WORLD, "begin", () => {
      this.#faults.begin();
      this.#start();
    });
    const calmAtMs = START_MS + calmFromMs(scenario);
    loop.after(calmAtMs - loop.nowMs, WORLD, "calm", () => this.#calm());
    const { timeoutMs, outOfOrdernessMs } = scenario;
    const endAtMs = calmAtMs + 20 * (timeoutMs + outOfOrdernessMs) + CALM_MAX_MS;

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
    const { scenario, loop } = this;
    const trustedClock = new TrustedClock(process, {
      skewMaxMs: scenario.clockSkewMaxMs ?? DEFAULT_CLOCK_SKEW_MAX_MS,
    });
    // Those that the process before had open went with it.
    kafkaConnections.abandon(KAFKA_CONNECTION);
    mongoConnections.abandon(MONGODB_CONNECTION);
    registerKafkaClient(
      KAFKA_CONNECTION,
      () => connectSimulatedKafka(this.kafka, process, scenario.kafka, trustedClock),
      { clock: process, trustedClock },
    );
    registerMongoClient(
      MONGODB_CONNECTION,
      async () => new SimulatedMongoClient(this.mongodb, process) as unknown as MongoClient,
      {
        ...scenario.mongodb,
        // All of them: what a sample leaves out would be lost, as it may be.
        comparedMax: 1_000,
        sleep: (ms) => loop.wait(ms, process, "backoff"),
        now: () => loop.nowMs,
        random: () => this.machine.random.uniform(),
      },
    );
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
      for (const checker of this.#checkers) checker.onStart?.();
      await run.finished;
    } finally {
      serverClock.stop();
      await store.close();
    }
  }

  #runPipeline(process: SimulatedProcess, trustedClock: TrustedClock, store: Store): DirectRun {
    const { scenario } = this;
    const pipeline = buildPipeline({
      orderTopic: "orders",
      paymentTopic: "payments",
      isBounded: scenario.mode === "bounded",
      start: "earliest",
      groupId: scenario.usesGroup ? "group" : undefined,
      timeoutMs: scenario.timeoutMs,
      maxOutOfOrdernessMs: scenario.outOfOrdernessMs,
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
    if (restartAfterMs !== undefined) this.#restart(restartAfterMs);
    else this.#isOver = true;
  }

  #failed(process: SimulatedProcess, error: unknown): void {
    this.loop.note(`${process.name} fails: ${error}`);
    this.#figures.failures++;
    for (const checker of this.#checkers) checker.onFailure?.(error);
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

  // ── The load, and the end ─────────────────────────────────────────────────────────────────────────────────────────

  #plan(arrival: Arrival): void {
    const { atMs, topic, partition } = arrival;
    if (atMs < 0) this.#append(arrival);
    else
      this.loop.after(START_MS + atMs - this.loop.nowMs, WORLD, `a record for ${topic}[${partition}]`, () =>
        this.#append(arrival),
      );
  }

  #append({ atMs, topic, partition, key, value, transaction }: Arrival): void {
    const log = this.kafka.partition(topic, partition);
    if (log === undefined) return;
    const timestampMs = START_MS + atMs;
    const record = { timestampMs, key: key === null ? null : Buffer.from(key), value: valueBytes(value) };
    // One transaction at a time is open in a partition.
    if (transaction === undefined || log.openTransactionAt !== undefined) {
      if (transaction?.outcome !== "abort") log.append(record);
      return;
    }
    const end = log.appendOpen(record);
    const leftMs = Math.min(0, atMs) + transaction.lastsMs;
    if (leftMs <= 0) end(transaction.outcome);
    else this.loop.after(leftMs, WORLD, "a transaction ends", () => end(transaction.outcome));
  }

  #calm(): void {
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
    if (scenario.mode === "bounded") return;
    if (this.#restartAfterMs !== undefined || !this.#isAllRead(run)) return;
    if (scenario.ending === "keep" && !this.#isAllExpired(run)) return;
    run.stop(scenario.ending).catch(() => undefined);
  }

  #isAllRead(run: DirectRun): boolean {
    const { orders, payments } = figuresOf(run.metrics);
    return orders.read + payments.read >= this.records().length;
  }

  #isAllExpired(run: DirectRun): boolean {
    for (const [name, size] of run.store.sizes()) if (size > 0 && isOfADoFn(name)) return false;
    return run.status().every(({ pending }) => pending === 0);
  }

  #report(checker: CheckerName, message: string): void {
    if (this.#findings.length < FINDINGS_MAX) this.#findings.push({ checker, message });
  }
}
