/**
 * What a bundle needs of the runner around it. The direct runner serves state from its store and puts outputs into its
 * queues; the harness serves the same interfaces over the Fn API. Operators never know which.
 */
import type { ByteReader, ByteWriter } from "../model/bytes.js";
import type { PaneInfo } from "../model/pane.js";
import type { TimestampMs } from "../model/timestamps.js";
import type { Clock } from "../platform/clock.js";
import type { ProcessContinuation } from "../sdk/splittable.js";
import type { KeyedState } from "./keyed_state.js";
import type { Receiver, Windows } from "./receiver.js";

/** One side input of one transform, by the encoded windows of its collection. */
export interface SideInputTable {
  /**
   * Points `out` at the elements, encoded one behind the other; none is no bytes. False: they are not at hand, and are
   * loaded by the next `arrive`.
   */
  get(window: ByteWriter, out: ByteReader): boolean;
  /** Loads all windows that `get` missed. */
  arrive(): void | Promise<void>;
}

/** A part of a splittable element's work. */
export interface ElementPart {
  readonly transformId: string;
  readonly element: unknown;
  readonly restriction: unknown;
  readonly size: number;
  /** Whether the work ends by itself. */
  readonly isBounded: boolean;
  /** The element's own. */
  readonly timestamp: TimestampMs;
  readonly windows: Windows;
  readonly pane: PaneInfo;
  readonly watermark: TimestampMs;
}

/** When to go on with what is left. */
export type Resumption = Extract<ProcessContinuation, { kind: "resume" }>;

/** What is left of a splittable element after `process`. */
export interface ElementResidual extends ElementPart {
  readonly continuation: Resumption;
}

/** A splittable element that is cut while it is processed. */
export interface ElementSplit {
  readonly primary: ElementPart;
  readonly residual: ElementPart;
}

/** How much one call of a splittable `process` may claim before the runner takes the rest back. */
export interface ClaimBudget {
  claims: number;
  /** By `elapsed`; Infinity = no bound. */
  deadlineMs: number;
}

/** What user code is handed through its context. */
export interface UserCodeServices {
  readonly clock: Clock;
  onFinalize(callback: () => void | Promise<void>): void;
}

export interface KeyedStateServices {
  /** State and timers of a transform. */
  keyedState(transformId: string): KeyedState;
  /** The stage's input watermark: elements of windows that ended before it are late. */
  inputWatermark(): TimestampMs;
  /** Whether the runner itself drops the state of a window that has expired. */
  readonly dropsExpiredState: boolean;
}

export interface SideInputServices {
  sideInput(transformId: string, name: string): SideInputTable;
}

export interface SplittableServices {
  readonly clock: Clock;
  /** See SplittableContext.heedsReady. */
  readonly heedsReady: boolean;
  /** For the element about to be processed. */
  claimBudget(): ClaimBudget;
  /** Takes back what a splittable element leaves undone. */
  deferResidual(rest: ElementPart, continuation: Resumption): void;
  /** Takes what a later run on the same state is to do; undefined where there is no later run. */
  leaveForNextRun?(part: ElementPart): void;
}

export interface SinkServices {
  /** Where the elements that reach a `beam:runner:sink:v1` go. */
  openSink(transformId: string): Receiver;
}

/** For a runner that waits by itself until side inputs are complete. */
export interface CollectionWatermarkServices {
  /** Up to when the elements of a collection that comes into this stage have all come. */
  collectionWatermark(pcollectionId: string): TimestampMs;
}

/** All of it: what a runner implements. An operator takes the part that it uses. */
export interface ExecServices
  extends UserCodeServices,
    KeyedStateServices,
    SideInputServices,
    SplittableServices,
    SinkServices,
    CollectionWatermarkServices {}
