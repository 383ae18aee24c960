/**
 * Runs a bundle of a stage, from its start to what it gives: with a processor of the stage that is free, of which there
 * may be a few, so that one works while others wait for what they flush.
 *
 * Invariants
 * - State changes only inside the synchronous part of a bundle, and is noted in the changes of that bundle's turn.
 * - What a bundle gives is delivered when it has finished, and not at all when it fails.
 */
import type { Clock } from "../platform/clock.js";
import type { Store } from "../store/store.js";
import type { Delivery } from "./delivery.js";
import type { SourcePace } from "./source_pace.js";
import { endOfDelay, type OpenBundle, type Restriction, type Stage } from "./stage.js";
import type { OpenFlush } from "./stage_load.js";
import type { Residual, StageProcessor } from "./stage_spec.js";
import type { Turn } from "./turn.js";

/** Processors of one stage. */
const PROCESSORS_MAX = 4;

/** Those of one stage. */
interface Processors {
  readonly idle: StageProcessor[];
  count: number;
  /** While an asynchronous startBundle or setup is under way. */
  isStarting: boolean;
}

export class BundleRunner {
  readonly #byStage = new Map<Stage, Processors>();
  readonly #all: StageProcessor[] = [];
  /** Bundles and setups that wait for something. */
  readonly #underWay = new Set<Promise<void>>();

  /**
   * @param onEnded a bundle that had to wait has ended, or a processor is there
   * @param onReady a restriction has become ready
   */
  constructor(
    private readonly store: Store,
    private readonly clock: Clock,
    private readonly delivery: Delivery,
    private readonly sources: SourcePace,
    private readonly onEnded: () => void,
    private readonly onReady: () => void,
    private readonly onFailure: (error: unknown) => void,
  ) {}

  /** No bundle of the stage can begin before an earlier one, or its processor, has started. */
  isStarting(stage: Stage): boolean {
    return this.#processorsOf(stage).isStarting;
  }

  get isAnyStarting(): boolean {
    for (const { isStarting } of this.#byStage.values()) if (isStarting) return true;
    return false;
  }

  async addProcessor(stage: Stage): Promise<void> {
    const processors = this.#processorsOf(stage);
    processors.count++;
    const processor = stage.spec.newProcessor(stage);
    await processor.setup();
    this.#all.push(processor);
    processors.idle.push(processor);
  }

  /**
   * Runs a bundle as part of a turn; it may end later.
   * @param body hands the processor what the bundle is of
   * @returns false when no processor is free
   */
  run(stage: Stage, turn: Turn, body: (processor: StageProcessor) => void): boolean {
    const processors = this.#processorsOf(stage);
    const processor = processors.idle.pop();
    if (processor === undefined) {
      this.#addAnother(stage, processors);
      return false;
    }
    const open = stage.openBundle();
    turn.bundles++;
    turn.openBundles++;
    let isTruncated = false;
    let flush: OpenFlush | undefined;
    const work = (): void | Promise<void> => {
      const startedMs = this.clock.elapsed();
      this.store.noteIn(turn.changes);
      // Not before: a drain may begin while the bundle starts, and a restriction is truncated once.
      isTruncated = this.sources.isDraining;
      body(processor);
      this.store.noteIn(undefined);
      const finished = processor.finishBundle();
      const endedMs = this.clock.elapsed();
      stage.load.worked(endedMs - startedMs);
      if (finished !== undefined) flush = stage.load.beginFlush(endedMs);
      return finished;
    };
    const finish = (): void => {
      if (flush !== undefined) stage.load.endFlush(flush, this.clock.elapsed());
      this.#finish(stage, turn, open, processor, isTruncated);
      processors.idle.push(processor);
    };
    try {
      const started = processor.startBundle();
      if (started !== undefined) {
        processors.isStarting = true;
        const whole = started.then(() => {
          processors.isStarting = false;
          return work();
        });
        this.#await(whole, finish);
        return true;
      }
      const finished = work();
      if (finished !== undefined) this.#await(finished, finish);
      else finish();
    } catch (error) {
      this.onFailure(error);
    }
    return true;
  }

  /** Gives back what the processors hold, also after a failure. Returns what went wrong with that. */
  async tearDown(): Promise<unknown[]> {
    // After a failure other bundles may still be flushing with what teardown would take away.
    await Promise.allSettled(this.#underWay);
    const problems: unknown[] = [];
    for (const processor of this.#all) {
      await processor.teardown().catch((error: unknown) => problems.push(error));
    }
    return problems;
  }

  #processorsOf(stage: Stage): Processors {
    let processors = this.#byStage.get(stage);
    if (processors === undefined) {
      processors = { idle: [], count: 0, isStarting: false };
      this.#byStage.set(stage, processors);
    }
    return processors;
  }

  #addAnother(stage: Stage, processors: Processors): void {
    if (processors.count >= PROCESSORS_MAX || processors.isStarting) return;
    processors.isStarting = true;
    this.#await(this.addProcessor(stage), () => {
      processors.isStarting = false;
    });
  }

  /** What the bundle gave goes where it belongs. */
  #finish(stage: Stage, turn: Turn, open: OpenBundle, processor: StageProcessor, isTruncated: boolean): void {
    const result = processor.takeResult();
    stage.closeBundle(open);
    turn.produced.push(...this.delivery.deliver(stage, result.outputs));
    for (const residual of result.residuals) {
      const restriction = this.#leave(stage, residual);
      restriction.isTruncated = isTruncated;
      turn.left.push(restriction);
    }
    for (const residual of result.parked ?? []) turn.left.push(stage.park(residual));
    turn.finalizers.push(...result.finalizers);
    turn.reports.push(result.report);
    turn.openBundles--;
  }

  #leave(stage: Stage, residual: Residual): Restriction {
    const restriction = stage.addRestriction(residual, endOfDelay(residual.delayMs, this.clock.elapsed()));
    if (residual.onReady !== undefined && !restriction.isReady) {
      restriction.endWatch = residual.onReady(() => {
        restriction.isReady = true;
        this.onReady();
      });
    }
    return restriction;
  }

  /** Goes on with `then` when the promise is kept; a broken one is a failure. */
  #await(promise: Promise<void>, then: () => void): void {
    const whole = promise
      .then(() => {
        then();
        this.onEnded();
      })
      .catch((error) => this.onFailure(error))
      .then(() => void this.#underWay.delete(whole));
    this.#underWay.add(whole);
  }
}
