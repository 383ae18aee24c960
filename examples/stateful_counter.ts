/**
 * State: tells with each word how often it has come so far.
 *
 *     npm run build && npx tsx examples/stateful_counter.ts --runner=direct
 */
import * as beam from "@order-payment-stream/beam";
import { print, run } from "./run.js";

const keyed = { main: beam.coders.kv(beam.coders.string, beam.coders.string) };

/** State belongs to a key, so each word becomes one. */
class KeyByWord extends beam.DoFn<string, typeof keyed> {
  static readonly urn = "example:key_by_word:v1";
  readonly outputs = keyed;
  process(word: string, ctx: beam.ElementContext<typeof keyed>): void {
    ctx.emit.main({ key: word.toLowerCase(), value: word });
  }
}
beam.registerDoFn(KeyByWord);

const counts = { main: beam.coders.string };
const state = { count: beam.valueState(beam.coders.int) };
const timers = {};

class CountWords extends beam.StatefulDoFn<string, string, typeof counts, typeof state, typeof timers> {
  static readonly urn = "example:count_words:v1";
  readonly outputs = counts;
  readonly state = state;
  readonly timers = timers;
  readonly onTimer = {};
  process(
    { key }: beam.KV<string, string>,
    ctx: beam.StatefulContext<typeof counts, typeof state, typeof timers>,
  ): void {
    const count = (ctx.state.count.read() ?? 0) + 1;
    ctx.state.count.write(count);
    ctx.emit.main(`${key} ${count}`);
  }
}
beam.registerDoFn(CountWords);

const { pipeline, root } = beam.createPipeline();
const words = beam.create(
  "Words",
  root,
  "To be or not to be that is the question".split(" "),
  beam.coders.string,
);
print(
  "Print",
  beam.parDo("Count", beam.parDo("Key", words, new KeyByWord(null)).main, new CountWords(null)).main,
);
await run(pipeline);
