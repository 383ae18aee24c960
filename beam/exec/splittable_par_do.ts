/**
 * The parts into which a runner expands a splittable DoFn: pair an element with its restriction, split it, process a
 * piece. Grammar of what flows between them: KV<KV<element, KV<restriction, watermark>>, size>.
 * Source: beam_runner_api.proto, StandardPTransforms.SplittableParDoComponents.
 */
import type { Clock } from "../model/clock.js";
import type { KV } from "../model/kv.js";
import type { PaneInfo } from "../model/pane.js";
import type { TimestampMs } from "../model/timestamps.js";
import {
  type ManualWatermark,
  type ProcessContinuation,
  type RestrictionTracker,
  resume,
  type Split,
  type SplittableDoFn,
} from "../sdk/splittable.js";
import { DoFnOperator } from "./do_fn_operator.js";
import { ElementContextCell } from "./element_context.js";
import { Operator, type OperatorContext } from "./operator.js";
import type { Receiver, Windows } from "./receiver.js";
import type { ClaimBudget, ExecServices } from "./services.js";

type AnySplittable = SplittableDoFn<any, any, any, any, any>;
export type RestrictionState = KV<unknown, TimestampMs>;
export type SizedElement = KV<KV<unknown, RestrictionState>, number>;

/** Work of this bundle that waits; the bundle does not end before it. */
class WaitingWork {
  #promises: Promise<void>[] = [];

  /** Calls `then` with the result: now if it is there, otherwise before the bundle ends. */
  run<T>(result: T | Promise<T>, then: (value: T) => void): void {
    if (!(result instanceof Promise)) {
      then(result);
      return;
    }
    const promise = result.then(then);
    // `done` tells of its failure; until then, or if the bundle fails before, nobody listens.
    promise.catch(() => undefined);
    this.#promises.push(promise);
  }

  done(): void | Promise<void> {
    if (this.#promises.length === 0) return;
    const promises = this.#promises;
    this.#promises = [];
    return Promise.all(promises).then(() => undefined);
  }
}

/** What the two steps before `process` have in common. */
abstract class RestrictionOperator extends Operator {
  protected readonly output: Receiver;
  protected readonly waiting = new WaitingWork();

  constructor(
    protected readonly doFn: AnySplittable,
    context: OperatorContext,
  ) {
    super();
    this.output = context.output(onlyOutput(context));
  }

  override setup(): void | Promise<void> {
    return this.doFn.setup?.();
  }

  override finishBundle(): void | Promise<void> {
    return this.waiting.done();
  }

  override teardown(): void | Promise<void> {
    return this.doFn.teardown?.();
  }
}

/** E → KV<E, KV<R, watermark>> */
export class PairWithRestrictionOperator extends RestrictionOperator implements Receiver {
  override readonly input: Receiver = this;

  accept(element: unknown, timestamp: TimestampMs, windows: Windows, pane: PaneInfo): void {
    this.waiting.run(this.doFn.initialRestriction(element), (restriction) => {
      const watermark = this.doFn.initialWatermark(element, restriction, timestamp);
      this.output.accept(
        { key: element, value: { key: restriction, value: watermark } },
        timestamp,
        windows,
        pane,
      );
    });
  }
}

/** KV<E, KV<R, watermark>> → KV<KV<E, KV<R, watermark>>, size>, one for each part. */
export class SplitAndSizeOperator extends RestrictionOperator implements Receiver {
  override readonly input: Receiver = this;

  accept(value: unknown, timestamp: TimestampMs, windows: Windows, pane: PaneInfo): void {
    const { key: element, value: whole } = value as KV<unknown, RestrictionState>;
    this.waiting.run(this.doFn.split(element, whole.key), (parts) => {
      for (const restriction of parts) {
        const size = this.doFn.size(element, restriction);
        if (!(size >= 0)) throw new Error(`size ${size} of a restriction is negative or no number`);
        const watermark = this.doFn.initialWatermark(element, restriction, timestamp);
        const sized: SizedElement = {
          key: { key: element, value: { key: restriction, value: watermark } },
          value: size,
        };
        this.output.accept(sized, timestamp, windows, pane);
      }
    });
  }
}

/** The watermark of one piece of work. Never goes back. */
class WatermarkCell implements ManualWatermark {
  constructor(public current: TimestampMs) {}
  set(watermark: TimestampMs): void {
    if (watermark > this.current) this.current = watermark;
  }
}

/**
 * Refuses claims once the bundle has had its share, which makes the tracker split: so bundles stay small, whatever
 * loop the user wrote.
 */
class BudgetedTracker implements RestrictionTracker<unknown, unknown> {
  /** The clock is read after so many claims at most, and after fewer when this time passes between two readings. */
  static readonly #CLAIMS_UNSEEN_MAX = 256;
  static readonly #UNSEEN_MS = 5;
  /** What the runner took back. */
  residual: Split<unknown> | undefined;
  #claimsUnseen = 1;
  #untilClock = 1;
  #seenAtMs: number;

