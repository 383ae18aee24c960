/**
 * Groups several keyed collections by their common key. Beam has no primitive for it: each element is tagged with the
 * name of its collection, and all are flattened and grouped. A pane is what came, with its tags, or sorted into one
 * array for each collection by one step more. Where a runner groups for the workers, that step is a stage of its own
 * when what follows has state: each pane then makes the way from the runner to a worker and back once more.
 */
import type { ByteReader, ByteWriter } from "../model/bytes.js";
import { CorruptBytesError } from "../model/bytes.js";
import type { Coder, CoderIds, Context } from "../model/coders/coder.js";
import { KVCoder } from "../model/coders/kv_coder.js";
import { registerCoder } from "../model/coders/registry.js";
import type { KV } from "../model/kv.js";
import { DoFn, type ElementContext, type OutputSpecs } from "./do_fn.js";
import { applyParDo, type Collection, coderOf, composite, flattenAll, groupByKey } from "./graph.js";
import { registerDoFn } from "./registry.js";

/** Annotation of a group behind which nobody looks at which pane of its key a value came in. */
export const PANES_UNSEEN = "beam:ts:panes_unseen:v1";
/** The step that takes the place of a group whose panes are of one element each. */
export const PANE_OF_ONE_URN = "beam:dofn:ts:pane_of_one:v1";

/** A value with the name of the collection that it came from. */
interface TaggedValue {
  readonly tag: string;
  readonly value: unknown;
}

/** A value of an unsorted group, with the name of the collection that it comes from. */
export type Tagged<I extends Record<string, Collection<any>>> = {
  readonly [N in keyof I & string]: I[N] extends Collection<KV<any, infer V>>
    ? { readonly tag: N; readonly value: V }
    : never;
}[keyof I & string];
/** For each collection, the values of one key in one pane. */
export type CoGrouped<I extends Record<string, Collection<any>>> = {
  readonly [N in keyof I]: I[N] extends Collection<KV<any, infer V>> ? readonly V[] : never;
};
type KeyOf<I> = I[keyof I] extends Collection<KV<infer K, any>> ? K : never;
type Inputs = Record<string, Collection<KV<any, any>>>;

/**
 * All inputs must have the same key coder and windowing. The trigger of that windowing decides the panes; in the
 * global window, the default trigger emits nothing before the input ends.
 */
export function coGroupByKey<const I extends Inputs>(
  name: string,
  inputs: I,
): Collection<KV<KeyOf<I>, CoGrouped<I>>> {
  return composite(name, inputs, (sources) => {
    const coders = coderOfEach(name, sources);
    const names = Object.keys(sources);
    const result = new KVCoder(
      coders[0]!.key,
      new CoGroupedCoder(
        names,
        coders.map((coder) => coder.value),
      ),
    );
    return applyParDo("Sort", grouped(sources, coders), new SortUnion({ names }), { main: result }).main!;
  }) as Collection<any>;
}

/**
 * As `coGroupByKey`, but with the values of a pane in the order in which they arrived, each with the name of its
 * collection. For a following stateful DoFn that takes values one by one: there is then no step between the group
 * and the DoFn. That DoFn should not look at `ctx.pane`: where each value is a pane of its own, the group may be
 * left out, and panes are not counted.
 */
export function coGroupTagged<const I extends Inputs>(
  name: string,
  inputs: I,
): Collection<KV<KeyOf<I>, Iterable<Tagged<I>>>> {
  return composite(name, inputs, (sources) =>
    grouped(sources, coderOfEach(name, sources), [PANES_UNSEEN]),
  ) as Collection<any>;
}

function coderOfEach(name: string, inputs: Inputs): KVCoder<any, any>[] {
  return Object.entries(inputs).map(([input, collection]) => {
    const coder = coderOf(collection);
    if (!(coder instanceof KVCoder)) throw new TypeError(`${name}: ${input} is not a collection of KVs`);
    return coder as KVCoder<any, any>;
  });
}

function grouped(
  inputs: Inputs,
  coders: readonly KVCoder<any, any>[],
  annotations: readonly string[] = [],
): Collection<KV<any, any>> {
  const names = Object.keys(inputs);
  const tagged = new KVCoder(
    coders[0]!.key,
    new UnionCoder(
      names,
      coders.map((coder) => coder.value),
    ),
  );
  const parts = names.map(
    (tag) => applyParDo(`Tag ${tag}`, inputs[tag]!, new TagUnion({ tag }), { main: tagged }).main!,
  );
  const all = flattenAll("Flatten", parts as [Collection<any>]) as Collection<KV<any, any>>;
  return groupByKey("Group", all, annotations);
}

type Outputs = OutputSpecs & { readonly main: Coder<any> };

