/**
 * The steps that runners make of a combine. Where it is lifted, each bundle folds its values to an accumulator a key
 * before the group, and accumulators are merged behind it.
 * Source: beam_runner_api.proto, StandardPTransforms.CombineComponents.
 */
import { runnerApi } from "../model/apache_beam.js";
import { ByteWriter } from "../model/bytes.js";
import type { Coder } from "../model/coders/coder.js";
import type { KV } from "../model/kv.js";
import { NO_FIRING, type PaneInfo } from "../model/pane.js";
import type { TimestampMs } from "../model/timestamps.js";
import { outputTimeFromProto } from "../model/triggers.js";
import type { BoundedWindow } from "../model/windows.js";
import { type AnyCombineFn, combineAll } from "../sdk/combine_fn.js";
import { instantiateCombineFn } from "../sdk/registry.js";
import { Operator, type OperatorContext } from "./operator.js";
import type { Receiver, Windows } from "./receiver.js";

export function combineFnOf({ transform }: OperatorContext): AnyCombineFn {
  const { combineFn } = runnerApi.CombinePayload.fromBinary(transform.spec!.payload);
  if (combineFn === undefined) throw new Error(`${transform.uniqueName}: a combine without a CombineFn`);
  return instantiateCombineFn(combineFn.urn, combineFn.payload);
}

/** What one of the steps makes of the value of a KV. */
export type CombineStep = (combineFn: AnyCombineFn, value: any) => unknown;

/** KV<K, Iterable<I>> → KV<K, O>: for runners that combine groups, and lift nothing. */
export const combineValues: CombineStep = combineAll;

/** KV<K, I> → KV<K, A>: for runners that fold nothing before the group. */
export const convertToAccumulator: CombineStep = (combineFn, input) =>
  combineFn.addInput(combineFn.createAccumulator(), input);

/** KV<K, Iterable<A>> → KV<K, A> */
export const mergeAccumulators: CombineStep = (combineFn, accumulators: Iterable<unknown>) =>
  combineFn.mergeAccumulators(accumulators);

/** KV<K, A> → KV<K, O> */
export const extractOutput: CombineStep = (combineFn, accumulator) => combineFn.extractOutput(accumulator);

/** Runs one of the steps that take each KV by itself. */
export class CombineStepOperator extends Operator implements Receiver {
  override readonly input: Receiver = this;
  readonly #combineFn: AnyCombineFn;
  readonly #output: Receiver;

  constructor(
    context: OperatorContext,
    private readonly step: CombineStep,
  ) {
    super();
    const [output] = Object.keys(context.transform.outputs);
    this.#combineFn = combineFnOf(context);
    this.#output = context.output(output!);
  }

  accept(element: unknown, timestamp: TimestampMs, windows: Windows, pane: PaneInfo): void {
    const { key, value } = element as KV<unknown, unknown>;
    this.#output.accept({ key, value: this.step(this.#combineFn, value) }, timestamp, windows, pane);
  }
}

/** Accumulators that a bundle keeps; when there are more, all are handed on. */
const ACCUMULATORS_MAX = 10_000;

interface Accumulated {
  accumulator: unknown;
  timestamp: TimestampMs;
  readonly key: unknown;
  readonly window: BoundedWindow;
}

/**
 * KV<K, I> → KV<K, A>, one for each key and window of a bundle. It stands for its values at the timestamp that a group
 * of them would have: the latest of them where the windowing says so, else the earliest, which can never be late.
 */
export class PrecombineOperator extends Operator implements Receiver {
  override readonly input: Receiver = this;
  readonly #combineFn: AnyCombineFn;
  readonly #output: Receiver;
  readonly #keyCoder: Coder<unknown>;
  readonly #windowCoder: Coder<BoundedWindow> | undefined;
  readonly #keepsLatest: boolean;
  readonly #accumulated = new Map<string, Accumulated>();
  readonly #id = new ByteWriter(256);

  constructor(context: OperatorContext) {
    super();
    const [input] = Object.values(context.transform.inputs);
    const [output] = Object.keys(context.transform.outputs);
    const { strategy, windowCoder } = context.windowing(input!);
    this.#combineFn = combineFnOf(context);
    this.#output = context.output(output!);
    this.#keyCoder = context.kvCoders(input!).key;
    this.#windowCoder = windowCoder;
    this.#keepsLatest = outputTimeFromProto(strategy.outputTime) === "LATEST_IN_PANE";
  }

  accept(element: unknown, timestamp: TimestampMs, windows: Windows, _pane: PaneInfo): void {
    const { key, value } = element as KV<unknown, unknown>;
    for (const window of windows) this.#add(key, value, timestamp, window);
    if (this.#accumulated.size >= ACCUMULATORS_MAX) this.#handOn();
  }

  override finishBundle(): void {
    this.#handOn();
  }

  #add(key: unknown, value: unknown, timestamp: TimestampMs, window: BoundedWindow): void {
    this.#id.reset();
    this.#keyCoder.encode(key, this.#id, "nested");
    this.#windowCoder?.encode(window, this.#id, "nested");
    const id = this.#id.buffer.latin1Slice(0, this.#id.length);
    const present = this.#accumulated.get(id);
    if (present === undefined) {
      const accumulator = this.#combineFn.addInput(this.#combineFn.createAccumulator(), value);
      this.#accumulated.set(id, { accumulator, timestamp, key, window });
      return;
    }
    present.accumulator = this.#combineFn.addInput(present.accumulator, value);
    if (this.#keepsLatest ? timestamp > present.timestamp : timestamp < present.timestamp) {
      present.timestamp = timestamp;
    }
  }

  #handOn(): void {
    for (const { key, accumulator, timestamp, window } of this.#accumulated.values()) {
      this.#output.accept({ key, value: accumulator }, timestamp, [window], NO_FIRING);
    }
    this.#accumulated.clear();
  }
}
