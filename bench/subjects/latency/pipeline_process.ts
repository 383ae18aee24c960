/** The product, streaming, whose latency is measured. */
import { registerMongoConnection } from "../../../beam/io/mongodb/mongo_connections.js";
import { runDirect } from "../../../beam/runners/direct/direct_runner.js";
import { buildPipeline, MONGODB_CONNECTION } from "../../../pipeline/graph.js";
import { graphOptions, registerKafka } from "../pipeline.js";
import { runLiveProcess } from "./live_process.js";

await runLiveProcess(async (input) => {
  registerKafka(input);
  registerMongoConnection(MONGODB_CONNECTION, input.mongodbUri);
  const run = runDirect(buildPipeline(graphOptions(input, false)));
  return { stop: () => run.stop("keep"), failed: run.finished };
});
