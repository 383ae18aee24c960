/**
 * A stage: steps that run together, one bundle at a time. This file is what the engine asks of a stage, and what it
 * remembers of one: pending elements, unfinished restrictions, timers and watermarks.
 *
 * Invariants
 * - Input and output watermark never go back, and output ≤ input.
 * - Output ≤ every hold: timers that are due but did not fire, output timestamps of timers set ahead of them, pending
 *   elements, the watermark of every unfinished restriction, and the output watermark at the start of every bundle
 *   that has not ended.
 *   What is left for a later run holds it too, where the run keeps what waits.
 * - An element is in exactly one place: pending, in a bundle, or behind.
 */
import type { ElementCoder } from "../model/coders/windowed_value_coder.js";
import type { PaneInfo } from "../model/pane.js";
import { formatTimestamp, MAX_TIMESTAMP, MIN_TIMESTAMP, type TimestampMs } from "../model/timestamps.js";
import type { BoundedWindow } from "../model/windows.js";
import type { ElementBatch } from "./element_batch.js";
import { StageLoad } from "./stage_load.js";
import type { DueTimer, StageTimers } from "./stage_timers.js";

/** What a splittable stage leaves undone of an element. */
export interface Residual {
  readonly value: unknown;
  readonly timestamp: TimestampMs;
  readonly windows: readonly BoundedWindow[];
  readonly pane: PaneInfo;
  readonly watermark: TimestampMs;
  readonly delayMs: number;
  readonly onReady: ((wake: () => void) => () => void) | undefined;
}

export interface BundleResult {
  /** One batch for each output of the stage, in their order. */
  readonly outputs: readonly ElementBatch[];
  readonly residuals: readonly Residual[];
  /** What a later run on the same state is to do. */
  readonly parked?: readonly Residual[];
  readonly finalizers: readonly (() => void | Promise<void>)[];
  /** What the bundle counted, for the ledger (see EngineOptions). */
  readonly report?: unknown;
}

/**
 * Why a restriction is processed, if it is neither new nor a residual of this run: it is drained, so that only what its
 * DoFn does not truncate is still to be done; or an earlier run has left it.
 */
export type RestrictionOrigin = "drained" | "resumed" | undefined;

/** Runs the bundles of a stage, one at a time. */
export interface StageProcessor {
  setup(): Promise<void>;
  startBundle(): void | Promise<void>;
  /** Element `index` of a batch, into input `input` of the stage. */
  process(input: number, batch: ElementBatch, index: number): void;
  /** A piece of a splittable element; may claim so much and until then, by `elapsed`. */
  processRestriction(
    residual: Residual,
    claims: number,
    deadlineMs: TimestampMs,
    origin: RestrictionOrigin,
  ): void;
  onTimer(transformId: string, family: string, timer: DueTimer): void;
  finishBundle(): void | Promise<void>;
  /** What the bundle gave; it ends with this. */
  takeResult(): BundleResult;
  teardown(): Promise<void>;
}

/** A step of a scripted source. */
export type ScriptedEvent =
  | { readonly kind: "elements"; readonly elements: ElementBatch }
  | { readonly kind: "watermark"; readonly watermark: TimestampMs }
  | { readonly kind: "processing-time"; readonly advanceByMs: number };

export interface StageSpec {
  readonly name: string;
  /** Names of the collections read; a stage that is fed by nothing but an impulse or a script reads its own. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** "splittable": its input elements are restrictions, and bundles leave residuals. */
  readonly kind: "ordinary" | "splittable" | "scripted";
  /** Coders of the inputs, for what waits when the process ends; only a durable store asks for them. */
  readonly inputCoders?: readonly ElementCoder<unknown>[];
  /**
   * What its bundles do outside of the run cannot be undone, so they take only elements whose coming is committed: a
   * restart brings the very same ones again. Of no meaning without a durable store.
   */
  readonly needsStableInput?: boolean;
  /** For a scripted stage; goes to its only output. */
  readonly script?: readonly ScriptedEvent[];
  newProcessor(stage: Stage): StageProcessor;
}

/** A restriction that waits for its turn. */
export interface Restriction {
  readonly stage: Stage;
  readonly id: number;
  readonly residual: Residual;
  /** It is a record of the store. */
  isStored: boolean;
  /** By the time that passes (`Clock.elapsed`), which nobody can set. */
  resumeAtMs: number;
  isReady: boolean;
  /** Part of one that a drain has truncated already. */
  isTruncated: boolean;
  /** An earlier run has left it. */
  isResumed: boolean;
  /** Ends the watch that its `onReady` began. */
  endWatch: (() => void) | undefined;
}

/** Elements in front of a stage. */
export interface PendingBatch {
  readonly stage: Stage;
  readonly id: number;
  readonly input: number;
  readonly batch: ElementBatch;
  /** Elements before this one are behind. */
  next: number;
  /** As `next`, of the turns that are committed. */
  committedNext: number;
  /** What brought it is committed. */
  isCommitted: boolean;
  /** What is left of it is a record of the store. */
  isStored: boolean;
}

export interface StageWatermarks {
  readonly input: TimestampMs;
  readonly output: TimestampMs;
}

