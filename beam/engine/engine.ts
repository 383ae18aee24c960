/**
 * Decides what runs next. A turn goes once through the stages, producers first: each runs the elements pending at it,
 * then the timers that its watermark has made due; sources run one bundle of what is ready. A turn ends when all of its
 * bundles have finished, and commits after every turn before it; a few turns may be open at once, so that a sink's
 * flush overlaps with the next turn's work. When nothing can run, the engine waits for the next thing that can; when
 * nothing ever will, it fails and tells why.
 *
 * With a durable store a commit holds all that a restart needs: what the turns did to state and timers, and where they
 * left pending elements, restrictions and watermarks (progress.ts). Turns that finished meanwhile commit together.
 *
 * Invariants
 * - Turns commit in the order in which they began, idle ones with the next that is not, or within 10 seconds;
 *   finalizers run after their turn's commit.
 * - State changes only inside the synchronous part of a bundle, and is noted in the changes of that bundle's turn.
 * - A stage that needs stable input takes only elements that a commit holds.
 * - No source bundle starts while `turnsOpenMax` turns are open, or while a whole bundle of elements waits in front of
 *   any stage: what is in flight is bounded.
 * - A failure of any bundle ends the run; nothing after it is committed.
 */

import { GLOBAL_WINDOW_MAX, MAX_TIMESTAMP, MIN_TIMESTAMP, type TimestampMs } from "../model/timestamps.js";
import type { Clock } from "../platform/clock.js";
import type { Store } from "../store/store.js";
import type { ElementBatch } from "./element_batch.js";
import { Progress } from "./progress.js";
import {
  type BundleResult,
  type PendingBatch,
  type Residual,
  type Restriction,
  type RestrictionOrigin,
  Stage,
  type StageProcessor,
  type StageSpec,
} from "./stage.js";
import { CommitLoad } from "./stage_load.js";
import { StageTimers } from "./stage_timers.js";
import { Turn } from "./turn.js";

/** Keeps what bundles report of what they counted. */
export interface Ledger {
  /** Of a bundle that is about to be committed. True: there is something to save. */
  take(report: unknown): boolean;
  /** Writes what the reports taken since the last call changed, as part of the commit. */
  save(): void;
  /** The run has come to its end: writes, as part of its last commit, that the next one counts anew. */
  end(): void;
}

export interface EngineOptions {
  readonly clock: Clock;
  readonly store: Store;
  /** Elements that a bundle of a source may bring, and that a bundle of another stage takes. */
  readonly bundleSizeMax: number;
  /** Time that a source bundle may take, and that a stage's timers may take of a turn: all others wait for it. */
  readonly bundleTimeMaxMs: number;
  readonly turnsOpenMax: number;
  /** A source this far ahead of the slowest, in event time, waits for it. */
  readonly sourceSkewMaxMs: number;
  readonly ledger?: Ledger;
  /**
   * When all restrictions are done: "expire" sends the watermark to +∞, so that every timer fires; "keep" ends the run
   * with what waits in state, where the watermark stands that the restrictions have left. Default: expire.
   */
  readonly atEnd?: StopMode;
  /** Called inside the first commit of this process: for what else a restart is to know. */
  readonly onFirstCommit?: () => void;
  /** Moves a virtual clock on: for scripted processing time. */
  readonly advanceClock?: (byMs: number) => void;
}

/** Sizes and times of bundles when nothing else is said. */
export const DEFAULT_ENGINE_OPTIONS = {
  bundleSizeMax: 1024,
  bundleTimeMaxMs: 50,
  turnsOpenMax: 4,
  sourceSkewMaxMs: 60_000,
} as const;

/** How long a source that is behind may have nothing to read before the others go on without it. */
const SKEW_PATIENCE_MS = 1_000;
/** How often a source that is ahead looks whether it may go on. */
const SKEW_RETRY_MS = 20;
/** How often the positions of sources are committed that have nothing to read: watermarks are all that moves. */
const IDLE_COMMIT_EVERY_MS = 10_000;
/** Processors of one stage: one works while the others wait for their flush. */
const PROCESSORS_MAX = 4;

