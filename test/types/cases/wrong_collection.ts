import { StringUtf8Coder } from "../../../beam/model/coders/string_utf8_coder.js";
import type { KV } from "../../../beam/model/kv.js";
import { DoFn, type ElementContext, StatefulDoFn } from "../../../beam/sdk/do_fn.js";
import { type Collection, groupByKey, parDo } from "../../../beam/sdk/graph.js";
import type { OffsetRange } from "../../../beam/sdk/offset_range.js";
import type { SplittableDoFn } from "../../../beam/sdk/splittable.js";

const outputs = { main: StringUtf8Coder.INSTANCE };
const none = {};

class Shout extends DoFn<string, typeof outputs> {
  readonly outputs = outputs;
  process(element: string, ctx: ElementContext<typeof outputs>): void {
    ctx.emit.main(element.toUpperCase());
  }
}

class Count extends StatefulDoFn<string, number, typeof outputs, typeof none, typeof none> {
  readonly outputs = outputs;
  readonly state = none;
  readonly timers = none;
  readonly onTimer = none;
  process(_element: KV<string, number>): void {}
}

declare const read: SplittableDoFn<string, OffsetRange, number, typeof outputs>;
declare const texts: Collection<string>;
declare const numbers: Collection<number>;
declare const keyed: Collection<KV<string, number>>;
declare const keyedByNumber: Collection<KV<number, number>>;

// error: A stateful DoFn needs a keyed collection: its elements must be KV<K, V>
parDo("Count", texts, new Count(null));
// error: This stateful DoFn reads KVs of other types than this collection holds
parDo("Count", keyedByNumber, new Count(null));
// error: This DoFn reads other elements than this collection holds
parDo("Shout", numbers, new Shout(null));
// error: This splittable DoFn reads other elements than this collection holds
parDo("Read", numbers, read);
// error: is not assignable to parameter of type
groupByKey("Group", texts);
// error: Property 'other' does not exist on type
parDo("Shout", texts, new Shout(null)).other;
// error: type 'OutputCollections
const lengths: Collection<number> = parDo("Shout", texts, new Shout(null));
// error: is not assignable to type 'Collection<number>'
const mistaken: Collection<number> = parDo("Shout", texts, new Shout(null)).main;
// error: is not assignable to parameter of type
parDo("Nothing", texts, { process: () => undefined });
