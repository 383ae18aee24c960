/** Combining collections by a CombineFn: for each key, or all elements of a window. */
import { type PCollection, type Pipeline, runnerApi, withName } from "../model/apache_beam.js";
import { KVCoder } from "../model/coders/kv_coder.js";
import { VarintCoder } from "../model/coders/varint_coder.js";
import type { KV } from "../model/kv.js";
import { urns } from "../model/urns.js";
import type { AnyCombineFn, CombineFn } from "./combine_fn.js";
import { DoFn, type ElementContext, type OutputSpecs } from "./do_fn.js";
import { applyParDo, type Collection, coderOf, combineFnProto, composite, groupByKey } from "./graph.js";
import { registerDoFn } from "./registry.js";

/**
 * The combination of the values of each key and window, in panes as the trigger of the input's windowing says.
 * Source: beam_runner_api.proto, CombinePayload.
 */
export function combinePerKey<K, I, O>(
  name: string,
  input: Collection<KV<K, I>>,
  combineFn: CombineFn<I, any, O, any>,
): Collection<KV<K, O>> {
  return input.apply(
    withName(name, (source: PCollection<any>, pipeline: Pipeline, transform: runnerApi.PTransform) => {
      const payload = runnerApi.CombinePayload.toBinary(combinePayload(pipeline, combineFn));
      // A runner may put combining steps of its own before and behind the group; one that does not runs these two.
      transform.spec = { urn: urns.combinePerKey, payload };
      const grouped = groupByKey("Group", source as Collection<KV<K, I>>);
      return combineGrouped("Combine", grouped, combineFn, payload);
    }),
  ) as Collection<KV<K, O>>;
}

/**
 * The combination of all elements of each window, in panes as the trigger of the input's windowing says. A window
 * without elements has none.
 */
export function combineGlobally<I, O>(
  name: string,
  input: Collection<I>,
  combineFn: CombineFn<I, any, O, any>,
): Collection<O> {
  return composite(name, { input }, ({ input: source }) => {
    const keyed = new KVCoder(VarintCoder.INSTANCE, coderOf(source));
    const values = applyParDo("Key", source, new AddKey(null), { main: keyed }).main!;
    const combined = combinePerKey("Combine", values as Collection<KV<number, I>>, combineFn);
    return applyParDo("Value", combined, new DropKey(null), { main: combineFn.outputCoder }).main!;
  }) as Collection<O>;
}

function combinePayload(pipeline: Pipeline, combineFn: AnyCombineFn): runnerApi.CombinePayload {
  return {
    combineFn: combineFnProto(combineFn),
    accumulatorCoderId: pipeline.getCoderId(combineFn.accumulatorCoder as any),
  };
}

function combineGrouped(
  name: string,
  input: Collection<KV<any, Iterable<any>>>,
  combineFn: AnyCombineFn,
  payload: Uint8Array,
): PCollection<any> {
  return input.apply(
    withName(name, (source: PCollection<any>, pipeline: Pipeline, transform: runnerApi.PTransform) => {
      transform.spec = { urn: urns.combineGroupedValues, payload };
      const { key } = coderOf(source) as KVCoder<any, any>;
      const { windowingStrategyId, isBounded } =
        pipeline.getProto().components!.pcollections[source.getId()]!;
      const combined = new KVCoder(key, combineFn.outputCoder);
      return pipeline.createPCollectionInternal(combined as any, windowingStrategyId, isBounded);
    }),
  );
}

/** Some runners take no keys of no bytes. */
const ONLY_KEY = 0;

class AddKey extends DoFn<unknown, OutputSpecs> {
  static readonly urn = "beam:dofn:ts:combine_globally_key:v1";
  declare readonly outputs: OutputSpecs;
  process(value: unknown, ctx: ElementContext<OutputSpecs>): void {
    ctx.emit.main!({ key: ONLY_KEY, value });
  }
}

class DropKey extends DoFn<KV<number, unknown>, OutputSpecs> {
  static readonly urn = "beam:dofn:ts:combine_globally_value:v1";
  declare readonly outputs: OutputSpecs;
  process({ value }: KV<number, unknown>, ctx: ElementContext<OutputSpecs>): void {
    ctx.emit.main!(value);
  }
}

registerDoFn(AddKey);
registerDoFn(DropKey);
