/** How late the product's pairs come to a sink: where state is synced, after the commit that they belong to. */

import { runDirect } from "../../beam/runners/direct/direct_runner.js";
import { DoFn } from "../../beam/sdk/do_fn.js";
import { flattenAll, parDo } from "../../beam/sdk/graph.js";
import { registerDoFn } from "../../beam/sdk/registry.js";
import { MemoryStore } from "../../beam/store/memory_store.js";
import { buildPipeline, type Results } from "../../pipeline/graph.js";
import type { Pair } from "../../transforms/outcomes.js";
import { graphOptions, registerKafka } from "../subjects/pipeline.js";
import { openStateDirectory } from "../subjects/state_directory.js";
import { LatencyCounts, type LiveInput } from "./latencies.js";

export interface LivePipelineInput extends LiveInput {
  readonly isSynced: boolean;
}

const input = JSON.parse(process.argv[2]!) as LivePipelineInput;
const latencies = new LatencyCounts(input);

class LatencySink extends DoFn<Pair, Record<never, never>> {
  static readonly urn = "order-payment-stream:bench:latency_sink:v1";
  readonly outputs = {};
  override readonly needsStableInput = true;

  process({ payment }: Pair): void {
    latencies.add(payment.created_at);
  }
}
registerDoFn(LatencySink);

class Nowhere extends DoFn<unknown, Record<never, never>> {
  static readonly urn = "order-payment-stream:bench:nowhere:v1";
  readonly outputs = {};

  process(): void {}
}
registerDoFn(Nowhere);

registerKafka(input);
const pipeline = buildPipeline(graphOptions(input, false), ({ joined, unmatched, deadLetters }: Results) => {
  parDo("Joined", joined, new LatencySink(null));
  parDo("Unmatched", unmatched, new Nowhere(null));
  parDo("DeadLetters", flattenAll("AllDeadLetters", deadLetters), new Nowhere(null));
});
const store = input.isSynced ? await openStateDirectory() : new MemoryStore();
const run = runDirect(pipeline, { store });
run.finished.catch((error) => {
  console.error(error);
  process.exit(1);
});
const counted = await latencies.collected();
await run.stop("keep");
await store.close();
process.stdout.write(`${JSON.stringify({ latencies: counted })}\n`, () => process.exit(0));
