/** A worker of the product's graph, started by product_pool.ts, which it tells at its end what it took. */
import { runWorkerProcess } from "../../beam/harness/worker_process.js";
import { registerMongoConnection } from "../../connectors/mongodb/mongo_connections.js";
import { MONGODB_CONNECTION } from "../../pipeline/graph.js";
import { peakRssBytes, type SubjectInput } from "../subject.js";
import "../subjects/counting_sink.js";
import { registerKafka } from "../subjects/pipeline.js";

/** What a worker has taken. */
export interface WorkerFigures {
  readonly stateRequests: number;
  readonly peakBytes: number;
}

// The pool ends it when the job is over, which it knows by itself: its last words come first.
process.on("SIGTERM", () => undefined);
const input = JSON.parse(process.env.BENCH_INPUT!) as SubjectInput;
const traffic = { stateRequests: 0 };
await runWorkerProcess(process.argv.slice(2), {
  traffic,
  prepare: () => {
    registerKafka(input);
    registerMongoConnection(MONGODB_CONNECTION, input.mongodbUri);
  },
});
const figures: WorkerFigures = { stateRequests: traffic.stateRequests, peakBytes: peakRssBytes() };
process.send!(figures, () => process.exit(0));
