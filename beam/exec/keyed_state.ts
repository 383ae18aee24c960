/**
 * State and timers of one stateful transform, on any runner. There is none but of a key, and a key's is had by entering
 * the key: what needs state takes a `StateOfKey`. A key here is the encoded key followed by the encoded window.
 *
 * Cells, multimaps and families of timers are declared once, each kind with numbers of its own from 0; the numbers are
 * what a key is asked by.
 */
import type { ByteReader, ByteWriter } from "../model/bytes.js";
import type { Coder } from "../model/coders/coder.js";
import type { TimeDomain } from "../model/timer.js";
import type { TimestampMs } from "../model/timestamps.js";
import type { TimedCell } from "./timed_cell.js";

/**
 * How a cell lies in a runner's state. In an ordered list: varint sort key | value with a length prefix, … A log is a bag
 * of which nobody wants the bytes any more once something was made of them (`remember`), which then is what there is.
 */
export type StateLayout = "bag" | "orderedList" | "log";

export interface KeyedState {
  /** Declares a cell. Before the first key is entered, as all declarations. */
  cell(name: string, layout?: StateLayout): number;
  /** Declares cells that are found by an encoded map key, nested. */
  multimap(name: string, mapKeyCoder: Coder<unknown>): number;
  /** @param beside a declared cell: where it pays, the family's timers without a tag are kept with it */
  timers(family: string, timeDomain: TimeDomain, beside?: TimedCell): number;
  /**
   * What there is of a key; the bytes of `key` stay as they are until the next call. Undefined: it is not at hand, and
   * is loaded by the next `arrive`. The answer is good until the next key is entered.
   */
  enter(key: ByteWriter): StateOfKey | undefined;
  /** As `enter` of a key that is surely at hand: where `isAtHand`, or after `arrive`. */
  mustEnter(key: ByteWriter): StateOfKey;
  /** Ends the work on the key that was entered: who has timers beside a cell does so before the next is entered. */
  leave(): void;
  /** Loads all of every key that `enter` missed. */
  arrive(): void | Promise<void>;
  /**
   * Whether every key is at hand at once. Where it is not, timers come family by family, and are put aside so that
   * they fire in the order of their times.
   */
  readonly isAtHand: boolean;
  /** A changelog that takes less is replaced as a whole: a change behind it would cost as much, or more. */
  readonly wholeBelowBytes: number;
}

export interface StateOfKey {
  /** Points `out` at the bytes of a cell; valid until the next change. False: nothing there. */
  get(cell: number, out: ByteReader): boolean;
  put(cell: number, value: ByteWriter): void;
  /**
   * Adds behind what is there.
   * @param canWait until something else of this cell changes; where all is at hand it does not
   */
  append(cell: number, value: ByteWriter, canWait?: boolean): void;
  delete(cell: number): void;
  /** What `remember` was told last of this cell, if it is still known and no other process has changed the bytes. */
  recall(cell: number): unknown;
  /** @param value decoded; undefined to forget @param bytes that it takes in the cell */
  remember(cell: number, value: unknown, bytes: number): void;

  /** The map keys that have values. */
  mapKeys(multimap: number): Buffer[];
  /** Points `out` at the values of a map key; valid until the next change. False: there are none. */
  getMapped(multimap: number, mapKey: ByteWriter, out: ByteReader): boolean;
  /** Adds behind what is there. */
  appendMapped(multimap: number, mapKey: ByteWriter, value: ByteWriter): void;
  deleteMapped(multimap: number, mapKey: ByteWriter): void;
  clearMultimap(multimap: number): void;

  /** Sets or replaces the timer of this tag. */
  setTimer(family: number, tag: string, fireAt: TimestampMs, outputTimestamp: TimestampMs): void;
  clearTimer(family: number, tag: string): void;
  /** Whether this bundle has set or cleared a timer that the runner says has fired. Where all is at hand: never. */
  isSuperseded(family: string, tag: string): boolean;
  /** Takes out the first event-time timer that this bundle set to a time before `limit`. Where all is at hand: none. */
  takeTimerBefore(limit: TimestampMs): TimerToFire | undefined;
}

/** A timer as the callback of an operator needs it, beside its key. */
export interface TimerToFire {
  readonly family: string;
  readonly tag: string;
  readonly fireTimestamp: TimestampMs;
  readonly outputTimestamp: TimestampMs;
}
