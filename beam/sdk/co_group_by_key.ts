/**
 * Groups several keyed collections by their common key. Beam has no primitive for it: each element is tagged with the
 * number of its collection, all are flattened and grouped, and each pane is sorted into one array for each collection.
 */
import type { ByteReader, ByteWriter } from "../model/bytes.js";
import { CorruptBytesError } from "../model/bytes.js";
import type { Coder, CoderIds } from "../model/coders/coder.js";
import { KVCoder } from "../model/coders/kv_coder.js";
import { registerCoder } from "../model/coders/registry.js";
import type { KV } from "../model/kv.js";
import { DoFn, type ElementContext, type OutputSpecs } from "./do_fn.js";
import { applyParDo, type Collection, coderOf, composite, flattenAll, groupByKey } from "./graph.js";
import { registerDoFn } from "./registry.js";

/** A value with the number of the collection that it came from. */
interface Tagged {
  readonly tag: number;
  readonly value: unknown;
}

/** For each collection, the values of one key in one pane. */
export type CoGrouped<I extends Record<string, Collection<any>>> = {
  readonly [N in keyof I]: I[N] extends Collection<KV<any, infer V>> ? readonly V[] : never;
};
type KeyOf<I> = I[keyof I] extends Collection<KV<infer K, any>> ? K : never;

/**
 * All inputs must have the same key coder and windowing. Panes are as the trigger of that windowing says; the default
 * trigger emits nothing in the global window before its input ends.
 */
export function coGroupByKey<const I extends Record<string, Collection<KV<any, any>>>>(
  name: string,
  inputs: I,
): Collection<KV<KeyOf<I>, CoGrouped<I>>> {
  const names = Object.keys(inputs);
  return composite(name, inputs, (sources) => {
    const coders = names.map((input) => {
      const coder = coderOf(sources[input]!);
      if (!(coder instanceof KVCoder)) throw new TypeError(`${name}: ${input} is no collection of KVs`);
      return coder as KVCoder<any, any>;
    });
    const tagged = new KVCoder(coders[0]!.key, new UnionCoder(coders.map((coder) => coder.value)));
    const parts = names.map(
      (input, tag) =>
        applyParDo(`Tag ${input}`, sources[input]!, new TagUnion({ tag }), { main: tagged }).main!,
    );
    const grouped = groupByKey(
      "Group",
      flattenAll("Flatten", parts as [Collection<any>]) as Collection<KV<any, any>>,
    );
    const result = new KVCoder(
      coders[0]!.key,
      new CoGroupedCoder(
        names,
        coders.map((coder) => coder.value),
      ),
    );
    return applyParDo("Sort", grouped, new SortUnion({ names }), { main: result }).main!;
  }) as Collection<any>;
}

type Outputs = OutputSpecs & { readonly main: Coder<any> };

class TagUnion extends DoFn<KV<unknown, unknown>, Outputs, { tag: number }> {
  static readonly urn = "beam:dofn:ts:co_group_by_key_tag:v1";
  declare readonly outputs: Outputs;
  readonly #tag = this.config.tag;

  process(element: KV<unknown, unknown>, ctx: ElementContext<Outputs>): void {
    ctx.emit.main({ key: element.key, value: { tag: this.#tag, value: element.value } });
  }
}

const NOTHING: unknown[] = [];

class SortUnion extends DoFn<KV<unknown, Iterable<Tagged>>, Outputs, { names: string[] }> {
  static readonly urn = "beam:dofn:ts:co_group_by_key_sort:v1";
  declare readonly outputs: Outputs;
  readonly #names = this.config.names;
  /** What a pane is before it holds anything. Copied, it gives all panes one shape. */
  readonly #nothing: Record<string, unknown[]> = Object.fromEntries(
    this.#names.map((name) => [name, NOTHING]),
  );

  process(element: KV<unknown, Iterable<Tagged>>, ctx: ElementContext<Outputs>): void {
    const sorted = { ...this.#nothing };
    for (const { tag, value } of element.value) {
      const name = this.#names[tag]!;
      if (sorted[name] === NOTHING) sorted[name] = [value];
      else sorted[name]!.push(value);
    }
    ctx.emit.main({ key: element.key, value: sorted });
  }
}

registerDoFn(TagUnion);
registerDoFn(SortUnion);

/**
 *     varint tag | value, nested, by the coder with that number
 */
class UnionCoder implements Coder<Tagged> {
  static readonly URN = "beam:coder:ts:union:v1";
  readonly isDeterministic: boolean;

  constructor(private readonly coders: readonly Coder<any>[]) {
    this.isDeterministic = coders.every((coder) => coder.isDeterministic);
  }

  encode(tagged: Tagged, out: ByteWriter): void {
    out.writeVarint(tagged.tag);
    this.coders[tagged.tag]!.encode(tagged.value, out, "nested");
  }

  decode(input: ByteReader): Tagged {
    const tag = input.readVarint();
    const coder = this.coders[tag];
    if (coder === undefined) throw new CorruptBytesError(`union tag ${tag} of ${this.coders.length}`);
    return { tag, value: coder.decode(input, "nested") };
  }

  toProto(ids: CoderIds) {
    return {
      spec: { urn: UnionCoder.URN, payload: new Uint8Array() },
      componentCoderIds: this.coders.map((coder) => ids.getCoderId(coder)),
    };
  }
}

/**
 *     for each collection: varint count | values, nested
 *
 * The payload is the JSON array of the collections' names.
 */
class CoGroupedCoder implements Coder<Record<string, unknown[]>> {
  static readonly URN = "beam:coder:ts:co_grouped:v1";
  readonly isDeterministic: boolean;

  constructor(
    private readonly names: readonly string[],
    private readonly coders: readonly Coder<any>[],
  ) {
    this.isDeterministic = coders.every((coder) => coder.isDeterministic);
  }

  encode(grouped: Record<string, unknown[]>, out: ByteWriter): void {
    for (let i = 0; i < this.names.length; i++) {
      const values = grouped[this.names[i]!]!;
      out.writeVarint(values.length);
      for (const value of values) this.coders[i]!.encode(value, out, "nested");
    }
  }

  decode(input: ByteReader): Record<string, unknown[]> {
    const grouped: Record<string, unknown[]> = {};
    for (let i = 0; i < this.names.length; i++) {
      const values: unknown[] = [];
      for (let left = input.readVarint(); left > 0; left--)
        values.push(this.coders[i]!.decode(input, "nested"));
      grouped[this.names[i]!] = values;
    }
    return grouped;
  }

  toProto(ids: CoderIds) {
    return {
      spec: { urn: CoGroupedCoder.URN, payload: Buffer.from(JSON.stringify(this.names)) },
      componentCoderIds: this.coders.map((coder) => ids.getCoderId(coder)),
    };
  }
}

registerCoder(UnionCoder.URN, (_payload, components) => new UnionCoder(components));
registerCoder(
  CoGroupedCoder.URN,
  (payload, components) => new CoGroupedCoder(JSON.parse(Buffer.from(payload).toString("utf8")), components),
);
