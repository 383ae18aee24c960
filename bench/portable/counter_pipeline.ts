/** A stateful counter with a timer for each key, over elements made on the spot. counter_pipeline.py is the same. */

import { KVCoder } from "../../beam/model/coders/kv_coder.js";
import { StringUtf8Coder } from "../../beam/model/coders/string_utf8_coder.js";
import { VarintCoder } from "../../beam/model/coders/varint_coder.js";
import type { KV } from "../../beam/model/kv.js";
import type { Pipeline } from "../../beam/sdk/collection.js";
import {
  DoFn,
  type ElementContext,
  type StatefulContext,
  StatefulDoFn,
  type TimerContext,
} from "../../beam/sdk/do_fn.js";
import { createPipeline, impulse, parDo } from "../../beam/sdk/graph.js";
import { distribution } from "../../beam/sdk/metrics.js";
import { registerDoFn } from "../../beam/sdk/registry.js";
import { valueState } from "../../beam/sdk/state.js";
import { eventTimeTimer } from "../../beam/sdk/timer.js";

export interface CounterConfig {
  readonly [name: string]: number;
  readonly elements: number;
  readonly keys: number;
}

const REPORT_AT_MS = 1_000_000;
const counts = { main: new KVCoder(StringUtf8Coder.INSTANCE, VarintCoder.INSTANCE) };
type Counts = typeof counts;

class Generate extends DoFn<Uint8Array, Counts, CounterConfig> {
  static readonly urn = "bench:dofn:generate";
  override readonly outputs = counts;
  process(_impulse: Uint8Array, ctx: ElementContext<Counts>): void {
    const { elements, keys } = this.config;
    for (let i = 0; i < elements; i++) ctx.emit.main({ key: `key-${i % keys}`, value: i });
  }
}
registerDoFn(Generate);

const state = { count: valueState(VarintCoder.INSTANCE) };
const timers = { report: eventTimeTimer() };

class CountByKey extends StatefulDoFn<string, number, Counts, typeof state, typeof timers> {
  static readonly urn = "bench:dofn:count_by_key";
  override readonly outputs = counts;
  override readonly state = state;
  override readonly timers = timers;
  override readonly metrics = { reported: distribution() };
  override readonly onTimer = {
    report: (ctx: TimerContext<string, Counts, typeof state, typeof timers>): void => {
      const count = ctx.state.count.read() ?? 0;
      this.metrics.reported.update(count);
      ctx.emit.main({ key: ctx.key, value: count });
    },
  };

  process(_element: KV<string, number>, ctx: StatefulContext<Counts, typeof state, typeof timers>): void {
    ctx.state.count.write((ctx.state.count.read() ?? 0) + 1);
    ctx.timers.report.set(REPORT_AT_MS);
  }
}
registerDoFn(CountByKey);

export function counterPipeline(config: CounterConfig): Pipeline {
  const { pipeline, root } = createPipeline();
  const { main } = parDo("Generate", impulse("Impulse", root), new Generate(config));
  parDo("CountByKey", main, new CountByKey(null));
  return pipeline;
}