/** Nothing can progress although work is left: a bug in a runner or a DoFn, told with all that is known. */
export class StuckError extends Error {
  override readonly name = "StuckError";
}

export type StopMode = "keep" | "expire";

export class Engine {
  readonly stages: readonly Stage[];
  readonly #consumers = new Map<string, { stage: Stage; input: number }[]>();
  readonly #turns: Turn[] = [];
  #committing: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;
  #isAwake = false;
  #stop: StopMode | undefined;
  readonly #processors: StageProcessor[] = [];
  /** Bundles and setups that wait for something. */
  readonly #underWay = new Set<Promise<void>>();
  readonly #finalizing = new Set<Promise<void>>();
  /** When the slowest source last had something to read. */
  #slowestActiveAtMs = Number.NEGATIVE_INFINITY;
  /** The watermark that it had then. */
  #slowest: TimestampMs = MIN_TIMESTAMP;
  /** Undefined: the store keeps nothing. */
  readonly #progress: Progress | undefined;
  readonly #seeds = new Map<string, ElementBatch>();
  #hasCommitted = false;
  /** By `elapsed`: turns that are idle are not written before. */
  #idleUntilMs = Number.NEGATIVE_INFINITY;
  #hasPostponed = false;
  commits = 0;
  readonly commitLoad = new CommitLoad();

  /** @param specs in topological order: producers before consumers */
  constructor(
    specs: readonly StageSpec[],
    private readonly options: EngineOptions,
  ) {
    this.stages = specs.map((spec) => new Stage(spec, new StageTimers(options.store)));
    this.#progress = options.store.isDurable ? new Progress(options.store) : undefined;
    for (const stage of this.stages) stage.parkedHold = options.atEnd === "keep";
    const producers = new Map<string, Stage>();
    for (const stage of this.stages) for (const output of stage.spec.outputs) producers.set(output, stage);
    for (const stage of this.stages) {
      stage.spec.inputs.forEach((collection, input) => {
        const consumers = this.#consumers.get(collection) ?? [];
        consumers.push({ stage, input });
        this.#consumers.set(collection, consumers);
        const producer = producers.get(collection);
        if (producer !== undefined && !stage.upstream.includes(producer)) stage.upstream.push(producer);
      });
    }
  }

  /** The elements of a collection that nothing in the pipeline makes: an impulse's. Before the run. */
  seed(collection: string, batch: ElementBatch): void {
    this.#seeds.set(collection, batch);
  }

