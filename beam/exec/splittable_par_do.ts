/**
 * The parts into which a runner expands a splittable DoFn: pair an element with its restriction, split it, process a
 * piece. Grammar of what flows between them: KV<KV<element, KV<restriction, watermark>>, size>.
 * Source: beam_runner_api.proto, StandardPTransforms.SplittableParDoComponents.
 */

import type { KV } from "../model/kv.js";
import type { PaneInfo } from "../model/pane.js";
import type { TimestampMs } from "../model/timestamps.js";
import {
  type ManualWatermark,
  type ProcessContinuation,
  type RestrictionTracker,
  resume,
  type SplittableDoFn,
} from "../sdk/splittable.js";
import { BudgetedTracker } from "./budgeted_tracker.js";
import { DoFnOperator } from "./do_fn_operator.js";
import { ElementContextCell } from "./element_context.js";
import { Operator, type OperatorContext, type RestrictionProgress } from "./operator.js";
import type { Receiver, Windows } from "./receiver.js";
import type {
  ClaimBudget,
  ElementPart,
  ElementSplit,
  SplittableServices,
  UserCodeServices,
} from "./services.js";

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
    // What was waited for may have begun more.
    return Promise.all(promises).then(() => this.done());
  }
}

/** What the two steps before `process` have in common. */
abstract class RestrictionOperator extends Operator {
  protected readonly output: Receiver;
  protected readonly waiting = new WaitingWork();

  constructor(
    protected readonly doFn: AnySplittable,
    context: OperatorContext<UserCodeServices>,
  ) {
    super();
    this.output = context.output(onlyOutput(context));
  }

  override setup(): void | Promise<void> {
    return this.doFn.setup?.();
  }

  override settle(): void | Promise<void> {
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
        const size = sizeOf(this.doFn, element, restriction);
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

/** On drain: keeps of each part what is still to be done. Elements in and out are as those of the process step. */
export class TruncateOperator extends RestrictionOperator implements Receiver {
  override readonly input: Receiver = this;

  accept(value: unknown, timestamp: TimestampMs, windows: Windows, pane: PaneInfo): void {
    const rest = truncate(this.doFn, value as SizedElement);
    if (rest !== undefined) this.output.accept(rest, timestamp, windows, pane);
  }
}

function truncate(doFn: AnySplittable, { key: { key: element, value: state } }: SizedElement) {
  const restriction = doFn.truncate(element, state.key);
  if (restriction === undefined) return undefined;
  const rest: SizedElement = {
    key: { key: element, value: { key: restriction, value: state.value } },
    value: sizeOf(doFn, element, restriction),
  };
  return rest;
}

function sizeOf(doFn: AnySplittable, element: unknown, restriction: unknown): number {
  const size = doFn.size(element, restriction);
  if (!(size >= 0)) throw new Error(`size ${size} of a restriction is negative or no number`);
  return size;
}

/** The watermark of one piece of work. Never goes back. */
class WatermarkCell implements ManualWatermark {
  constructor(public current: TimestampMs) {}
  set(watermark: TimestampMs): void {
    if (watermark > this.current) this.current = watermark;
  }
}

class SplittableContextCell extends ElementContextCell {
  watermark: ManualWatermark = new WatermarkCell(0);
  readonly heedsReady: boolean;

  constructor(context: OperatorContext<UserCodeServices & SplittableServices>) {
    super(context);
    this.heedsReady = context.services.heedsReady;
  }
}

/** A call of `process` that has not been settled. */
interface Call {
  readonly element: unknown;
  readonly tracker: BudgetedTracker;
  readonly ctx: SplittableContextCell;
  readonly initialWatermark: TimestampMs;
}

/** KV<KV<E, KV<R, watermark>>, size> → the outputs of the DoFn; what is left goes back to the runner. */
export class ProcessSizedOperator extends DoFnOperator<AnySplittable> implements Receiver {
  override readonly input: Receiver = this;
  readonly #services: SplittableServices;
  readonly #waiting = new WaitingWork();
  /** Contexts that no call uses: one that waits keeps its own, with its element and watermark, until it is done. */
  readonly #idle: SplittableContextCell[] = [];
  readonly #calls = new Set<Call>();

  constructor(
    doFn: AnySplittable,
    private readonly context: OperatorContext<UserCodeServices & SplittableServices>,
  ) {
    super(doFn, context);
    this.#services = context.services;
  }

  protected override newContext(
    context: OperatorContext<UserCodeServices & SplittableServices>,
  ): ElementContextCell {
    return new SplittableContextCell(context);
  }

  accept(value: unknown, timestamp: TimestampMs, windows: Windows, pane: PaneInfo): void {
    if (windows.length !== 1) {
      // An element in several windows is as many elements: each has its own work left.
      for (const window of windows) this.accept(value, timestamp, [window], pane);
      return;
    }
    const { key: element, value: state } = (value as SizedElement).key;
    this.#begin(element, state, this.#services.claimBudget(), timestamp, windows, pane);
  }

  override acceptPart(
    origin: "drained" | "resumed",
    value: unknown,
    timestamp: TimestampMs,
    windows: Windows,
    pane: PaneInfo,
  ): void {
    const { key: element, value: state } = (value as SizedElement).key;
    if (origin === "drained") {
      const rest = truncate(this.doFn, value as SizedElement);
      if (rest !== undefined) this.accept(rest, timestamp, windows, pane);
      else this.#leave(element, state.key, false, state.value, { timestamp, windows, pane });
      return;
    }
    const budget = this.#services.claimBudget();
    this.#waiting.run<unknown>(this.doFn.resumed(element, state.key), (restriction) =>
      this.#begin(element, { key: restriction, value: state.value }, budget, timestamp, windows, pane),
    );
  }

  #begin(
    element: unknown,
    state: RestrictionState,
    budget: ClaimBudget,
    timestamp: TimestampMs,
    windows: Windows,
    pane: PaneInfo,
  ): void {
    const inner = this.doFn.newTracker(state.key, element) as RestrictionTracker<unknown, unknown>;
    const tracker = new BudgetedTracker(inner, budget, this.#services.clock);
    const watermark = new WatermarkCell(state.value);
    const ctx = this.#idle.pop() ?? new SplittableContextCell(this.context);
    ctx.enter(timestamp, windows, pane);
    ctx.watermark = watermark;
    const call: Call = { element, tracker, ctx, initialWatermark: state.value };
    this.#calls.add(call);
    this.#waiting.run<ProcessContinuation>(
      this.doFn.process(element, tracker, ctx as any),
      (continuation) => {
        this.#calls.delete(call);
        this.#settle(call, continuation);
        this.#idle.push(ctx);
      },
    );
  }

