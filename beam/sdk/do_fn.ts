/**
 * What a user writes. A DoFn is a class with a stable URN and a JSON configuration; a worker makes its own instance
 * from these two, so nothing else of the object that built the graph is ever sent. One instance serves one bundle at a
 * time, and `process` is synchronous: work that waits belongs into startBundle and finishBundle.
 */

import type { Coder } from "../model/coders/coder.js";
import type { KV } from "../model/kv.js";
import type { PaneInfo } from "../model/pane.js";
import type { TimestampMs } from "../model/timestamps.js";
import type { BoundedWindow } from "../model/windows.js";
import type { Clock } from "../platform/clock.js";
import type { Json } from "./json.js";
import type { MetricCells } from "./metrics.js";
import type { SideInputs, Views } from "./side_input.js";
import type { StateCells, StateSpecs } from "./state.js";
import type { TimerSpecs, Timers } from "./timer.js";

/** The outputs of a DoFn: a name and a coder each. */
export type OutputSpecs = Readonly<Record<string, Coder<any>>>;
/** The type of the values of a coder. */
export type ValueOf<C> = C extends Coder<infer T> ? T : never;

/**
 * `ctx.emit.NAME(value)` sends a value to an output, by default with the timestamp and window of what is being
 * processed. In finishBundle nothing is being processed: give a timestamp there, and a window unless it is the
 * global one.
 */
export type Emitters<O extends OutputSpecs> = {
  readonly [N in keyof O]: (value: ValueOf<O[N]>, timestamp?: TimestampMs, window?: BoundedWindow) => void;
};

/** What a DoFn sees in startBundle and finishBundle. */
export interface BundleContext<O extends OutputSpecs> {
  readonly emit: Emitters<O>;
  readonly clock: Clock;
  /**
   * Calls `callback` once the results of this bundle are safe. Best effort: not after a crash. Only if the DoFn
   * declares `requestsFinalization`.
   */
  onFinalize(callback: () => void | Promise<void>): void;
}

/** Reused for each element: do not keep it. */
export interface ElementContext<O extends OutputSpecs> extends BundleContext<O> {
  readonly timestamp: TimestampMs;
  readonly window: BoundedWindow;
  readonly pane: PaneInfo;
}

/** What every kind of DoFn has. `C` is its configuration. */
export abstract class BaseDoFn<O extends OutputSpecs, C extends Json> {
  constructor(readonly config: C) {}
  abstract readonly outputs: O;
  readonly metrics: MetricCells = {};
  readonly requestsFinalization: boolean = false;
  /**
   * For a DoFn with effects outside the pipeline: a durable runner gives it only elements that will be the very
   * same if the bundle has to be repeated.
   */
  readonly needsStableInput: boolean = false;
  /** Once for each instance, before its first bundle. */
  setup?(): void | Promise<void>;
  startBundle?(ctx: BundleContext<O>): void | Promise<void>;
  /** Called before the bundle commits; what it awaits, such as a flush, is done by then. */
  finishBundle?(ctx: BundleContext<O>): void | Promise<void>;
  /** Once, after the last bundle, or after one that failed. */
  teardown?(): void | Promise<void>;
}

/** One element in, any number out. */
export abstract class DoFn<I, O extends OutputSpecs, C extends Json = null> extends BaseDoFn<O, C> {
  abstract process(element: I, ctx: ElementContext<O>): void;
}

/** What a SideInputDoFn sees with an element, side inputs included. */
export interface SideInputContext<O extends OutputSpecs, S extends Views> extends ElementContext<O> {
  readonly side: SideInputs<S>;
}

/** One element in, any number out, with side inputs at hand. */
export abstract class SideInputDoFn<
  I,
  O extends OutputSpecs,
  S extends Views,
  C extends Json = null,
> extends BaseDoFn<O, C> {
  abstract readonly sideInputs: S;
  abstract process(element: I, ctx: SideInputContext<O, S>): void;
}

/** What a StatefulDoFn sees with an element, the state and timers of its key and window included. */
export interface StatefulContext<O extends OutputSpecs, S extends StateSpecs, T extends TimerSpecs>
  extends ElementContext<O> {
  readonly state: StateCells<S>;
  readonly timers: Timers<T>;
}

/** What the callback of a timer sees. */
export interface TimerContext<K, O extends OutputSpecs, S extends StateSpecs, T extends TimerSpecs>
  extends StatefulContext<O, S, T> {
  /** Decoded when it is first read. */
  readonly key: K;
  readonly tag: string;
  /** The time that the timer was set for; `timestamp` is its output timestamp. */
  readonly fireTimestamp: TimestampMs;
}

/**
 * A DoFn over KV<K, V> with state and timers, both per key and window. Every declared timer has its callback in
 * `onTimer`, under the same name.
 */
export abstract class StatefulDoFn<
  K,
  V,
  O extends OutputSpecs,
  S extends StateSpecs,
  T extends TimerSpecs,
  C extends Json = null,
> extends BaseDoFn<O, C> {
  abstract readonly state: S;
  abstract readonly timers: T;
  abstract readonly onTimer: { readonly [N in keyof T]: (ctx: TimerContext<K, O, S, T>) => void };
  abstract process(element: KV<K, V>, ctx: StatefulContext<O, S, T>): void;
}

/** The class of a DoFn, which has its URN. */
export interface DoFnClass {
  readonly urn: string;
  readonly name: string;
  new (config: any): AnyDoFn;
}

/** Any DoFn, splittable ones too. */
export type AnyDoFn = BaseDoFn<OutputSpecs, any>;
