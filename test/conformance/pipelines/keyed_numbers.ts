/** The input of most conformance pipelines: numbers under texts as keys, bounded or played step by step. */
import type { KV } from "../../../beam/model/kv.js";
import { create } from "../../../beam/sdk/create.js";
import type { Collection } from "../../../beam/sdk/graph.js";
import { keyedInts } from "../../unit/beam/runners/small_graphs.js";
import type { GraphUnderTest } from "../conformance_pipeline.js";
import type { ScriptedStream } from "../scripted_stream.js";

export type Keyed = KV<string, number>;

/**
 * The unit of event time where a stream is played: some runners round the watermark of a splittable DoFn to seconds.
 */
export const S = 1_000;

/** Elements as [key, value, timestamp]; without a timestamp they are at the beginning of time. */
export function keyedNumbers(
  graph: GraphUnderTest,
  elements: readonly (readonly [string, number, number?])[],
  name = "Numbers",
): Collection<Keyed> {
  const values = elements.map(([key, value]) => ({ key, value }));
  const timestamps = elements.some(([, , timestamp]) => timestamp !== undefined)
    ? elements.map(([, , timestamp]) => timestamp!)
    : undefined;
  return create(name, graph.root, values, keyedInts, timestamps);
}

/** Its times are to be multiples of S. */
export function keyedStream(graph: GraphUnderTest, name = "Stream"): ScriptedStream<Keyed> {
  return graph.stream(name, keyedInts);
}