class TagUnion extends DoFn<KV<unknown, unknown>, Outputs, { tag: string }> {
  static readonly urn = "beam:dofn:ts:co_group_by_key_tag:v1";
  declare readonly outputs: Outputs;
  readonly #tag = this.config.tag;

  process(element: KV<unknown, unknown>, ctx: ElementContext<Outputs>): void {
    ctx.emit.main({ key: element.key, value: { tag: this.#tag, value: element.value } });
  }
}

const NOTHING: unknown[] = [];

class SortUnion extends DoFn<KV<unknown, Iterable<TaggedValue>>, Outputs, { names: string[] }> {
  static readonly urn = "beam:dofn:ts:co_group_by_key_sort:v1";
  declare readonly outputs: Outputs;
  /** What a pane is before it holds anything. Copied, it gives all panes one shape. */
  readonly #nothing: Record<string, unknown[]> = Object.fromEntries(
    this.config.names.map((name) => [name, NOTHING]),
  );

  process(element: KV<unknown, Iterable<TaggedValue>>, ctx: ElementContext<Outputs>): void {
    const sorted = { ...this.#nothing };
    for (const { tag, value } of element.value) {
      if (sorted[tag] === NOTHING) sorted[tag] = [value];
      else sorted[tag]!.push(value);
    }
    ctx.emit.main({ key: element.key, value: sorted });
  }
}

class PaneOfOne extends DoFn<KV<unknown, unknown>, Outputs> {
  static readonly urn = PANE_OF_ONE_URN;
  declare readonly outputs: Outputs;
  /** A group has one output, whatever it is called. */
  #emit: ElementContext<Outputs>["emit"]["main"] | undefined;

  process({ key, value }: KV<unknown, unknown>, ctx: ElementContext<Outputs>): void {
    this.#emit ??= Object.values(ctx.emit)[0]!;
    this.#emit({ key, value: [value] });
  }
}

registerDoFn(TagUnion);
registerDoFn(SortUnion);
registerDoFn(PaneOfOne);

/** A pane of one value, as that value: what is brought into the shape of a group costs no count and no list on the wire. */
export class PaneOfOneCoder implements Coder<readonly unknown[]> {
  static readonly URN = "beam:coder:ts:pane_of_one:v1";
  readonly isDeterministic: boolean;

  constructor(private readonly value: Coder<any>) {
    this.isDeterministic = value.isDeterministic;
  }

  encode([value]: readonly unknown[], out: ByteWriter, context: Context): void {
    this.value.encode(value, out, context);
  }

  decode(input: ByteReader, context: Context): readonly unknown[] {
    return [this.value.decode(input, context)];
  }

  toProto(ids: CoderIds) {
    return {
      spec: { urn: PaneOfOneCoder.URN, payload: new Uint8Array() },
      componentCoderIds: [ids.getCoderId(this.value)],
    };
  }
}

/**
 *     varint number of the collection | value, nested, by the coder with that number
 *
 * The payload is the JSON array of the collections' names.
 */
class UnionCoder implements Coder<TaggedValue> {
  static readonly URN = "beam:coder:ts:union:v2";
  readonly isDeterministic: boolean;

  constructor(
    private readonly names: readonly string[],
    private readonly coders: readonly Coder<any>[],
  ) {
    this.isDeterministic = coders.every((coder) => coder.isDeterministic);
  }

  encode({ tag, value }: TaggedValue, out: ByteWriter): void {
    const number = this.names.indexOf(tag);
    out.writeVarint(number);
    this.coders[number]!.encode(value, out, "nested");
  }

  decode(input: ByteReader): TaggedValue {
    const number = input.readVarint();
    const tag = this.names[number];
    if (tag === undefined) throw new CorruptBytesError(`union tag ${number} of ${this.names.length}`);
    return { tag, value: this.coders[number]!.decode(input, "nested") };
  }

  toProto(ids: CoderIds) {
    return {
      spec: { urn: UnionCoder.URN, payload: namesToBytes(this.names) },
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
      spec: { urn: CoGroupedCoder.URN, payload: namesToBytes(this.names) },
      componentCoderIds: this.coders.map((coder) => ids.getCoderId(coder)),
    };
  }
}

function namesToBytes(names: readonly string[]): Uint8Array {
  return Buffer.from(JSON.stringify(names));
}

function namesFromBytes(bytes: Uint8Array): string[] {
  return JSON.parse(Buffer.from(bytes).toString("utf8"));
}

registerCoder(PaneOfOneCoder.URN, (_payload, [value]) => new PaneOfOneCoder(value!));
registerCoder(UnionCoder.URN, (payload, components) => new UnionCoder(namesFromBytes(payload), components));
registerCoder(
  CoGroupedCoder.URN,
  (payload, components) => new CoGroupedCoder(namesFromBytes(payload), components),
);