  /** Ends when all is done or `stop` has taken effect. Throws what a bundle threw, or a StuckError. */
  async run(): Promise<void> {
    const problems: unknown[] = [];
    try {
      this.#restoreOrSeed();
      for (const stage of this.stages) if (stage.spec.kind !== "scripted") await this.#addProcessor(stage);
      await this.#loop();
      await this.#commitPostponed();
      if (this.#stop !== "keep") await this.#commitEnd();
      await Promise.all(this.#finalizing);
    } catch (error) {
      problems.push(error);
    }
    problems.push(...(await this.#tearDown()));
    if (problems.length > 0) throw problems[0];
  }

  /** Goes on from the last commit. Stages that it does not know, of a new run all, begin with their seeds. */
  #restoreOrSeed(): void {
    const turn = new Turn(this.options.store.newChanges());
    for (const stage of this.stages) {
      if (this.#progress?.restore(stage)) {
        stage.limitWatermarks();
        continue;
      }
      stage.spec.inputs.forEach((collection, input) => {
        const batch = this.#seeds.get(collection);
        if (batch !== undefined) turn.produced.push(stage.enqueue(input, batch));
      });
    }
    this.#close(turn);
    if (this.#progress === undefined) return;
    this.#turns.push(turn);
    this.#commitReady();
  }

  /** What idle turns have done since the last commit. */
  async #commitPostponed(): Promise<void> {
    if (!this.#hasPostponed) return;
    const turn = new Turn(this.options.store.newChanges());
    this.#close(turn);
    this.#idleUntilMs = Number.NEGATIVE_INFINITY;
    await this.#commit([turn]);
  }

  /** Gives back what the stages hold, also after a failure. Returns what went wrong with that. */
  async #tearDown(): Promise<unknown[]> {
    for (const stage of this.stages) {
      for (const restriction of stage.restrictions) restriction.endWatch?.();
    }
    // After a failure other bundles may still be flushing with what teardown would take away.
    await Promise.allSettled(this.#underWay);
    const problems: unknown[] = [];
    for (const processor of this.#processors) {
      await processor.teardown().catch((error: unknown) => problems.push(error));
    }
    return problems;
  }

  /**
   * Ends the run soon. "keep": what is in flight is finished and committed, state stays. "expire", a drain: sources do
   * what their DoFns' `truncate` leaves to be done and end, their watermark goes to +∞, and the run goes on until every
   * timer has fired.
   */
  stop(mode: StopMode): void {
    this.#stop = mode;
    if (mode === "expire") for (const stage of this.stages) stage.parkedHold = false;
    this.#wakeUp();
  }

  /** Every stage's watermarks, holds and pending work. */
  describe(): string {
    return this.stages.map((stage) => stage.describe()).join("\n");
  }

  get #isScripted(): boolean {
    return (
      this.options.advanceClock !== undefined && this.stages.some(({ spec }) => spec.kind === "scripted")
    );
  }

  async #loop(): Promise<void> {
    const { clock } = this.options;
    for (;;) {
      this.#throwFailure();
      if (this.#runTurn()) {
        await clock.yield();
        continue;
      }
      this.#throwFailure();
      if (this.#turns.length > 0 || this.stages.some((stage) => stage.isStarting)) {
        await this.#waitFor(this.#nextEventInMs());
      } else if (this.stages.every((stage) => stage.isDone)) {
        return;
      } else if (this.#stop === "keep" || this.#isAtKeptEnd) {
        return;
      } else if (!this.#playScript()) {
        await this.#waitForSources();
      }
    }
  }

  /** All restrictions are done, and what waits is to go on waiting. */
  get #isAtKeptEnd(): boolean {
    if (this.options.atEnd !== "keep" || this.#stop !== undefined) return false;
    return this.stages.every((stage) => stage.restrictions.size === 0);
  }

  async #waitForSources(): Promise<void> {
    const nextInMs = this.#nextEventInMs();
    if (this.#isScripted && nextInMs < Number.POSITIVE_INFINITY) {
      // The script is over and only the clock can bring more: no one else moves a virtual one.
      this.options.advanceClock!(nextInMs);
      return;
    }
    const isWatching = this.stages.some((stage) =>
      [...stage.restrictions].some((r) => r.endWatch !== undefined),
    );
    if (nextInMs === Number.POSITIVE_INFINITY && !isWatching) {
      throw new StuckError(`nothing can progress, and work is left:\n${this.describe()}`);
    }
    await this.#waitFor(nextInMs);
  }

  /** One pass over the stages. False when nothing ran. */
  #runTurn(): boolean {
    const turn = new Turn(this.options.store.newChanges());
    this.#turns.push(turn);
    for (const stage of this.stages) {
      stage.refreshWatermarks();
      if (stage.spec.kind === "splittable") {
        this.#takeRestrictions(stage, turn);
        this.#runSource(stage, turn);
      } else {
        const deadline = this.options.clock.elapsed() + this.options.bundleTimeMaxMs;
        while (this.#hasWork(stage) && this.#runOrdinary(stage, turn, deadline)) {
          stage.refreshWatermarks();
          // Elements are taken whatever the time: what a commit finds waiting it has to write.
          if (!stage.hasReady && this.options.clock.elapsed() >= deadline) break;
        }
      }
      stage.refreshWatermarks();
    }
    this.#close(turn);
    if (turn.isEmpty) {
      this.#turns.pop();
      this.options.store.discard(turn.changes);
      return false;
    }
    this.#commitReady();
    return true;
  }

