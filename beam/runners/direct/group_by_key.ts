/**
 * Groups the values of a key and window into panes. For runners that shuffle in their own process: over the Fn API the
 * runner groups, and this operator is never in a bundle.
 *
 * A trigger that fires for every element needs no state: each element is a pane. Otherwise the values wait in state,
 * and a timer at the end of the window holds the output watermark at the timestamp that their pane will have.
 * In the global window the pane index is not counted, since it would have to be kept for every key for ever: every
 * pane there says "EARLY, index 0".
 */

import type { KeyedState, StateOfKey } from "../../exec/keyed_state.js";
import {
  type CollectionWindowing,
  type FiredTimer,
  Operator,
  type OperatorContext,
} from "../../exec/operator.js";
import type { Receiver, Windows } from "../../exec/receiver.js";
import type { KeyedStateServices } from "../../exec/services.js";
import { runnerApi } from "../../model/apache_beam.js";
import { ByteReader, ByteWriter } from "../../model/bytes.js";
import type { Coder } from "../../model/coders/coder.js";
import { readInstant, writeInstant } from "../../model/coders/instant.js";
import type { KV } from "../../model/kv.js";
import { NO_FIRING, type PaneInfo, Timing } from "../../model/pane.js";
import { MAX_TIMESTAMP, MIN_TIMESTAMP, type TimestampMs } from "../../model/timestamps.js";
import {
  type OutputTime,
  outputTimeFromProto,
  type Trigger,
  triggerFromProto,
} from "../../model/triggers.js";
import { type BoundedWindow, GlobalWindow } from "../../model/windows.js";

const END_OF_WINDOW_FAMILY = "~end-of-window";

const EARLY_PANE: PaneInfo = Object.freeze({
  isFirst: true,
  isLast: false,
  timing: Timing.EARLY,
  index: 0,
  nonSpeculativeIndex: -1,
});

/** What is remembered of a key and window beside its values. */
interface PaneState {
  /** Values that wait. */
  count: number;
  /** Panes emitted before the window's end, and in all. */
  earlyFirings: number;
  firings: number;
  /** Of the values that wait. */
  earliest: TimestampMs;
  latest: TimestampMs;
}

/** Whether a group with this strategy holds nothing back, so that it can stand anywhere in a stage. */
export function firesForEveryElement(strategy: runnerApi.WindowingStrategy): boolean {
  const trigger = triggerFromProto(strategy.trigger);
  return (
    trigger.kind === "repeated-count" &&
    trigger.count === 1 &&
    outputTimeFromProto(strategy.outputTime) !== "END_OF_WINDOW"
  );
}

/** Throws when a group with this strategy cannot be run here, naming what is missing. */
export function checkGroupable(name: string, strategy: runnerApi.WindowingStrategy): void {
  try {
    triggerFromProto(strategy.trigger);
    if (strategy.accumulationMode === runnerApi.AccumulationMode_Enum.ACCUMULATING) {
      throw new Error("accumulating panes are not supported");
    }
    if (strategy.mergeStatus === runnerApi.MergeStatus_Enum.NEEDS_MERGE) {
      throw new Error(`merging windows (${strategy.windowFn?.urn}) are not supported`);
    }
  } catch (error) {
    throw new Error(`${name}: ${(error as Error).message}`);
  }
}

export class GroupByKeyOperator extends Operator implements Receiver {
  override readonly input: Receiver = this;
  readonly #services: KeyedStateServices;
  readonly #output: Receiver;
  readonly #keyCoder: Coder<unknown>;
  readonly #valueCoder: Coder<unknown>;
  readonly #windowing: CollectionWindowing;
  readonly #trigger: Trigger;
  readonly #outputTime: OutputTime;
  readonly #isStateless: boolean;
  readonly #states: KeyedState;
  readonly #values: number;
  readonly #panes: number;
  readonly #endOfWindow: number;
  readonly #key = new ByteWriter(256);
  readonly #writer = new ByteWriter();
  readonly #reader = new ByteReader();

  constructor(context: OperatorContext<KeyedStateServices>) {
    super();
    const [input] = Object.values(context.transform.inputs);
    const [output] = Object.keys(context.transform.outputs);
    const coders = context.kvCoders(input!);
    if (!coders.key.isDeterministic) {
      throw new Error(`${context.transform.uniqueName}: the key coder must be deterministic`);
    }
    this.#services = context.services;
    this.#output = context.output(output!);
    this.#keyCoder = coders.key;
    this.#valueCoder = coders.value;
    this.#windowing = context.windowing(input!);
    const { strategy } = this.#windowing;
    checkGroupable(context.transform.uniqueName, strategy);
    this.#trigger = triggerFromProto(strategy.trigger);
    this.#outputTime = outputTimeFromProto(strategy.outputTime);
    this.#isStateless = firesForEveryElement(strategy) && this.#windowing.windowCoder === undefined;
    this.#states = context.services.keyedState(context.transformId);
    this.#values = this.#states.cell("values");
    this.#panes = this.#states.cell("panes");
    this.#endOfWindow = this.#states.timers(END_OF_WINDOW_FAMILY, "event");
  }

  accept(value: unknown, timestamp: TimestampMs, windows: Windows, _pane: PaneInfo): void {
    const element = value as KV<unknown, unknown>;
    if (this.#isStateless) {
      this.#output.accept({ key: element.key, value: [element.value] }, timestamp, windows, EARLY_PANE);
      return;
    }
    for (const window of windows) this.#buffer(element, timestamp, window);
  }

