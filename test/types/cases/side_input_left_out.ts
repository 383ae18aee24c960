// A DoFn with side inputs gets a collection for each, of what it declares.
import { KVCoder } from "../../../beam/model/coders/kv_coder.js";
import { StringUtf8Coder } from "../../../beam/model/coders/string_utf8_coder.js";
import { VarintCoder } from "../../../beam/model/coders/varint_coder.js";
import type { KV } from "../../../beam/model/kv.js";
import { type SideInputContext, SideInputDoFn } from "../../../beam/sdk/do_fn.js";
import { type Collection, parDo } from "../../../beam/sdk/graph.js";
import { listView, mapView } from "../../../beam/sdk/side_input.js";

const outputs = { main: VarintCoder.INSTANCE };
const sideInputs = {
  prices: mapView(new KVCoder(StringUtf8Coder.INSTANCE, VarintCoder.INSTANCE)),
  taxes: listView(VarintCoder.INSTANCE),
};

class Price extends SideInputDoFn<string, typeof outputs, typeof sideInputs> {
  readonly outputs = outputs;
  readonly sideInputs = sideInputs;
  process(item: string, { side, emit }: SideInputContext<typeof outputs, typeof sideInputs>): void {
    const price: number | undefined = side.prices.get(item);
    emit.main((price ?? 0) + side.taxes.length);
    // error: Property 'rates' does not exist
    side.rates;
  }
}

declare const items: Collection<string>;
declare const prices: Collection<KV<string, number>>;
declare const taxes: Collection<number>;

const priced: Collection<number> = parDo("Price", items, new Price(null), { prices, taxes }).main;
// error: Expected 4 arguments, but got 3
parDo("None", items, new Price(null));
// error: Property 'taxes' is missing
parDo("One", items, new Price(null), { prices });
// error: is not assignable to type
parDo("Other", items, new Price(null), { prices: items, taxes });
