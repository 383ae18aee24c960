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
 * - State changes only inside the synchronous part of a bundle, and is noted in the changes of that bundle's turn.
 * - A stage that needs stable input takes only elements that a commit holds.
 * - No source bundle starts while `turnsOpenMax` turns are open, or while a whole bundle of elements waits in front of
 *   any stage: what is in flight is bounded.
 * - A failure of any bundle ends the run; nothing after it is committed.
 */

import { MAX_TIMESTAMP } from "../model/timestamps.js";
import { BundleRunner } from "./bundle_runner.js";
import { type CommitOptions, Commits } from "./commits.js";
import { Delivery } from "./delivery.js";
import type { ElementBatch } from "./element_batch.js";
import { CommittedProgress } from "./progress.js";
import { SlowStart } from "./slow_start.js";
import { SourcePace } from "./source_pace.js";
import { Stage, type StageObserver } from "./stage.js";
import type { CommitTimes } from "./stage_load.js";
import type { StageSpec } from "./stage_spec.js";
import { StageTimers } from "./stage_timers.js";
import type { Turn } from "./turn.js";
import { WakeUp } from "./wake_up.js";

export interface EngineOptions extends CommitOptions {
  /** Elements that a bundle of a source may bring, and that a bundle of another stage takes. */
  readonly bundleSizeMax: number;
  /** Time that a source bundle may take, and that a stage's timers may take of a turn: all others wait for it. */
  readonly bundleTimeMaxMs: number;
  readonly turnsOpenMax: number;
  /** A source this far ahead of the slowest, in event time, waits for it. */
  readonly sourceSkewMaxMs: number;
  /**
   * When all restrictions are done: "expire" sends the watermark to +∞, so that every timer fires; "keep" ends the run
   * with what waits in state, where the watermark stands that the restrictions have left. Default: expire.
   */
  readonly atEnd?: StopMode;
  /** Moves a virtual clock on: for scripted processing time. */
  readonly advanceClock?: (byMs: number) => void;
  readonly observer?: StageObserver;
}

/** Default sizes and times of bundles. */
export const DEFAULT_ENGINE_OPTIONS = {
  bundleSizeMax: 1024,
  bundleTimeMaxMs: 50,
  turnsOpenMax: 3,
  sourceSkewMaxMs: 60_000,
} as const;

/** Timers that are owed are remembered for so many bundles of elements at most. */
const OWED_BUNDLES_MAX = 8;

/** Of `bundleTimeMaxMs`, what a stage's timers may take of a turn. */
const TIMERS_SHARE = 0.1;

/** Nothing can progress although work is left: a bug in a runner or a DoFn, told with all that is known. */
export class StuckError extends Error {
  override readonly name = "StuckError";
}

export type StopMode = "keep" | "expire";

export class Engine {
  readonly stages: readonly Stage[];
  readonly #delivery: Delivery;
  readonly #sources: SourcePace;
  readonly #slowStart: SlowStart;
  readonly #commits: Commits;
  readonly #bundles: BundleRunner;
  readonly #wakeUp: WakeUp;
  /** Undefined: the store keeps nothing. */
  readonly #progress: CommittedProgress | undefined;
  readonly #seeds = new Map<string, ElementBatch>();
  #failure: { readonly error: unknown } | undefined;
  #stop: StopMode | undefined;

  /** @param specs in topological order: producers before consumers */
  constructor(
    specs: readonly StageSpec[],
    private readonly options: EngineOptions,
  ) {
    const { clock, store, observer } = options;
    this.stages = specs.map((spec) => new Stage(spec, new StageTimers(store), observer));
    for (const stage of this.stages) stage.parkedHold = options.atEnd === "keep";
    this.#progress = store.isDurable ? new CommittedProgress(store) : undefined;
    this.#delivery = new Delivery(this.stages, options.bundleSizeMax);
    this.#sources = new SourcePace(this.stages, options.sourceSkewMaxMs);
    this.#slowStart = new SlowStart(options.bundleSizeMax);
    this.#wakeUp = new WakeUp(clock);
    const fail = (error: unknown): void => this.#fail(error);
    const wakeUp = (): void => this.#wakeUp.call();
    this.#commits = new Commits(this.stages, options, this.#progress, wakeUp, fail);
    const bundleEnded = (): void => {
      this.#commits.commitReady();
      this.#wakeUp.call();
    };
    this.#bundles = new BundleRunner(store, clock, this.#delivery, this.#sources, bundleEnded, wakeUp, fail);
  }

