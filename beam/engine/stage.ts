/**
 * A stage: steps that run together, one bundle at a time. This file is what the engine asks of a stage, and what it
 * remembers of one: pending elements, unfinished restrictions, timers and watermarks.
 *
 * Invariants
 * - Input and output watermark never go back, and output ≤ input.
 * - Output ≤ every hold: timers that are due but did not fire, output timestamps of timers set ahead of them, pending
 *   elements, the watermark of every unfinished restriction, and the output watermark at the start of every bundle
 *   that has not ended.
 * - An element is in exactly one place: pending, in a bundle, or behind.
 */
import type { PaneInfo } from "../model/pane.js";
import { formatTimestamp, MAX_TIMESTAMP, MIN_TIMESTAMP, type TimestampMs } from "../model/timestamps.js";
import type { BoundedWindow } from "../model/windows.js";
import type { ElementBatch } from "./element_batch.js";
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
  readonly finalizers: readonly (() => void | Promise<void>)[];
}

/** Runs the bundles of a stage, one at a time. */
export interface StageProcessor {
  setup(): Promise<void>;
  startBundle(): void | Promise<void>;
  /** Element `index` of a batch, into input `input` of the stage. */
  process(input: number, batch: ElementBatch, index: number): void;
  /** A piece of a splittable element; may claim so much and until then. */
  processRestriction(residual: Residual, claims: number, deadlineMs: TimestampMs): void;
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
  /** For a scripted stage; goes to its only output. */
  readonly script?: readonly ScriptedEvent[];
  newProcessor(stage: Stage): StageProcessor;
}

/** A restriction that waits for its turn. */
export interface Restriction {
  readonly residual: Residual;
  resumeAtMs: TimestampMs;
  isReady: boolean;
  /** Ends the watch that its `onReady` began. */
  endWatch: (() => void) | undefined;
}

interface PendingBatch {
  readonly input: number;
  readonly batch: ElementBatch;
  /** Elements before this one are behind. */
  next: number;
}

export class Stage {
  readonly pending: PendingBatch[] = [];
  readonly restrictions = new Set<Restriction>();
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
  elementsIn = 0;
  bundles = 0;

  constructor(
    readonly spec: StageSpec,
    readonly timers: StageTimers,
  ) {}

  get pendingCount(): number {
    let count = 0;
    for (const { batch, next } of this.pending) count += batch.length - next;
    return count;
  }

  enqueue(input: number, batch: ElementBatch): void {
    if (batch.length > 0) this.pending.push({ input, batch, next: 0 });
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
      `open bundles ${this.bundleHolds.size}`,
      `event timers ${this.timers.count("event")}`,
      `processing timers ${this.timers.count("processing")}`,
      held === MAX_TIMESTAMP ? "no holds" : `held at ${formatTimestamp(held)}`,
    ];
    return `${this.spec.name}: ${parts.join(", ")}`;
  }
}