  #close(turn: Turn): void {
    turn.isClosed = true;
    turn.watermarks = this.stages.map((stage) => stage.watermarks);
  }

  #hasWork(stage: Stage): boolean {
    if (stage.isStarting || this.#failure !== undefined) return false;
    const { hasReady } = stage;
    const hasDue = !hasReady && this.#dueTimers(stage);
    const isBlocked = hasDue && this.#isAheadOfConsumers(stage);
    if (isBlocked !== stage.load.isBlocked) stage.load.setBlocked(isBlocked, this.options.clock.elapsed());
    return hasReady || (hasDue && !isBlocked);
  }

  /** Timers that find many things to tell wait until those behind have taken what was told before. */
  #isAheadOfConsumers({ spec }: Stage): boolean {
    for (const output of spec.outputs) {
      for (const { stage } of this.#consumers.get(output) ?? []) {
        if (stage.pendingCount >= this.options.bundleSizeMax) return true;
      }
    }
    return false;
  }

  #dueTimers(stage: Stage): boolean {
    return (
      stage.timers.hasDue("event", stage.inputWatermark) ||
      stage.timers.hasDue("processing", this.options.clock.now())
    );
  }

  /**
   * A bundle of pending elements, then of due timers: `bundleSizeMax` at most, and of timers as many as the deadline
   * allows. False when no processor is free.
   * @param deadline by `elapsed`
   */
  #runOrdinary(stage: Stage, turn: Turn, deadline: number): boolean {
    const { clock } = this.options;
    return this.#runBundle(stage, turn, (processor) => {
      let left = this.options.bundleSizeMax;
      while (left > 0 && stage.hasReady) {
        const head = stage.pending[0]!;
        const { batch, input } = head;
        const end = Math.min(batch.length, head.next + left);
        left -= end - head.next;
        stage.elementsIn += end - head.next;
        for (let index = head.next; index < end; index++) processor.process(input, batch, index);
        head.next = end;
        turn.consumed.push({ pending: head, next: end });
        if (end === batch.length) stage.pending.shift();
      }
      if (stage.pending.length > 0) return;
      // All that came before the watermark has been seen, so the watermark may act.
      stage.refreshWatermarks();
      const fire = (transformId: string, family: string, timer: any): void =>
        processor.onTimer(transformId, family, timer);
      const isOver = (): boolean => clock.elapsed() >= deadline;
      left -= stage.timers.fireDue("event", stage.inputWatermark, Math.max(1, left), fire, isOver);
      stage.timers.fireDue("processing", clock.now(), Math.max(1, left), fire, isOver);
    });
  }

  /** Pending elements of a splittable stage are restrictions that have not begun. */
  #takeRestrictions(stage: Stage, turn: Turn): void {
    for (const pending of stage.pending) {
      const { batch, next } = pending;
      for (let i = next; i < batch.length; i++) {
        stage.elementsIn++;
        const residual: Residual = {
          value: batch.values[i],
          timestamp: batch.timestamps[i]!,
          windows: batch.windowsAt(i),
          pane: batch.paneAt(i),
          watermark: batch.timestamps[i]!,
          delayMs: 0,
          onReady: undefined,
        };
        turn.left.push(stage.addRestriction(residual, Number.NEGATIVE_INFINITY));
      }
      turn.consumed.push({ pending, next: batch.length });
    }
    stage.pending.length = 0;
  }

  #runSource(stage: Stage, turn: Turn): void {
    if (this.#stop === "keep" || this.#failure !== undefined || stage.isStarting) return;
    const { clock } = this.options;
    const mustWait = this.#turns.length > this.options.turnsOpenMax || this.#hasBacklog();
    const elapsedMs = clock.elapsed();
    stage.load.setBlocked(mustWait && this.#hasDue(stage, elapsedMs), elapsedMs);
    if (mustWait) return;
    const ready = this.#readyRestrictions(stage, elapsedMs);
    if (ready.length === 0) return;
    const claims = Math.max(1, Math.floor(this.options.bundleSizeMax / ready.length));
    this.#runBundle(stage, turn, (processor) => {
      const deadline = clock.elapsed() + this.options.bundleTimeMaxMs;
      for (const restriction of ready) {
        restriction.endWatch?.();
        stage.restrictions.delete(restriction);
        turn.taken.push(restriction);
        processor.processRestriction(restriction.residual, claims, deadline, this.#originOf(restriction));
      }
    });
  }

  #hasDue(stage: Stage, elapsedMs: number): boolean {
    for (const restriction of stage.restrictions) if (this.#isDue(restriction, elapsedMs)) return true;
    return false;
  }

  /** Whether some stage cannot keep up with the sources. */
  #hasBacklog(): boolean {
    return this.stages.some((stage) => stage.readyCount >= this.options.bundleSizeMax);
  }

  /** Those that have something to do, less those that are too far ahead of the slowest. */
  #readyRestrictions(stage: Stage, elapsedMs: number): Restriction[] {
    const ready: Restriction[] = [];
    for (const restriction of stage.restrictions) {
      if (this.#isDue(restriction, elapsedMs)) ready.push(restriction);
    }
    stage.isAhead = false;
    if (ready.length === 0) return ready;
    let slowest = MAX_TIMESTAMP;
    let slowestIsActive = false;
    for (const other of this.stages) {
      if (other.spec.kind !== "splittable") continue;
      for (const restriction of other.restrictions) {
        const { watermark } = restriction.residual;
        if (watermark > slowest) continue;
        // One that is merely due to be looked at again has had nothing to read.
        const isActive = restriction.isReady || this.#isDrained(restriction);
        slowestIsActive = watermark === slowest ? slowestIsActive || isActive : isActive;
        slowest = watermark;
      }
    }
    if (slowestIsActive || slowest !== this.#slowest) this.#slowestActiveAtMs = elapsedMs;
    this.#slowest = slowest;
    // A source whose watermark is unknown has not begun; one that stays silent must not stop the others for long.
    if (slowest === MIN_TIMESTAMP || elapsedMs - this.#slowestActiveAtMs > SKEW_PATIENCE_MS) return ready;
    const furthest = slowest + this.options.sourceSkewMaxMs;
    // What stands at the end of time reads no events (it looks for partitions, say), so it is never ahead of others.
    const left = ready.filter(
      ({ residual: { watermark } }) => watermark <= furthest || watermark >= GLOBAL_WINDOW_MAX,
    );
    stage.isAhead = left.length === 0;
    return left;
  }

  #isDue(restriction: Restriction, elapsedMs: number): boolean {
    return restriction.isReady || restriction.resumeAtMs <= elapsedMs || this.#isDrained(restriction);
  }

  /** It waits as it did when the drain began. */
  #isDrained({ isTruncated }: Restriction): boolean {
    return this.#stop === "expire" && !isTruncated;
  }

  #originOf(restriction: Restriction): RestrictionOrigin {
    if (this.#isDrained(restriction)) return "drained";
    return restriction.isResumed ? "resumed" : undefined;
  }

  /** False when no processor is free. */
  #runBundle(stage: Stage, turn: Turn, body: (processor: StageProcessor) => void): boolean {
    const processor = stage.idleProcessors.pop();
    if (processor === undefined) {
      if (stage.processorCount < PROCESSORS_MAX && !stage.isStarting) {
        stage.isStarting = true;
        this.#await(this.#addProcessor(stage), () => {
          stage.isStarting = false;
        });
      }
      return false;
    }
    const open = { hold: stage.outputWatermark };
    let isTruncated = false;
    let flush: { readonly sinceMs: number } | undefined;
    stage.bundleHolds.add(open);
    stage.bundles++;
    turn.bundles++;
    turn.openBundles++;
    const finish = (): void => {
      if (flush !== undefined) stage.load.endFlush(flush, this.options.clock.elapsed());
      const result = processor.takeResult();
      stage.bundleHolds.delete(open);
      turn.produced.push(...this.#deliver(stage, result.outputs));
      for (const residual of result.residuals) {
        const restriction = this.#addResidual(stage, residual);
        restriction.isTruncated = isTruncated;
        turn.left.push(restriction);
      }
      for (const residual of result.parked ?? []) turn.left.push(stage.park(residual));
      turn.finalizers.push(...result.finalizers);
      turn.reports.push(result.report);
      stage.idleProcessors.push(processor);
      turn.openBundles--;
    };
    const work = (): void | Promise<void> => {
      const { store, clock } = this.options;
      const startedMs = clock.elapsed();
      store.noteIn(turn.changes);
      // Not before: a drain may begin while the bundle starts, and a restriction is truncated once.
      isTruncated = this.#stop === "expire";
      body(processor);
      store.noteIn(undefined);
      const finished = processor.finishBundle();
      const endedMs = clock.elapsed();
      stage.load.worked(endedMs - startedMs);
      if (finished !== undefined) flush = stage.load.beginFlush(endedMs);
      return finished;
    };
    try {
      const started = processor.startBundle();
      if (started !== undefined) {
        stage.isStarting = true;
        const whole = started.then(() => {
          stage.isStarting = false;
          return work();
        });
        this.#await(whole, finish);
        return true;
      }
      const finished = work();
      if (finished !== undefined) this.#await(finished, finish);
      else finish();
    } catch (error) {
      this.#fail(error);
    }
    return true;
  }

  /** Goes on with `then` when the promise is kept; a broken one ends the run. */
  #await(promise: Promise<void>, then: () => void): void {
    const whole = promise
      .then(() => {
        then();
        this.#commitReady();
        this.#wakeUp();
      })
      .catch((error) => this.#fail(error))
      .then(() => void this.#underWay.delete(whole));
    this.#underWay.add(whole);
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wakeUp();
  }

  async #addProcessor(stage: Stage): Promise<void> {
    stage.processorCount++;
    const processor = stage.spec.newProcessor(stage);
    await processor.setup();
    this.#processors.push(processor);
    stage.idleProcessors.push(processor);
  }

  #deliver(stage: Stage, outputs: BundleResult["outputs"]): PendingBatch[] {
    const delivered: PendingBatch[] = [];
    const { bundleSizeMax } = this.options;
    stage.spec.outputs.forEach((collection, index) => {
      const batch = outputs[index]!;
      if (batch.length === 0) return;
      const consumers = this.#consumers.get(collection) ?? [];
      // What a commit finds half consumed it writes again: of a large batch that would be far more than it holds.
      const pieces = batch.length <= 2 * bundleSizeMax ? [batch] : batch.split(bundleSizeMax);
      for (const consumer of consumers) {
        for (const piece of pieces) delivered.push(consumer.stage.enqueue(consumer.input, piece));
      }
    });
    return delivered;
  }

  #addResidual(stage: Stage, residual: Residual): Restriction {
    const restriction = stage.addRestriction(residual, this.options.clock.elapsed() + residual.delayMs);
    if (residual.onReady !== undefined && !restriction.isReady) {
      restriction.endWatch = residual.onReady(() => {
        restriction.isReady = true;
        this.#wakeUp();
      });
    }
    return restriction;
  }

  /** Commits the turns at the head of the line that are finished, all in one. */
  #commitReady(): void {
    if (this.#committing !== undefined || this.#failure !== undefined) return;
    const unfinished = this.#turns.findIndex((turn) => !turn.isFinished);
    const turns = this.#turns.slice(0, unfinished === -1 ? undefined : unfinished);
    if (turns.length === 0) return;
    this.#committing = this.#commit(turns)
      .then(() => {
        this.commits++;
        this.#turns.splice(0, turns.length);
        this.#committing = undefined;
        for (const { finalizers } of turns) for (const finalizer of finalizers) this.#finalize(finalizer);
        this.#commitReady();
        this.#wakeUp();
      })
      .catch((error) => this.#fail(error));
  }

  async #commit(turns: readonly Turn[]): Promise<void> {
    const { store, ledger } = this.options;
    const changes = turns.map((turn) => turn.changes);
    let isIdle = this.#hasCommitted && turns.every((turn) => turn.isIdle);
    for (const { reports } of turns) {
      for (const report of reports) if (ledger?.take(report)) isIdle = false;
    }
    if (this.#progress !== undefined) {
      const elapsedMs = this.options.clock.elapsed();
      if (isIdle && elapsedMs < this.#idleUntilMs) {
        this.#progress.postpone(turns);
        for (const list of changes) store.discard(list);
        this.#hasPostponed = true;
        return;
      }
      this.#idleUntilMs = elapsedMs + IDLE_COMMIT_EVERY_MS;
      this.#hasPostponed = false;
      const own = store.newChanges();
      store.noteIn(own);
      if (!this.#hasCommitted) this.options.onFirstCommit?.();
      this.#progress.write(turns, this.stages);
      ledger?.save();
      store.noteIn(undefined);
      changes.push(own);
    }
    this.#hasCommitted = true;
    const bytes = changes.reduce((sum, list) => sum + list.bytes, 0);
    this.commitLoad.begin(this.options.clock.elapsed());
    await store.commit(changes);
    this.commitLoad.end(this.options.clock.elapsed(), bytes);
    for (const { produced } of turns) for (const pending of produced) pending.isCommitted = true;
  }

  async #commitEnd(): Promise<void> {
    const { store, ledger } = this.options;
    if (this.#progress === undefined || ledger === undefined) return;
    const changes = store.newChanges();
    store.noteIn(changes);
    ledger.end();
    store.noteIn(undefined);
    await store.commit([changes]);
  }

  /** Finalization is a courtesy: what fails here was committed all the same. */
  #finalize(finalizer: () => void | Promise<void>): void {
    const done = Promise.resolve()
      .then(finalizer)
      .catch(() => undefined)
      .then(() => void this.#finalizing.delete(done));
    this.#finalizing.add(done);
  }

  /** The next step of each script, once everything before it has had its effect. */
  #playScript(): boolean {
    for (const stage of this.stages) {
      const event = stage.spec.script?.[stage.scriptPosition];
      if (event === undefined) continue;
      stage.scriptPosition++;
      if (event.kind === "watermark") stage.scriptWatermark = event.watermark;
      else if (event.kind === "processing-time") this.options.advanceClock?.(event.advanceByMs);
      else this.#deliver(stage, [event.elements]);
      if (stage.scriptPosition === stage.spec.script!.length) stage.scriptWatermark = MAX_TIMESTAMP;
      return true;
    }
    return false;
  }

  /** How long until a restriction or a processing-time timer is due; Infinity: there is none. */
  #nextEventInMs(): number {
    const { clock } = this.options;
    const elapsedMs = clock.elapsed();
    let next = Number.POSITIVE_INFINITY;
    for (const stage of this.stages) {
      if (this.#stop !== "keep") {
        for (const restriction of stage.restrictions) {
          // One that is due but did not run waits for a commit, which wakes, or for a slower source.
          const isDue = this.#isDue(restriction, elapsedMs);
          next = Math.min(next, isDue ? SKEW_RETRY_MS : restriction.resumeAtMs - elapsedMs);
        }
      }
      const timerAt = stage.timers.nextTime("processing");
      if (timerAt < MAX_TIMESTAMP) next = Math.min(next, timerAt - clock.now());
    }
    return next;
  }

  #wakeUp(): void {
    this.#isAwake = true;
    this.#wake?.();
  }

  /** Until something happens, or as much time has passed. */
  async #waitFor(delayMs: number): Promise<void> {
    if (!this.#isAwake) {
      const { clock } = this.options;
      let cancel: (() => void) | undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        if (delayMs < Number.POSITIVE_INFINITY) cancel = clock.schedule(Math.max(0, delayMs), resolve);
      });
      cancel?.();
      this.#wake = undefined;
    }
    this.#isAwake = false;
  }
}