  #buffer(element: KV<unknown, unknown>, timestamp: TimestampMs, window: BoundedWindow): void {
    const watermark = this.#services.inputWatermark();
    const { windowCoder, allowedLatenessMs } = this.#windowing;
    if (window.maxTimestamp + allowedLatenessMs < watermark) return;
    this.#key.reset();
    this.#keyCoder.encode(element.key, this.#key, "nested");
    windowCoder?.encode(window, this.#key, "nested");

    const group = this.#states.mustEnter(this.#key);
    const state = this.#readPaneState(group);
    state.count++;
    state.earliest = Math.min(state.earliest, timestamp);
    state.latest = Math.max(state.latest, timestamp);
    this.#writer.reset();
    this.#valueCoder.encode(element.value, this.#writer, "nested");
    group.append(this.#values, this.#writer);

    const isLate = window.maxTimestamp < watermark;
    if (isLate || (this.#trigger.kind === "repeated-count" && state.count >= this.#trigger.count)) {
      this.#fire(group, state, window, isLate ? Timing.LATE : Timing.EARLY);
    } else {
      this.#writePaneState(group, state);
    }
    this.#setTimer(group, state, window, isLate);
  }

  /** One timer serves the end of the window and, behind it, the end of the state; it holds what waits. */
  #setTimer(group: StateOfKey, state: PaneState, window: BoundedWindow, isLate: boolean): void {
    if (window === GlobalWindow.INSTANCE && state.count === 0) {
      group.clearTimer(this.#endOfWindow, "");
      return;
    }
    const fireAt = isLate ? this.#gone(window) : window.maxTimestamp + 1;
    const hold = state.count === 0 ? fireAt : this.#paneTimestamp(state, window);
    group.setTimer(this.#endOfWindow, "", Math.min(fireAt, MAX_TIMESTAMP), Math.min(hold, fireAt));
  }

  #gone(window: BoundedWindow): TimestampMs {
    return window.maxTimestamp + this.#windowing.allowedLatenessMs + 1;
  }

  override onTimer(_family: string, timer: FiredTimer): void {
    const { identity, keyAndWindowLength } = timer;
    this.#key.reset();
    this.#key.writeBytes(identity.buffer, identity.position, identity.position + keyAndWindowLength);
    const window = this.#windowOfKey();
    const group = this.#states.mustEnter(this.#key);
    const state = this.#readPaneState(group);
    if (state.count > 0) this.#fire(group, state, window, Timing.ON_TIME);
    if (timer.fireTimestamp >= this.#gone(window) || window === GlobalWindow.INSTANCE) {
      group.delete(this.#panes);
    } else {
      const gone = this.#gone(window);
      group.setTimer(this.#endOfWindow, "", gone, gone);
    }
  }

  #fire(group: StateOfKey, state: PaneState, window: BoundedWindow, timing: Timing): void {
    const values: unknown[] = [];
    if (group.get(this.#values, this.#reader)) {
      while (this.#reader.remaining > 0) values.push(this.#valueCoder.decode(this.#reader, "nested"));
    }
    group.delete(this.#values);
    const timestamp = this.#paneTimestamp(state, window);
    const pane = this.#paneInfo(state, window, timing);
    state.firings++;
    if (timing === Timing.EARLY) state.earlyFirings++;
    state.count = 0;
    state.earliest = MAX_TIMESTAMP;
    state.latest = MIN_TIMESTAMP;
    this.#writePaneState(group, state, window);
    const key = this.#keyCoder.decode(this.#reader.reset(this.#key.buffer, 0, this.#key.length), "nested");
    this.#output.accept({ key, value: values }, timestamp, [window], pane);
  }

  #paneInfo(state: PaneState, window: BoundedWindow, timing: Timing): PaneInfo {
    if (window === GlobalWindow.INSTANCE) return timing === Timing.EARLY ? EARLY_PANE : NO_FIRING;
    return {
      isFirst: state.firings === 0,
      isLast: timing !== Timing.EARLY && this.#windowing.allowedLatenessMs === 0,
      timing,
      index: state.firings,
      nonSpeculativeIndex: timing === Timing.EARLY ? -1 : state.firings - state.earlyFirings,
    };
  }

  #paneTimestamp(state: PaneState, window: BoundedWindow): TimestampMs {
    switch (this.#outputTime) {
      case "EARLIEST_IN_PANE":
        return state.earliest;
      case "LATEST_IN_PANE":
        return state.latest;
      case "END_OF_WINDOW":
        return window.maxTimestamp;
    }
  }

  #windowOfKey(): BoundedWindow {
    const { windowCoder } = this.#windowing;
    if (windowCoder === undefined) return GlobalWindow.INSTANCE;
    this.#reader.reset(this.#key.buffer, 0, this.#key.length);
    this.#keyCoder.decode(this.#reader, "nested");
    return windowCoder.decode(this.#reader, "nested");
  }

  #readPaneState(group: StateOfKey): PaneState {
    const reader = this.#reader;
    if (!group.get(this.#panes, reader)) {
      return { count: 0, earlyFirings: 0, firings: 0, earliest: MAX_TIMESTAMP, latest: MIN_TIMESTAMP };
    }
    return {
      count: reader.readVarint(),
      earlyFirings: reader.readVarint(),
      firings: reader.readVarint(),
      earliest: readInstant(reader),
      latest: readInstant(reader),
    };
  }

  /** Nothing is kept of a group in the global window that has nothing waiting. */
  #writePaneState(group: StateOfKey, state: PaneState, window?: BoundedWindow): void {
    if (state.count === 0 && window === GlobalWindow.INSTANCE) {
      group.delete(this.#panes);
      return;
    }
    this.#writer.reset();
    this.#writer.writeVarint(state.count);
    this.#writer.writeVarint(state.earlyFirings);
    this.#writer.writeVarint(state.firings);
    writeInstant(state.earliest, this.#writer);
    writeInstant(state.latest, this.#writer);
    group.put(this.#panes, this.#writer);
  }
}
