/** What tests of graphs share: DoFns made of plain functions, and the collector at the end of a graph. */

import type { ByteReader, ByteWriter } from "../../../../beam/model/bytes.js";
import type { Coder } from "../../../../beam/model/coders/coder.js";
import { DoubleCoder } from "../../../../beam/model/coders/double_coder.js";
import { KVCoder } from "../../../../beam/model/coders/kv_coder.js";
import { registerCoder } from "../../../../beam/model/coders/registry.js";
import { StringUtf8Coder } from "../../../../beam/model/coders/string_utf8_coder.js";
import { VarintCoder } from "../../../../beam/model/coders/varint_coder.js";
import type { KV } from "../../../../beam/model/kv.js";
import type { PaneInfo } from "../../../../beam/model/pane.js";
import type { BoundedWindow } from "../../../../beam/model/windows.js";
import type { DirectRun } from "../../../../beam/runners/direct/direct_runner.js";
import type { Root } from "../../../../beam/sdk/collection.js";
import { CombineFn } from "../../../../beam/sdk/combine_fn.js";
import { create } from "../../../../beam/sdk/create.js";
import {
  DoFn,
  type ElementContext,
  type OutputSpecs,
  type StatefulContext,
  StatefulDoFn,
  type TimerContext,
} from "../../../../beam/sdk/do_fn.js";
import { type Collection, parDo } from "../../../../beam/sdk/graph.js";
import { registerCombineFn, registerDoFn } from "../../../../beam/sdk/registry.js";
import type { StateSpecs } from "../../../../beam/sdk/state.js";
import type { TimerSpecs } from "../../../../beam/sdk/timer.js";

export const strings = StringUtf8Coder.INSTANCE;
export const ints = VarintCoder.INSTANCE;
export const keyedInts = new KVCoder(strings, ints);
export const keyedStrings = new KVCoder(strings, strings);

/** For TestStream: a value under the key "k", or under its own. */
export const at = <V>(value: V, timestamp: number, key = "k"): readonly [KV<string, V>, number] => [
  { key, value },
  timestamp,
];

export interface Collected {
  readonly value: any;
  readonly timestamp: number;
  readonly window: BoundedWindow;
  readonly pane: PaneInfo;
}

const collections = new Map<number, Collected[]>();

class Collect extends DoFn<any, Record<string, never>, number> {
  static readonly urn = "test:dofn:collect";
  override readonly outputs = {};
  process(value: any, { timestamp, window, pane }: ElementContext<Record<string, never>>): void {
    collections.get(this.config)!.push({ value, timestamp, window, pane });
  }
}
registerDoFn(Collect);

/** The elements of a collection once its pipeline has run, in the order in which they came. */
export function collect(input: Collection<any>): Collected[] {
  const id = collections.size;
  const collected: Collected[] = [];
  collections.set(id, collected);
  parDo(`Collect ${id}`, input, new Collect(id));
  return collected;
}

const main = { main: strings };
export type Main = typeof main;

/** varint sum | varint count */
class MeanAccumulatorCoder implements Coder<MeanAccumulator> {
  static readonly URN = "test:coder:mean_accumulator";
  readonly isDeterministic = true;
  encode({ sum, count }: MeanAccumulator, out: ByteWriter): void {
    out.writeVarint(sum);
    out.writeVarint(count);
  }
  decode(input: ByteReader): MeanAccumulator {
    return { sum: input.readVarint(), count: input.readVarint() };
  }
  toProto() {
    return {
      spec: { urn: MeanAccumulatorCoder.URN, payload: new Uint8Array() },
      componentCoderIds: [],
    };
  }
}
registerCoder(MeanAccumulatorCoder.URN, () => new MeanAccumulatorCoder());

/** A DoFn that turns elements into texts by a plain function. */
export function doFn<I>(urn: string, process: (element: I, ctx: ElementContext<Main>) => void) {
  class FunctionDoFn extends DoFn<I, Main> {
    static readonly urn = urn;
    readonly outputs = main;
    process(element: I, ctx: ElementContext<Main>): void {
      process(element, ctx);
    }
  }
  registerDoFn(FunctionDoFn);
  return new FunctionDoFn(null);
}

/** A stateful DoFn over KV<string, V> that gives texts, made of plain functions. */
export function stateful<V, S extends StateSpecs, T extends TimerSpecs>(
  urn: string,
  specs: { readonly state: S; readonly timers: T },
  process: (element: KV<string, V>, ctx: StatefulContext<Main, S, T>) => void,
  onTimer: { readonly [N in keyof T]: (ctx: TimerContext<string, Main, S, T>) => void },
) {
  class FunctionDoFn extends StatefulDoFn<string, V, Main, S, T> {
    static readonly urn = urn;
    readonly outputs = main;
    readonly state = specs.state;
    readonly timers = specs.timers;
    readonly onTimer = onTimer;
    process(element: KV<string, V>, ctx: StatefulContext<Main, S, T>): void {
      process(element, ctx);
    }
  }
  registerDoFn(FunctionDoFn);
  return new FunctionDoFn(null);
}

interface MeanAccumulator {
  sum: number;
  count: number;
}

/** Changes its accumulators in place, as a CombineFn may. */
class Mean extends CombineFn<number, MeanAccumulator, number> {
  static readonly urn = "test:combine_fn:mean";
  readonly accumulatorCoder = new MeanAccumulatorCoder();
  readonly outputCoder = DoubleCoder.INSTANCE;
  createAccumulator(): MeanAccumulator {
    return { sum: 0, count: 0 };
  }
  addInput(accumulator: MeanAccumulator, input: number): MeanAccumulator {
    accumulator.sum += input;
    accumulator.count++;
    return accumulator;
  }
  mergeAccumulators(accumulators: Iterable<MeanAccumulator>): MeanAccumulator {
    const merged = this.createAccumulator();
    for (const { sum, count } of accumulators) {
      merged.sum += sum;
      merged.count += count;
    }
    return merged;
  }
  extractOutput({ sum, count }: MeanAccumulator): number {
    return count === 0 ? Number.NaN : sum / count;
  }
}
registerCombineFn(Mean);

/** The arithmetic mean of numbers. Its accumulators have a coder that no runner knows. */
export const mean = new Mean(null);

/** As `doFn`, with outputs of its own. */
export function doFnWith<I, O extends OutputSpecs>(
  urn: string,
  outputs: O,
  process: (element: I, ctx: ElementContext<O>) => void,
) {
  class FunctionDoFn extends DoFn<I, O> {
    static readonly urn = urn;
    readonly outputs = outputs;
    process(element: I, ctx: ElementContext<O>): void {
      process(element, ctx);
    }
  }
  registerDoFn(FunctionDoFn);
  return new FunctionDoFn(null);
}

export function valuesOf(collected: readonly Collected[]): any[] {
  return collected.map(({ value }) => value);
}

/** Names of the store's tables that hold anything. */
export function leftovers(run: DirectRun): string[] {
  return [...run.store.sizes()].filter(([, size]) => size > 0).map(([name]) => name);
}

/** A bounded collection of KVs. */
export function createKeyed(
  root: Root,
  values: readonly KV<string, number>[],
  timestamps?: readonly number[],
): Collection<KV<string, number>> {
  return create("Create", root, values, keyedInts, timestamps);
}