  /** Commits so far. */
  get commits(): number {
    return this.#commits.count;
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
      for (const stage of this.stages) {
        if (stage.spec.kind !== "scripted") await this.#bundles.addProcessor(stage);
      }
      await this.#loop();
      await this.#commits.commitLast(this.#stop !== "keep");
    } catch (error) {
      problems.push(error);
    }
    for (const stage of this.stages) stage.endWatches();
    problems.push(...(await this.#bundles.tearDown()));
    if (problems.length > 0) throw problems[0];
  }

  /** Goes on from the last commit. Stages that it does not know, of a new run all, begin with their seeds. */
  #restoreOrSeed(): void {
    const turn = this.#commits.begin();
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
    this.#commits.commitStart(turn);
  }

  /**
   * Ends the run soon. "keep": what is in flight is finished and committed, state stays. "expire", a drain: sources do
   * what their DoFns' `truncate` leaves to be done and end, their watermark goes to +∞, and the run goes on until every
   * timer has fired.
   */
  stop(mode: StopMode): void {
    this.#stop = mode;
    this.#sources.isDraining = mode === "expire";
    if (mode === "expire") for (const stage of this.stages) stage.parkedHold = false;
    this.#wakeUp.call();
  }

  /** What the commits so far have taken. */
  get commitTimes(): CommitTimes {
    return this.#commits.load.times(this.options.clock.elapsed());
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
      if (this.#commits.openTurns > 0 || this.#bundles.isAnyStarting) {
        await this.#wakeUp.wait(this.#nextEventInMs());
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
    if (nextInMs === Number.POSITIVE_INFINITY && !this.stages.some((stage) => stage.isWatching)) {
      throw new StuckError(`nothing can progress, and work is left:\n${this.describe()}`);
    }
    await this.#wakeUp.wait(nextInMs);
  }

  /** One pass over the stages. False when nothing ran. */
  #runTurn(): boolean {
    const turn = this.#commits.begin();
    const startedMs = this.options.clock.elapsed();
    for (const stage of this.stages) {
      stage.refreshWatermarks();
      if (stage.spec.kind === "splittable") {
        stage.beginRestrictions(turn);
        stage.askWatermarks(this.options.clock.elapsed(), turn);
        this.#runSource(stage, turn);
      } else {
        this.#owed = this.#hasDueTimers(stage) ? (this.#owedBefore.get(stage) ?? 0) : 0;
        const elapsedMs = this.options.clock.elapsed();
        const deadline = elapsedMs + this.options.bundleTimeMaxMs * TIMERS_SHARE;
        this.#latest = elapsedMs + this.options.bundleTimeMaxMs;
        while (this.#hasWork(stage) && this.#runOrdinary(stage, turn, deadline)) {
          stage.refreshWatermarks();
          // Elements are taken whatever the time: what a commit finds waiting it has to write.
          if (!stage.hasUrgent && this.#isOver(deadline, 0)) break;
        }
        const owedMax = OWED_BUNDLES_MAX * this.options.bundleSizeMax;
        this.#owedBefore.set(stage, Math.max(0, Math.min(this.#owed, owedMax)));
      }
      stage.refreshWatermarks();
    }
    this.#slowStart.endTurn(this.options.clock.elapsed() - startedMs);
    if (!this.#commits.close(turn)) return false;
    this.#commits.commitReady();
    return true;
  }

  #hasWork(stage: Stage): boolean {
    if (this.#bundles.isStarting(stage) || this.#failure !== undefined) return false;
    const { hasReady, load } = stage;
    const hasDue = !hasReady && this.#mayFireTimers && this.#hasDueTimers(stage);
    // Timers that find many things to tell wait until those behind have taken what was told before.
    const mustWait = hasDue && this.#delivery.isAheadOfConsumers(stage);
    if (mustWait !== load.isBlocked) load.setBlocked(mustWait, this.options.clock.elapsed());
    return hasReady || (hasDue && !mustWait);
  }

  /** Timers of which very many are due leave room for a source's bundle. */
  get #mayFireTimers(): boolean {
    return this.#commits.openTurns <= Math.max(1, this.options.turnsOpenMax - 1);
  }

  #hasDueTimers(stage: Stage): boolean {
    return (
      stage.timers.hasDue("event", stage.inputWatermark) ||
      stage.timers.hasDue("processing", this.options.clock.now())
    );
  }

  /** Elements that the stage at work has taken, less the timers that have fired. */
  #owed = 0;
  /** The same of each stage from the turns before, as timers may not fire in all of them. */
  readonly #owedBefore = new Map<Stage, number>();
  /** The last of its timers had more to do than one firing does. */
  #isPortionLeft = false;
  /** When its timers end in this turn whatever is owed, by `elapsed`: a bundle's time behind the last elements. */
  #latest = 0;

