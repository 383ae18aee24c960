/** The product, streaming, whose latency is measured. */

import { runDirect } from "../../../beam/runners/direct/direct_runner.js";
import type { Store } from "../../../beam/store/store.js";
import { registerMongoConnection } from "../../../connectors/mongodb/mongo_connections.js";
import { buildPipeline, MONGODB_CONNECTION } from "../../../pipeline/graph.js";
import { graphOptions, registerKafka } from "../pipeline.js";
import { runLiveProcess } from "./live_process.js";

export function joinLive(openStore: () => Promise<Store>): Promise<void> {
  return runLiveProcess(async (input) => {
    registerKafka(input);
    registerMongoConnection(MONGODB_CONNECTION, input.mongodbUri);
    const store = await openStore();
    const run = runDirect(buildPipeline(graphOptions(input, false)), { store });
    const stop = async (): Promise<void> => {
      await run.stop("keep");
      await store.close();
    };
    return { stop, failed: run.finished };
  });
}
