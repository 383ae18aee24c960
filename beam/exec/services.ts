/**
 * What a bundle needs of the runner around it. The direct runner serves state from its store and puts outputs into its
 * queues; the harness serves the same interfaces over the Fn API. Operators never know which.
 */
import type { ByteReader, ByteWriter } from "../model/bytes.js";
import type { Clock } from "../model/clock.js";
import type { PaneInfo } from "../model/pane.js";
import type { TimestampMs } from "../model/timestamps.js";
import type { ProcessContinuation } from "../sdk/splittable.js";
import type { Receiver, Windows } from "./receiver.js";

/** One state cell of one transform, for all keys. A key here is the encoded key followed by the encoded window. */
export interface StateTable {
  /** Points `out` at the bytes of this key; valid until the next change. False: nothing there. */
  get(key: ByteWriter, out: ByteReader): boolean;
  put(key: ByteWriter, value: ByteWriter): void;
  /** Adds behind what is there. */
  append(key: ByteWriter, value: ByteWriter): void;
  delete(key: ByteWriter): void;
}

/** One timer family of one transform, for all keys. */
export interface TimerTable {
  /** Sets or replaces the timer { key and window, tag }. */
  set(key: ByteWriter, tag: string, fireAt: TimestampMs, outputTimestamp: TimestampMs): void;
  clear(key: ByteWriter, tag: string): void;
}

export type TimeDomain = "event" | "processing";

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

/** What is left of a splittable element after `process`. */
export interface Residual {
  readonly element: unknown;
  readonly restriction: unknown;
  /** The element's own. */
  readonly timestamp: TimestampMs;
  readonly windows: Windows;
  readonly pane: PaneInfo;
  readonly watermark: TimestampMs;
  readonly continuation: Extract<ProcessContinuation, { kind: "resume" }>;
}

/** How much one call of a splittable `process` may claim before the runner takes the rest back. */
export interface ClaimBudget {
  claims: number;
  /** By the clock; Infinity = no bound. */
  deadlineMs: number;
}

export interface ExecServices {
  readonly clock: Clock;
  /** The stage's input watermark: elements of windows that ended before it are late. */
  inputWatermark(): TimestampMs;
  /** Whether the runner itself drops the state of a window that has expired. */
  readonly dropsExpiredState: boolean;
  stateTable(transformId: string, cell: string): StateTable;
  timerTable(transformId: string, family: string, timeDomain: TimeDomain): TimerTable;
  sideInput(transformId: string, name: string): SideInputTable;
  /** Up to when the elements of a collection that comes into this stage have all come. */
  collectionWatermark(pcollectionId: string): TimestampMs;
  /** Where the elements that reach a `beam:runner:sink:v1` go. */
  openSink(transformId: string): Receiver;
  onFinalize(callback: () => void | Promise<void>): void;
  /** Takes back what a splittable element leaves undone. */
  deferResidual(residual: Residual): void;
  /** For the element about to be processed. */
  claimBudget(): ClaimBudget;
}
