import { StringUtf8Coder } from "../../../beam/model/coders/string_utf8_coder.js";
import { VarintCoder } from "../../../beam/model/coders/varint_coder.js";
import type { KV } from "../../../beam/model/kv.js";
import { type StatefulContext, StatefulDoFn } from "../../../beam/sdk/do_fn.js";
import { bagState, mapState, valueState } from "../../../beam/sdk/state.js";

const outputs = {};
const timers = {};
const state = {
  count: valueState(VarintCoder.INSTANCE),
  names: bagState(StringUtf8Coder.INSTANCE),
  byName: mapState(StringUtf8Coder.INSTANCE, VarintCoder.INSTANCE),
};

export class Wrong extends StatefulDoFn<string, number, typeof outputs, typeof state, typeof timers> {
  readonly outputs = outputs;
  readonly state = state;
  readonly timers = timers;
  readonly onTimer = {};
  process(element: KV<string, number>, ctx: StatefulContext<typeof outputs, typeof state, typeof timers>): void {
    // error: Property 'total' does not exist on type
    ctx.state.total.write(1);
    // error: Argument of type 'string' is not assignable to parameter of type 'number'
    ctx.state.count.write(element.key);
    // error: Argument of type 'number' is not assignable to parameter of type 'string'
    ctx.state.names.add(element.value);
    // error: Argument of type 'string' is not assignable to parameter of type 'number'
    ctx.state.byName.set(element.key, element.key);
    // error: Property 'add' does not exist on type 'ValueState<number>'
    ctx.state.count.add(1);
    // error: Type 'number | undefined' is not assignable to type 'number'
    const sure: number = ctx.state.count.read();
    // error: Property 'later' does not exist on type
    ctx.timers.later.set(1);
  }
}