export class Stage {
  readonly pending: PendingBatch[] = [];
  readonly restrictions = new Set<Restriction>();
  /** What a later run is to do. */
  readonly parked = new Set<Restriction>();
  /** Whether what a later run is to do holds the watermark in this one. */
  parkedHold = false;
  /** Output watermark at the start of each bundle that has not ended. */
  readonly bundleHolds = new Set<{ readonly hold: TimestampMs }>();
  readonly idleProcessors: StageProcessor[] = [];
  processorCount = 0;
  /** While an asynchronous startBundle or setup is under way. */
  isStarting = false;
  upstream: Stage[] = [];
  scriptPosition = 0;
  scriptWatermark: TimestampMs = MIN_TIMESTAMP;
  inputWatermark: TimestampMs = MIN_TIMESTAMP;
  outputWatermark: TimestampMs = MIN_TIMESTAMP;
  /** How far the restrictions that the last restart went on with let the output watermark be. */
  resumeLimit: TimestampMs = MAX_TIMESTAMP;
  elementsIn = 0;
  bundles = 0;
  readonly load = new StageLoad();
  /** It has something to read that is further ahead in event time than the slowest source may be left behind. */
  isAhead = false;
  #lastId = 0;

  constructor(
    readonly spec: StageSpec,
    readonly timers: StageTimers,
  ) {}

  get pendingCount(): number {
    let count = 0;
    for (const { batch, next } of this.pending) count += batch.length - next;
    return count;
  }

  /** As `pendingCount`, less those that must not be touched yet. */
  get readyCount(): number {
    if (this.spec.needsStableInput !== true) return this.pendingCount;
    let count = 0;
    for (const { batch, next, isCommitted } of this.pending) if (isCommitted) count += batch.length - next;
    return count;
  }

  get hasReady(): boolean {
    const head = this.pending[0];
    return head !== undefined && (head.isCommitted || this.spec.needsStableInput !== true);
  }

  /** @param id of a batch that a commit knows; a new one by default. Ids grow in the order of arrival. */
  enqueue(input: number, batch: ElementBatch, id = this.#lastId + 1): PendingBatch {
    this.#lastId = Math.max(this.#lastId, id);
    const pending: PendingBatch = {
      stage: this,
      id,
      input,
      batch,
      next: 0,
      committedNext: 0,
      isCommitted: false,
      isStored: false,
    };
    this.pending.push(pending);
    return pending;
  }

  /** @param id of one that a commit knows; a new one by default */
  addRestriction(residual: Residual, resumeAtMs: number, id = this.#lastId + 1): Restriction {
    this.#lastId = Math.max(this.#lastId, id);
    const restriction = this.#newRestriction(residual, resumeAtMs, id);
    this.restrictions.add(restriction);
    return restriction;
  }

  /** What a later run is to do: nobody touches it any more. */
  park(residual: Residual): Restriction {
    const restriction = this.#newRestriction(residual, Number.POSITIVE_INFINITY, ++this.#lastId);
    this.parked.add(restriction);
    return restriction;
  }

  #newRestriction(residual: Residual, resumeAtMs: number, id: number): Restriction {
    const isReady = residual.delayMs <= 0;
    return {
      stage: this,
      id,
      residual,
      resumeAtMs,
      isReady,
      isTruncated: false,
      isResumed: false,
      endWatch: undefined,
      isStored: false,
    };
  }

  get watermarks(): StageWatermarks {
    return { input: this.inputWatermark, output: this.outputWatermark };
  }

  /**
   * After a restart: no further than the restrictions say that are to be gone on with. A run that expired what waits, or
   * was about to, had sent the watermark ahead of them.
   */
  limitWatermarks(): void {
    let limit = MAX_TIMESTAMP;
    for (const { resumeLimit } of this.upstream) limit = Math.min(limit, resumeLimit);
    this.inputWatermark = Math.min(this.inputWatermark, limit);
    for (const { residual } of this.restrictions) limit = Math.min(limit, residual.watermark);
    this.outputWatermark = Math.min(this.outputWatermark, limit);
    this.resumeLimit = limit;
  }

  /** Recomputes both watermarks from what is upstream, pending and held. */
  refreshWatermarks(): void {
    let input = MAX_TIMESTAMP;
    for (const stage of this.upstream) input = Math.min(input, stage.outputWatermark);
    if (this.spec.kind === "scripted") input = Math.min(input, this.scriptWatermark);
    for (const { batch } of this.pending) input = Math.min(input, batch.minTimestamp);
    if (input > this.inputWatermark) this.inputWatermark = input;

    let output = this.timers.earliestUpTo("event", this.inputWatermark);
    if (this.timers.holds.size > 0) output = Math.min(output, this.timers.holds.min());
    for (const { residual } of this.restrictions) output = Math.min(output, residual.watermark);
    if (this.parkedHold) output = Math.min(output, parkedWatermark(this));
    for (const { hold } of this.bundleHolds) output = Math.min(output, hold);
    if (output > this.outputWatermark) this.outputWatermark = output;
  }

  /** Nothing is left to do, now or later. */
  get isDone(): boolean {
    return (
      this.outputWatermark >= MAX_TIMESTAMP &&
      this.pending.length === 0 &&
      this.restrictions.size === 0 &&
      this.bundleHolds.size === 0 &&
      this.timers.count("processing") === 0
    );
  }

  describe(): string {
    const held = this.timers.holds.min();
    const parts = [
      `input ${formatTimestamp(this.inputWatermark)}`,
      `output ${formatTimestamp(this.outputWatermark)}`,
      `pending ${this.pendingCount}`,
      `restrictions ${this.restrictions.size}`,
      ...(this.parked.size > 0 ? [`left for the next run ${this.parked.size}`] : []),
      `open bundles ${this.bundleHolds.size}`,
      `event timers ${this.timers.count("event")}`,
      `processing timers ${this.timers.count("processing")}`,
      held === MAX_TIMESTAMP ? "no holds" : `held at ${formatTimestamp(held)}`,
    ];
    return `${this.spec.name}: ${parts.join(", ")}`;
  }
}

function parkedWatermark({ parked }: Stage): TimestampMs {
  let watermark = MAX_TIMESTAMP;
  for (const { residual } of parked) watermark = Math.min(watermark, residual.watermark);
  return watermark;
}
