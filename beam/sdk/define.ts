/**
 * DoFns from one object literal: outputs, state, timers and configuration are inferred from it, so none of their types
 * is written twice. `defineDoFn` and `defineStatefulDoFn` register what they define and return a function that makes
 * instances, which is what `parDo` takes:
 *
 *     const split = defineDoFn({
 *       urn: "example:split:v1",
 *       outputs: { words: coders.string },
 *       config: { lengthMin: 1 },
 *       metrics: () => ({ dropped: counter() }),
 *       process(line: string, ctx) {
 *         for (const word of line.split(" ")) {
 *           if (word.length >= this.config.lengthMin) ctx.emit.words(word);
 *           else this.metrics.dropped.inc();
 *         }
 *       },
 *     });
 *     const { words } = parDo("Split", lines, split({ lengthMin: 3 }));
 *
 * Inside the methods `this` is the instance. As with the classes, only URN and configuration are sent to a worker: a
 * method may use what its module defines, but no variable of the function that builds the graph.
 */
import type { KV } from "../model/kv.js";
import {
  type BundleContext,
  DoFn,
  type ElementContext,
  type OutputSpecs,
  type StatefulContext,
  StatefulDoFn,
  type TimerContext,
} from "./do_fn.js";
import type { Json } from "./json.js";
import type { MetricCells } from "./metrics.js";
import { registerDoFn } from "./registry.js";
import type { StateSpecs } from "./state.js";
import type { TimerSpecs } from "./timer.js";

/** What the methods of a definition see as `this`. */
export interface Instance<C, M> {
  readonly config: C;
  readonly metrics: M;
}

/** A configuration: an object that JSON can carry. */
export type ConfigObject = { readonly [name: string]: Json | undefined };

/** What every definition may contain. `C` is the configuration, `M` the metrics. */
export interface Definition<O extends OutputSpecs, C extends ConfigObject, M extends MetricCells> {
  /** The permanent name of the DoFn, in jobs and in kept state: `my-company:dofn:split:v1`. */
  readonly urn: string;
  readonly outputs: O;
  /** The default configuration; its type is the type of every configuration. */
  readonly config?: C;
  /** Makes the metrics of an instance. */
  readonly metrics?: () => M;
  /** See DoFn.requestsFinalization. */
  readonly requestsFinalization?: boolean;
  /** See DoFn.needsStableInput. */
  readonly needsStableInput?: boolean;
  /** Once for each instance, before its first bundle. */
  setup?(): void | Promise<void>;
  startBundle?(ctx: BundleContext<O>): void | Promise<void>;
  /** Called before the bundle commits; what it awaits, such as a flush, is done by then. */
  finishBundle?(ctx: BundleContext<O>): void | Promise<void>;
  /** Once, after the last bundle, or after one that failed. */
  teardown?(): void | Promise<void>;
}

/** A definition of a DoFn: one element in, any number out. */
export interface DoFnDefinition<I, O extends OutputSpecs, C extends ConfigObject, M extends MetricCells>
  extends Definition<O, C, M> {
  process(element: I, ctx: ElementContext<O>): void;
}

/** A definition of a DoFn over KV<K, V> with state and timers, both per key and window. */
export interface StatefulDoFnDefinition<
  K,
  V,
  O extends OutputSpecs,
  S extends StateSpecs,
  T extends TimerSpecs,
  C extends ConfigObject,
  M extends MetricCells,
> extends Definition<O, C, M> {
  readonly state: S;
  readonly timers?: T;
  process(element: KV<K, V>, ctx: StatefulContext<O, S, T>): void;
  /** One callback for each timer, under its name. */
  readonly onTimer?: { readonly [N in keyof T]: (ctx: TimerContext<K, O, S, T>) => void } & ThisType<
    Instance<C, M>
  >;
}

/** Makes instances of what was defined. What is given overrides the default configuration. */
export interface DoFnMaker<D, C> {
  (config?: Partial<C>): D;
  readonly urn: string;
}

const METHODS = ["setup", "startBundle", "finishBundle", "teardown", "process"] as const;

/**
 * Defines and registers a DoFn. Throws if another DoFn has its URN.
 *
 * @returns makes instances for `parDo`
 */
export function defineDoFn<
  I,
  O extends OutputSpecs,
  const C extends ConfigObject = Record<string, never>,
  M extends MetricCells = Record<string, never>,
>(
  definition: DoFnDefinition<I, O, C, M> & ThisType<Instance<Widened<C>, M>>,
): DoFnMaker<DoFn<I, O, Widened<C>>, Widened<C>> {
  class Defined extends DoFn<I, O, any> {
    static readonly urn = definition.urn;
    readonly outputs = definition.outputs;
    override readonly metrics = definition.metrics?.() ?? {};
    override readonly requestsFinalization = definition.requestsFinalization ?? false;
    override readonly needsStableInput = definition.needsStableInput ?? false;
    declare process: DoFn<I, O, any>["process"];
  }
  return makerOf(Defined, definition);
}

/**
 * Defines and registers a stateful DoFn. Throws when another DoFn has its URN, and when a timer has no callback.
 *
 * @returns makes instances for `parDo`
 */
export function defineStatefulDoFn<
  K,
  V,
  O extends OutputSpecs,
  S extends StateSpecs,
  T extends TimerSpecs = Record<never, never>,
  const C extends ConfigObject = Record<string, never>,
  M extends MetricCells = Record<string, never>,
>(
  definition: StatefulDoFnDefinition<K, V, O, S, T, C, M> & ThisType<Instance<Widened<C>, M>>,
): DoFnMaker<StatefulDoFn<K, V, O, S, T, Widened<C>>, Widened<C>> {
  const { urn, timers = {} as T } = definition;
  const callbacks: Readonly<Record<string, unknown>> = definition.onTimer ?? {};
  for (const name of Object.keys(timers)) {
    if (typeof callbacks[name] !== "function")
      throw new TypeError(`${urn}: the timer ${name} has no callback in onTimer`);
  }
  class Defined extends StatefulDoFn<K, V, O, S, T, any> {
    static readonly urn = urn;
    readonly outputs = definition.outputs;
    readonly state = definition.state;
    readonly timers = timers;
    readonly onTimer = Object.fromEntries(
      Object.entries(callbacks).map(([name, callback]) => [name, (callback as () => void).bind(this)]),
    ) as any;
    override readonly metrics = definition.metrics?.() ?? {};
    override readonly requestsFinalization = definition.requestsFinalization ?? false;
    override readonly needsStableInput = definition.needsStableInput ?? false;
    declare process: StatefulDoFn<K, V, O, S, T, any>["process"];
  }
  return makerOf(Defined, definition);
}

/** `{ size: 3 }` as a default stands for any `{ size: number }`. */
export type Widened<T> = {
  readonly [N in keyof T]: T[N] extends number
    ? number
    : T[N] extends string
      ? string
      : T[N] extends boolean
        ? boolean
        : T[N];
};

function makerOf(defined: any, definition: Definition<any, any, any>): any {
  Object.defineProperty(defined, "name", { value: definition.urn });
  for (const method of METHODS) {
    const implementation = (definition as unknown as Record<string, unknown>)[method];
    if (implementation !== undefined)
      Object.defineProperty(defined.prototype, method, { value: implementation });
  }
  registerDoFn(defined);
  const make = (config: ConfigObject = {}) => new defined({ ...definition.config, ...config });
  return Object.assign(make, { urn: definition.urn });
}
