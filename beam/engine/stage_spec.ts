/** What a stage is made of: its description, who runs its bundles, and what a bundle gives. */
import type { ElementCoder } from "../model/coders/windowed_value_coder.js";
import type { PaneInfo } from "../model/pane.js";
import type { TimestampMs } from "../model/timestamps.js";
import type { BoundedWindow } from "../model/windows.js";
import type { ElementBatch } from "./element_batch.js";
import type { DueTimer, StageTimers } from "./stage_timers.js";

/** What a splittable stage leaves undone of an element. */
export interface Residual {
  readonly value: unknown;
  readonly timestamp: TimestampMs;
  readonly windows: readonly BoundedWindow[];
  readonly pane: PaneInfo;
  /** Goes on while it waits, where `watermarkNow` can tell. */
  watermark: TimestampMs;
  readonly delayMs: number;
  readonly onReady: ((wake: () => void) => () => void) | undefined;
  /** Asked at the end of each delay, in place of a bundle; `value` knows of the answer. Undefined: a bundle it must be. */
  readonly watermarkNow: (() => TimestampMs) | undefined;
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
  /**
   * A piece of a splittable element; may claim so much and until then, by `elapsed`.
   * @returns how many elements it has brought by now
   */
  processRestriction(
    residual: Residual,
    claims: number,
    deadlineMs: TimestampMs,
    origin: RestrictionOrigin,
  ): number;
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
  /**
   * Its steps keep nothing from one element to the next, so that what comes may pass the pieces of a very large batch,
   * which are of one key as a rule. Default: elements are taken in the order of their coming.
   */
  readonly isUnordered?: boolean;
  /** For a scripted stage; goes to its only output. */
  readonly script?: readonly ScriptedEvent[];
  newProcessor(stage: StageView): StageProcessor;
}

/** What a processor sees of its stage. */
export interface StageView {
  readonly spec: StageSpec;
  readonly timers: StageTimers;
  readonly inputWatermark: TimestampMs;
  readonly outputWatermark: TimestampMs;
  /** Elements in front of the stage. */
  readonly pendingCount: number;
  /** No element of this input that comes to the stage later is older. */
  inputWatermarkOf(collection: string): TimestampMs;
}