  #settle(call: Call, continuation: ProcessContinuation): void {
    const { tracker } = call;
    if (tracker.residual !== undefined) {
      this.#defer(call, tracker.residual.residual, resume());
      return;
    }
    const split = continuation.kind === "resume" ? tracker.trySplit(0) : undefined;
    if (split !== undefined) {
      this.#defer(call, split.residual, continuation);
      return;
    }
    // Also where `process` would come back, and nothing is left to come back to.
    tracker.checkDone();
    this.#leave(call.element, tracker.restriction, true, call.ctx.watermark.current, call.ctx);
  }

  /** What a later run on the same state goes on with, if there is any. */
  #leave(
    element: unknown,
    restriction: unknown,
    isDone: boolean,
    watermark: TimestampMs,
    at: Pick<ElementPart, "timestamp" | "windows" | "pane">,
  ): void {
    if (this.#services.leaveForNextRun === undefined) return;
    const remainder = this.doFn.remainder(element, restriction, isDone);
    if (remainder === undefined) return;
    this.#services.leaveForNextRun(this.#part(element, remainder, watermark, at));
  }

  #defer(call: Call, restriction: unknown, continuation: ProcessContinuation): void {
    if (continuation.kind === "stop") throw new Error("a residual is resumed, not stopped");
    const part = this.#part(call.element, restriction, call.ctx.watermark.current, call.ctx);
    this.#services.deferResidual(part, continuation);
  }

  #part(
    element: unknown,
    restriction: unknown,
    watermark: TimestampMs,
    { timestamp, windows, pane }: Pick<ElementPart, "timestamp" | "windows" | "pane">,
  ): ElementPart {
    return {
      transformId: this.context.transformId,
      element,
      restriction,
      size: sizeOf(this.doFn, element, restriction),
      isBounded: this.doFn.isBounded,
      timestamp,
      windows,
      pane,
      watermark,
    };
  }

  /** The call that a runner can ask about: where several wait, none of them is the element that it means. */
  #onlyCall(): Call | undefined {
    if (this.#calls.size !== 1) return undefined;
    const [call] = this.#calls;
    return call;
  }

  override progress(): RestrictionProgress | undefined {
    return this.#onlyCall()?.tracker.progress();
  }

  override split(fractionOfRemainder: number): ElementSplit | undefined {
    const call = this.#onlyCall();
    // What the budget took back is on its way to the runner already.
    if (call === undefined || call.tracker.residual !== undefined) return undefined;
    // Dataflow asks some seconds after a bundle begins, whatever it waits for.
    if (!call.tracker.hasClaimed) return undefined;
    const split = call.tracker.trySplit(fractionOfRemainder);
    if (split === undefined) return undefined;
    return {
      primary: this.#part(call.element, split.primary, call.initialWatermark, call.ctx),
      residual: this.#part(call.element, split.residual, call.ctx.watermark.current, call.ctx),
    };
  }

  /** A bundle that failed leaves its calls behind. */
  override startBundle(): void | Promise<void> {
    this.#calls.clear();
    return super.startBundle();
  }

  override settle(): void | Promise<void> {
    return this.#waiting.done();
  }
}

function onlyOutput(context: OperatorContext): string {
  const names = Object.keys(context.transform.outputs);
  if (names.length !== 1)
    throw new Error(`${context.transform.uniqueName}: one output expected, not ${names.length}`);
  return names[0]!;
}