  constructor(
    private readonly inner: RestrictionTracker<unknown, unknown>,
    private readonly budget: ClaimBudget,
    private readonly clock: Clock,
  ) {
    this.#seenAtMs = clock.now();
  }

  get restriction(): unknown {
    return this.inner.restriction;
  }

  tryClaim(position: unknown): boolean {
    if (this.budget.claims <= 0 || (--this.#untilClock === 0 && this.#isLate())) {
      this.residual ??= this.inner.trySplit(0);
      // Where nothing is left to give away, the claim is answered by the restriction itself.
      if (this.residual !== undefined) return false;
    }
    this.budget.claims--;
    return this.inner.tryClaim(position);
  }

  #isLate(): boolean {
    const now = this.clock.now();
    const isSlow = now - this.#seenAtMs > BudgetedTracker.#UNSEEN_MS;
    this.#claimsUnseen = isSlow ? 1 : Math.min(2 * this.#claimsUnseen, BudgetedTracker.#CLAIMS_UNSEEN_MAX);
    this.#untilClock = this.#claimsUnseen;
    this.#seenAtMs = now;
    return now >= this.budget.deadlineMs;
  }

  trySplit(fractionOfRemainder: number): Split<unknown> | undefined {
    return this.inner.trySplit(fractionOfRemainder);
  }

  checkDone(): void {
    this.inner.checkDone();
  }

  progress(): { completed: number; remaining: number } {
    return this.inner.progress();
  }
}

class SplittableContextCell extends ElementContextCell {
  watermark: ManualWatermark = new WatermarkCell(0);
}

/** KV<KV<E, KV<R, watermark>>, size> → the outputs of the DoFn; what is left goes back to the runner. */
export class ProcessSizedOperator extends DoFnOperator<AnySplittable> implements Receiver {
  override readonly input: Receiver = this;
  readonly #services: ExecServices;
  readonly #waiting = new WaitingWork();
  /** Contexts that no call uses: one that waits keeps its own, with its element and watermark, until it is done. */
  readonly #idle: SplittableContextCell[] = [];

  constructor(
    doFn: AnySplittable,
    private readonly context: OperatorContext,
  ) {
    super(doFn, context);
    this.#services = context.services;
  }

  protected override newContext(context: OperatorContext): ElementContextCell {
    return new SplittableContextCell(context);
  }

  accept(value: unknown, timestamp: TimestampMs, windows: Windows, pane: PaneInfo): void {
    if (windows.length !== 1) {
      throw new Error(`${this.name}: a splittable element in ${windows.length} windows is not supported`);
    }
    const { key: element, value: state } = (value as SizedElement).key;
    const inner = this.doFn.newTracker(state.key) as RestrictionTracker<unknown, unknown>;
    const tracker = new BudgetedTracker(inner, this.#services.claimBudget(), this.#services.clock);
    const watermark = new WatermarkCell(state.value);
    const ctx = this.#idle.pop() ?? new SplittableContextCell(this.context);
    ctx.enter(timestamp, windows, pane);
    ctx.watermark = watermark;
    this.#waiting.run<ProcessContinuation>(
      this.doFn.process(element, tracker, ctx as any),
      (continuation) => {
        this.#settle(element, tracker, ctx, continuation);
        this.#idle.push(ctx);
      },
    );
  }

  #settle(
    element: unknown,
    tracker: BudgetedTracker,
    ctx: SplittableContextCell,
    continuation: ProcessContinuation,
  ): void {
    if (tracker.residual !== undefined) {
      this.#defer(element, tracker.residual.residual, ctx, resume());
    } else if (continuation.kind === "resume") {
      const split = tracker.trySplit(0);
      if (split !== undefined) this.#defer(element, split.residual, ctx, continuation);
    } else {
      tracker.checkDone();
    }
  }

  #defer(
    element: unknown,
    restriction: unknown,
    { watermark, timestamp, windows, pane }: SplittableContextCell,
    continuation: ProcessContinuation,
  ): void {
    if (continuation.kind === "stop") throw new Error("a residual is resumed, not stopped");
    this.#services.deferResidual({
      element,
      restriction,
      timestamp,
      windows,
      pane,
      watermark: watermark.current,
      continuation,
    });
  }

  override finishBundle(): void | Promise<void> {
    const waiting = this.#waiting.done();
    if (waiting === undefined) return super.finishBundle();
    return waiting.then(() => super.finishBundle());
  }
}

function onlyOutput(context: OperatorContext): string {
  const names = Object.keys(context.transform.outputs);
  if (names.length !== 1)
    throw new Error(`${context.transform.uniqueName}: one output expected, not ${names.length}`);
  return names[0]!;
}
