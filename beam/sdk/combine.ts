/** Combining collections by a CombineFn: for each key, or all elements of a window. */
import { type Pipeline as BeamPipeline, type PCollection, runnerApi } from "../model/apache_beam.js";
import { KVCoder } from "../model/coders/kv_coder.js";
import { VarintCoder } from "../model/coders/varint_coder.js";
import type { KV } from "../model/kv.js";
import { urns } from "../model/urns.js";
import { collectionOf, pcollectionOf } from "./collection.js";
import { type AnyCombineFn, type CombineFn, combineAll } from "./combine_fn.js";
import { DoFn, type ElementContext, type OutputSpecs } from "./do_fn.js";
import { applyParDo, type Collection, coderOf, composite, groupByKey } from "./graph.js";
import type { Json } from "./json.js";
import { instantiateCombineFn, registerDoFn } from "./registry.js";
import { combineFnProto } from "./state_proto.js";
import { applyNamed } from "./step.js";

/**
 * The combination of the values of each key and window, in panes as the trigger of the input's windowing says.
 * Source: beam_runner_api.proto, CombinePayload.
 */
export function combinePerKey<K, I, O>(
  name: string,
  input: Collection<KV<K, I>>,
  combineFn: CombineFn<I, any, O, any>,
): Collection<KV<K, O>> {
  return applyNamed(
    name,
    (source: PCollection<any>, pipeline: BeamPipeline, transform: runnerApi.PTransform) => {
      const payload = combinePayload(pipeline, combineFn);
      // A runner may put combining steps of its own before and behind the group. One that does not runs these two: an
      // ordinary ParDo and not a combine_grouped_values, since some know that as little.
      transform.spec = { urn: urns.combinePerKey, payload: runnerApi.CombinePayload.toBinary(payload) };
      const grouped = groupByKey("Group", collectionOf<KV<K, I>>(source));
      const { key } = coderOf(grouped) as KVCoder<K, unknown>;
      const config = { urn: payload.combineFn!.urn, config: combineFn.config ?? null };
      const main = new KVCoder(key, combineFn.outputCoder);
      return pcollectionOf(applyParDo("Combine", grouped, new CombineGroups(config), { main }).main!);
    },
    (step) => pcollectionOf(input).apply(step),
  ) as unknown as Collection<KV<K, O>>;
}

/**
 * The combination of all elements of each window, in panes as the trigger of the input's windowing says. A window
 * without elements yields none.
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

function combinePayload(pipeline: BeamPipeline, combineFn: AnyCombineFn): runnerApi.CombinePayload {
  return {
    combineFn: combineFnProto(combineFn),
    accumulatorCoderId: pipeline.getCoderId(combineFn.accumulatorCoder as any),
  };
}

interface CombineGroupsConfig {
  readonly [name: string]: Json;
  readonly urn: string;
  readonly config: Json;
}

class CombineGroups extends DoFn<KV<unknown, Iterable<unknown>>, OutputSpecs, CombineGroupsConfig> {
  static readonly urn = "beam:dofn:ts:combine_groups:v1";
  declare readonly outputs: OutputSpecs;
  readonly #combineFn = instantiateCombineFn(
    this.config.urn,
    Buffer.from(JSON.stringify(this.config.config)),
  );
  process({ key, value }: KV<unknown, Iterable<unknown>>, ctx: ElementContext<OutputSpecs>): void {
    ctx.emit.main!({ key, value: combineAll(this.#combineFn, value) });
  }
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

registerDoFn(CombineGroups);
registerDoFn(AddKey);
registerDoFn(DropKey);
