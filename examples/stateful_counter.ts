/**
 * State: tells with each word how often it has come so far.
 *
 *     npm run build && npx tsx examples/stateful_counter.ts --runner=direct
 */
import * as beam from "@order-payment-stream/beam";
import { print, run } from "./run.js";

/** State belongs to a key, so each word becomes one. */
const word = beam.keyFn("example:word:v1", beam.coders.string, (text: string) => text.toLowerCase());

const countWords = beam.defineStatefulDoFn({
  urn: "example:count_words:v1",
  outputs: { counts: beam.coders.string },
  state: { count: beam.valueState(beam.coders.int) },
  process({ key }: beam.KV<string, string>, { state, emit }) {
    const count = (state.count.read() ?? 0) + 1;
    state.count.write(count);
    emit.counts(`${key} ${count}`);
  },
});

const { pipeline, root } = beam.createPipeline();
const words = "To be or not to be that is the question".split(" ");
const input = beam.create("Words", root, words, beam.coders.string);
const { counts } = beam.parDo("Count", beam.withKeys("Key", input, word), countWords());
print("Print", counts);
await run(pipeline);