  /**
   * Whether a stage's timers have had their share of a turn. Where there are elements, as many fire as were taken: each
   * may have set one, and where fewer fired than are set, what waits would grow for as long as there is input. A portion of
   * what a very large key has to do is no such timer, and takes as long as a thousand.
   */
  #isOver(deadline: number, fired: number): boolean {
    const elapsedMs = this.options.clock.elapsed();
    return elapsedMs >= deadline && (this.#isPortionLeft || fired >= this.#owed || elapsedMs >= this.#latest);
  }

  /**
   * A bundle of pending elements, then of due timers: `bundleSizeMax` at most, and of timers as many as their share of
   * the turn allows. False when no processor is free.
   * @param deadline of the share by `elapsed`
   */
  #runOrdinary(stage: Stage, turn: Turn, deadline: number): boolean {
    const { clock, bundleSizeMax, bundleTimeMaxMs } = this.options;
    return this.#bundles.run(stage, turn, (processor) => {
      const taken = stage.takeElements(bundleSizeMax, processor, turn);
      let left = bundleSizeMax - taken;
      this.#owed += taken;
      if (taken > 0) this.#latest = clock.elapsed() + bundleTimeMaxMs;
      this.#isPortionLeft = false;
      if (stage.pending.length > 0 || !this.#mayFireTimers) return;
      // All that came before the watermark has been seen, so the watermark may act.
      stage.refreshWatermarks();
      let fired = 0;
      const fire = (transformId: string, family: string, timer: any): void => {
        fired++;
        processor.onTimer(transformId, family, timer);
      };
      const isOver = (): boolean => this.#isOver(deadline, fired);
      for (const [domain, limit] of [
        ["event", stage.inputWatermark],
        ["processing", clock.now()],
      ] as const) {
        left -= stage.timers.fireDue(domain, limit, Math.max(1, left), fire, isOver);
        this.#isPortionLeft ||= stage.timers.isPortionLeft;
      }
      this.#owed -= fired;
    });
  }

  #runSource(stage: Stage, turn: Turn): void {
    if (this.#stop === "keep" || this.#failure !== undefined || this.#bundles.isStarting(stage)) return;
    const { clock, bundleTimeMaxMs, turnsOpenMax } = this.options;
    const elapsedMs = clock.elapsed();
    const mustWait = this.#commits.openTurns > turnsOpenMax || this.#hasBacklog();
    stage.load.setBlocked(mustWait && this.#sources.hasDue(stage, elapsedMs), elapsedMs);
    if (mustWait) return;
    const ready = this.#sources.ready(stage, elapsedMs);
    if (ready.length === 0) return;
    const sizeMax = this.#slowStart.size;
    const claims = Math.max(1, Math.floor(sizeMax / ready.length));
    this.#bundles.run(stage, turn, (processor) => {
      const deadline = clock.elapsed() + bundleTimeMaxMs;
      // A claim may bring many elements; those that find the bundle full are first in the next one.
      let brought = 0;
      for (const restriction of ready) {
        if (brought >= sizeMax) break;
        stage.takeRestriction(restriction, turn);
        const origin = this.#sources.originOf(restriction);
        brought += processor.processRestriction(restriction.residual, claims, deadline, origin);
      }
      this.#slowStart.brought(brought);
    });
  }

  /** Whether some stage cannot keep up with the sources. */
  #hasBacklog(): boolean {
    return this.stages.some((stage) => stage.backlog >= this.options.bundleSizeMax);
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#commits.stop();
    this.#wakeUp.call();
  }

  /** The next step of each script, once everything before it has had its effect. */
  #playScript(): boolean {
    for (const stage of this.stages) {
      const event = stage.nextScripted();
      if (event === undefined) continue;
      if (event.kind === "processing-time") this.options.advanceClock?.(event.advanceByMs);
      else if (event.kind === "elements") this.#delivery.deliver(stage, [event.elements]);
      return true;
    }
    return false;
  }

  /** How long until a restriction or a processing-time timer is due; Infinity: there is none. */
  #nextEventInMs(): number {
    const { clock } = this.options;
    let next = this.#stop === "keep" ? Number.POSITIVE_INFINITY : this.#sources.nextInMs(clock.elapsed());
    for (const stage of this.stages) {
      const timerAt = stage.timers.nextTime("processing");
      if (timerAt < MAX_TIMESTAMP) next = Math.min(next, timerAt - clock.now());
    }
    return next;
  }
}
