/**
 * A function that folds values into one, in any grouping and order: inputs go into accumulators, accumulators into one
 * another, and the output is taken from the last. So runners may fold where the values are, before they bring them
 * together. Like a DoFn, a CombineFn is a class with a stable URN and a JSON configuration.
 */
import type { Coder } from "../model/coders/coder.js";
import type { Json } from "./json.js";

/**
 * Inputs `I`, accumulators `A`, outputs `O`. A method owns the accumulators that it is given: it may change and
 * return them. All methods are synchronous.
 */
export abstract class CombineFn<I, A, O, C extends Json = null> {
  constructor(readonly config: C) {}
  abstract readonly accumulatorCoder: Coder<A>;
  abstract readonly outputCoder: Coder<O>;
  /** An accumulator of no inputs. */
  abstract createAccumulator(): A;
  abstract addInput(accumulator: A, input: I): A;
  /** All inputs of these accumulators, of which there is at least one. */
  abstract mergeAccumulators(accumulators: Iterable<A>): A;
  abstract extractOutput(accumulator: A): O;
}

/** The class of a CombineFn, which has its URN. */
export interface CombineFnClass {
  readonly urn: string;
  readonly name: string;
  new (config: any): AnyCombineFn;
}

/** Any CombineFn. */
export type AnyCombineFn = CombineFn<any, any, any, any>;

/** The output of all these inputs. */
export function combineAll(combineFn: AnyCombineFn, inputs: Iterable<unknown>): unknown {
  let accumulator = combineFn.createAccumulator();
  for (const input of inputs) accumulator = combineFn.addInput(accumulator, input);
  return combineFn.extractOutput(accumulator);
}
