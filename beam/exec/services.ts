/**
 * What a bundle needs of the runner around it. The direct runner serves state from its store and puts outputs into its
 * queues; the harness serves the same interfaces over the Fn API. Operators never know which.
 */
import type { ByteReader, ByteWriter } from "../model/bytes.js";
import type { Coder } from "../model/coders/coder.js";
import type { PaneInfo } from "../model/pane.js";
import type { TimestampMs } from "../model/timestamps.js";
import type { Clock } from "../platform/clock.js";
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

/** A state cell whose values, when they are large, are remembered as what was decoded of them. */
export interface ChangelogTable extends StateTable {
  /** A stored value below this is replaced as a whole: here a change behind it would cost as much, or more. */
  readonly wholeBelowBytes: number;
  /** What `remember` was told last of this key, if it is still known and no other process has changed the bytes. */
  recall(key: ByteWriter): unknown;
  /** @param value undefined to forget @param bytes that it takes in the table */
  remember(key: ByteWriter, value: unknown, bytes: number): void;
}

/** How a cell lies in a runner's state. In an ordered list: varint sort key | value with a length prefix, … */
export type StateLayout = "bag" | "orderedList";

/** One multimap cell of one transform, for all keys. Map keys and values are encoded, nested. */
export interface MultimapTable {
  /** The map keys that have values. */
  keys(key: ByteWriter): Buffer[];
  /** Points `out` at the values of a map key; valid until the next change. False: there are none. */
  get(key: ByteWriter, mapKey: ByteWriter, out: ByteReader): boolean;
  /** Adds behind what is there. */
  append(key: ByteWriter, mapKey: ByteWriter, value: ByteWriter): void;
  delete(key: ByteWriter, mapKey: ByteWriter): void;
  clear(key: ByteWriter): void;
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

/** A timer as the callback of an operator needs it, beside its key. */
export interface TimerToFire {
  readonly family: string;
  readonly tag: string;
  readonly fireTimestamp: TimestampMs;
  readonly outputTimestamp: TimestampMs;
}

/**
 * The keys of one stateful transform where their state is a round trip away. User code is synchronous, so the operator
 * puts aside what belongs to keys that are not at hand, has all of them loaded in one round, and goes on. A key here
 * is the encoded key followed by the encoded window.
 */
export interface RemoteKeys {
  /**
   * Turns to a key: what its state tables are asked, until the next call, is about it. False: it is not at hand, and
   * is loaded by the next `arrive`.
   */
  enter(key: ByteWriter): boolean;
  /** Loads all cells of every key that `enter` missed. */
  arrive(): void | Promise<void>;
  /** Whether this bundle has set or cleared a timer of the present key that the runner says has fired. */
  isSuperseded(family: string, tag: string): boolean;
  /** Takes out the first event-time timer of the present key that this bundle set to a time before `limit`. */
  takeTimerBefore(limit: TimestampMs): TimerToFire | undefined;
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

/** What is left of a splittable element after `process`. */
export interface Residual extends ElementPart {
  readonly continuation: Extract<ProcessContinuation, { kind: "resume" }>;
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

export interface ExecServices {
  readonly clock: Clock;
  /** The stage's input watermark: elements of windows that ended before it are late. */
  inputWatermark(): TimestampMs;
  /** Whether the runner itself drops the state of a window that has expired. */
  readonly dropsExpiredState: boolean;
  stateTable(transformId: string, cell: string, layout?: StateLayout): StateTable;
  changelogTable(transformId: string, cell: string): ChangelogTable;
  multimapTable(transformId: string, cell: string, mapKeyCoder: Coder<unknown>): MultimapTable;
  timerTable(transformId: string, family: string, timeDomain: TimeDomain): TimerTable;
  /** Undefined where state is at hand. */
  remoteKeys(transformId: string): RemoteKeys | undefined;
  sideInput(transformId: string, name: string): SideInputTable;
  /** Up to when the elements of a collection that comes into this stage have all come. */
  collectionWatermark(pcollectionId: string): TimestampMs;
  /** Where the elements that reach a `beam:runner:sink:v1` go. */
  openSink(transformId: string): Receiver;
  onFinalize(callback: () => void | Promise<void>): void;
  /** See SplittableContext.heedsReady. */
  readonly heedsReady: boolean;
  /** Takes back what a splittable element leaves undone. */
  deferResidual(residual: Residual): void;
  /** Takes what a later run on the same state is to do; undefined where there is no later run. */
  leaveForNextRun?(part: ElementPart): void;
  /** For the element about to be processed. */
  claimBudget(): ClaimBudget;
}
