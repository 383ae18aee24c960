/** The product from files to a sink that counts, with state in memory. */
import { runDirect } from "../../beam/runners/direct/direct_runner.js";
import { MemoryStore } from "../../beam/store/memory_store.js";
import { registerFilesConnection } from "../../connectors/files/files_connection.js";
import { buildPipeline, FILES_CONNECTION } from "../../pipeline/graph.js";
import { peakRssBytes } from "../subject.js";
import { countResults } from "./counting_sink.js";
import { COLLECTIONS } from "./pipeline.js";

export interface FilesInput {
  readonly folder: string;
}

export interface FilesResult {
  readonly events: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakRssBytes: number;
  /** As stored. */
  readonly bytes: number;
  readonly pairs: number;
}

const { folder } = JSON.parse(process.argv[2]!) as FilesInput;
registerFilesConnection(FILES_CONNECTION);
const options = {
  orderTopic: "orders",
  paymentTopic: "payments",
  orderFiles: `${folder}/orders/*.avro`,
  paymentFiles: `${folder}/payments/*.avro`,
  isBounded: true,
  start: "earliest",
  groupId: undefined,
  timeoutMs: 15 * 60_000,
  maxOutOfOrdernessMs: 30_000,
  maxAheadOfClockMs: null,
  database: "bench",
  joinedCollection: COLLECTIONS.joined,
  unmatchedCollection: COLLECTIONS.unmatched,
  deadLetterCollection: COLLECTIONS.deadLetters,
} as const;
const pipeline = buildPipeline(options, countResults);
const before = process.cpuUsage();
const startMs = performance.now();
const run = runDirect(pipeline, { store: new MemoryStore() });
await run.finished;
const seconds = (performance.now() - startMs) / 1000;
const { user, system } = process.cpuUsage(before);
const result: FilesResult = {
  events: run.metrics.counter("records"),
  seconds,
  cpuSeconds: (user + system) / 1e6,
  peakRssBytes: peakRssBytes(),
  bytes: run.metrics.counter("bytes"),
  pairs: run.metrics.counter("counted", "CountJoined"),
};
process.stdout.write(`${JSON.stringify(result)}\n`);
