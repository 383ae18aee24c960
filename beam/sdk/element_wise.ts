/**
 * Short forms of `parDo` for functions of one element: `map`, `flatMap`, `filter`, `withKeys`. The function is defined
 * under a URN beforehand, by `mapFn` and its like, since a worker finds it by that and no closure is ever sent:
 *
 *     const lower = mapFn("example:lower:v1", coders.string, (line: string) => line.toLowerCase());
 *     const lowered = map("Lower", lines, lower);
 */
import type { Coder } from "../model/coders/coder.js";
import { KVCoder } from "../model/coders/kv_coder.js";
import type { KV } from "../model/kv.js";
import { DoFn, type DoFnClass, type ElementContext, type OutputSpecs } from "./do_fn.js";
import { applyParDo, type Collection, coderOf } from "./graph.js";
import { registerDoFn } from "./registry.js";

/** A function of one element, registered under its URN. */
export interface ElementFn<I, O> {
  readonly urn: string;
  /** The coder of what it returns; undefined for a predicate. */
  readonly coder: Coder<O> | undefined;
  /** An instance for a graph; reads elements `I`. */
  readonly make: (input?: I) => DoFn<any, OutputSpecs>;
}

type Process = (element: any, ctx: ElementContext<OutputSpecs>) => void;

function define<I, O>(urn: string, coder: Coder<O> | undefined, process: Process): ElementFn<I, O> {
  class Defined extends DoFn<any, OutputSpecs> {
    static readonly urn = urn;
    declare readonly outputs: OutputSpecs;
    declare process: Process;
  }
  Object.defineProperty(Defined, "name", { value: urn });
  Object.defineProperty(Defined.prototype, "process", { value: process });
  registerDoFn(Defined as DoFnClass);
  return { urn, coder, make: () => new Defined(null) };
}

/** Defines a function for `map`. Throws when its URN is taken. */
export function mapFn<I, O>(urn: string, coder: Coder<O>, fn: (element: I) => O): ElementFn<I, O> {
  return define(urn, coder, (element: I, ctx) => ctx.emit.main!(fn(element)));
}

/** Defines a function for `flatMap`. Throws when its URN is taken. */
export function flatMapFn<I, O>(
  urn: string,
  coder: Coder<O>,
  fn: (element: I) => Iterable<O>,
): ElementFn<I, Iterable<O>> & { readonly element: Coder<O> } {
  const defined = define<I, Iterable<O>>(urn, undefined, (element: I, ctx) => {
    for (const value of fn(element)) ctx.emit.main!(value);
  });
  return { ...defined, element: coder };
}

/** Defines a predicate for `filter`. Throws when its URN is taken. */
export function filterFn<I>(urn: string, fn: (element: I) => boolean): ElementFn<I, boolean> {
  return define(urn, undefined, (element: I, ctx) => {
    if (fn(element)) ctx.emit.main!(element);
  });
}

/** Defines a function for `withKeys`; its coder must be deterministic to be grouped by. Throws when its URN is taken. */
export function keyFn<I, K>(urn: string, coder: Coder<K>, fn: (element: I) => K): ElementFn<I, K> {
  return define(urn, coder, (value: I, ctx) => ctx.emit.main!({ key: fn(value), value }));
}

/** What `fn` returns for each element. */
export function map<I, O>(name: string, input: Collection<I>, fn: ElementFn<I, O>): Collection<O> {
  return apply(name, input, fn, fn.coder!);
}

/** All values that `fn` returns for each element. */
export function flatMap<I, O>(
  name: string,
  input: Collection<I>,
  fn: ElementFn<I, Iterable<O>> & { readonly element: Coder<O> },
): Collection<O> {
  return apply(name, input, fn, fn.element);
}

/** The elements for which `fn` is true. */
export function filter<I>(name: string, input: Collection<I>, fn: ElementFn<I, boolean>): Collection<I> {
  return apply(name, input, fn, coderOf(input));
}

/** Each element under the key that `fn` gives it. */
export function withKeys<I, K>(
  name: string,
  input: Collection<I>,
  fn: ElementFn<I, K>,
): Collection<KV<K, I>> {
  return apply(name, input, fn, new KVCoder(fn.coder!, coderOf(input)));
}

function apply(
  name: string,
  input: Collection<any>,
  fn: ElementFn<any, any>,
  coder: Coder<any>,
): Collection<any> {
  return applyParDo(name, input, fn.make(), { main: coder }).main!;
}
