/** How much of a core the product uses when nothing arrives: both topics read to their end, state on disk, a stream. */
import { runDirect } from "../../../beam/runners/direct/direct_runner.js";
import { kafkaConnections } from "../../../connectors/kafka/kafka_connections.js";
import { buildPipeline, KAFKA_CONNECTION } from "../../../pipeline/graph.js";
import type { SubjectInput } from "../../subject.js";
import { countResults } from "../counting_sink.js";
import { graphOptions, registerKafka } from "../pipeline.js";
import { openStateDirectory } from "../state_directory.js";

/** What waits expires meanwhile, V8 collects what the read has left, and compiles what an idle run does. */
const SETTLE_MS = 120_000;
const MEASURED_MS = 60_000;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const input = JSON.parse(process.argv[2]!) as SubjectInput;
registerKafka(input);
await kafkaConnections.acquire(KAFKA_CONNECTION);
const store = await openStateDirectory();
const run = runDirect(buildPipeline(graphOptions(input, false), countResults), { store });
const { orders, payments } = input.expected;
while (run.metrics.counter("records") < orders + payments) await sleep(100);
await sleep(SETTLE_MS);
const before = process.cpuUsage();
await sleep(MEASURED_MS);
const { user, system } = process.cpuUsage(before);
process.stdout.write(`${JSON.stringify({ coreShare: (user + system) / 1000 / MEASURED_MS })}\n`);
run.stop("keep");
await run.finished;
await kafkaConnections.release(KAFKA_CONNECTION);
await store.close();
