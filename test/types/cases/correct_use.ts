// Everything here compiles.
import type { Root } from "../../../beam/sdk/collection.js";
import { KVCoder } from "../../../beam/model/coders/kv_coder.js";
import { StringUtf8Coder } from "../../../beam/model/coders/string_utf8_coder.js";
import { VarintCoder } from "../../../beam/model/coders/varint_coder.js";
import type { KV } from "../../../beam/model/kv.js";
import { coGroupByKey } from "../../../beam/sdk/co_group_by_key.js";
import { create } from "../../../beam/sdk/create.js";
import {
  DoFn,
  type ElementContext,
  type StatefulContext,
  StatefulDoFn,
  type TimerContext,
} from "../../../beam/sdk/do_fn.js";
import { type Collection, flattenAll, groupByKey, parDo } from "../../../beam/sdk/graph.js";
import { bagState, mapState, valueState } from "../../../beam/sdk/state.js";
import { TestStream } from "../../../beam/sdk/test_stream.js";
import { eventTimeTimer, processingTimeTimer } from "../../../beam/sdk/timer.js";

const strings = StringUtf8Coder.INSTANCE;
const ints = VarintCoder.INSTANCE;
const outputs = { lengths: ints, texts: strings };
type Outputs = typeof outputs;

class Measure extends DoFn<string, Outputs, { readonly min: number }> {
  readonly outputs = outputs;
  process(element: string, ctx: ElementContext<Outputs>): void {
    if (element.length >= this.config.min) ctx.emit.lengths(element.length);
    ctx.emit.texts(element, ctx.timestamp + 1);
  }
}

const state = { last: valueState(ints), all: bagState(strings), counts: mapState(strings, ints) };
const timers = { end: eventTimeTimer(), soon: processingTimeTimer() };
type Fired = TimerContext<string, Outputs, typeof state, typeof timers>;

class Remember extends StatefulDoFn<string, number, Outputs, typeof state, typeof timers> {
  readonly outputs = outputs;
  readonly state = state;
  readonly timers = timers;
  readonly onTimer = {
    end: (ctx: Fired) => ctx.emit.texts(ctx.key),
    soon: (ctx: Fired) => ctx.state.all.clear(),
  };
  process({ key, value }: KV<string, number>, ctx: StatefulContext<Outputs, typeof state, typeof timers>): void {
    const last: number | undefined = ctx.state.last.read();
    ctx.state.last.write((last ?? 0) + value);
    ctx.state.all.add(key);
    ctx.state.counts.set(key, ctx.state.all.read().length);
    ctx.timers.end.set(ctx.timestamp + 10, "a tag", ctx.timestamp);
    ctx.timers.soon.clear();
  }
}

declare const root: Root;
declare const texts: Collection<string>;
declare const keyed: Collection<KV<string, number>>;

const created: Collection<KV<string, number>> = create("Create", root, [{ key: "k", value: 1 }], new KVCoder(strings, ints));
const measured = parDo("Measure", texts, new Measure({ min: 1 }));
const lengths: Collection<number> = measured.lengths;
const both: Collection<string> = flattenAll("Both", [texts, measured.texts]);
const remembered: Collection<string> = parDo("Remember", keyed, new Remember(null)).texts;
const grouped: Collection<KV<string, Iterable<number>>> = groupByKey("Group", keyed);
const joined: Collection<KV<string, { readonly a: readonly number[]; readonly b: readonly number[] }>> = coGroupByKey("Join", {
  a: keyed,
  b: keyed,
});
const stream: TestStream<KV<string, number>> = new TestStream(new KVCoder(strings, ints)).add([
  { key: "k", value: 1 },
  0,
]);
