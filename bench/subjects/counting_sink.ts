/** Ends a collection: counts what comes. */
import { DoFn } from "../../beam/sdk/do_fn.js";
import { flattenAll, parDo } from "../../beam/sdk/graph.js";
import { counter } from "../../beam/sdk/metrics.js";
import { registerDoFn } from "../../beam/sdk/registry.js";
import type { Results } from "../../pipeline/graph.js";

class CountingSink extends DoFn<unknown, Record<never, never>> {
  static readonly urn = "order-payment-stream:bench:counting_sink:v1";
  readonly outputs = {};
  /** As the real sinks, so that a durable store has the same to do. */
  override readonly needsStableInput = true;
  override readonly metrics = { counted: counter() };

  process(): void {
    this.metrics.counted.inc();
  }
}
registerDoFn(CountingSink);

/** A counting sink in place of each collection of MongoDB. */
export function countResults({ joined, unmatched, deadLetters }: Results): void {
  parDo("CountJoined", joined, new CountingSink(null));
  parDo("CountUnmatched", unmatched, new CountingSink(null));
  parDo("CountDeadLetters", flattenAll("DeadLetters", deadLetters), new CountingSink(null));
}
