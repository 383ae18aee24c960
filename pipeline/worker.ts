#!/usr/bin/env node
/** The worker that runners start, for the graph of this program. */
import { runWorkerProcess } from "../beam/harness/worker_process.js";
import "./graph.js";
import { logOutput } from "./standard_output.js";
import { readWorkerSettings, registerConnections } from "./worker_settings.js";

try {
  await runWorkerProcess(process.argv.slice(2), {
    prepare: (options, log) => registerConnections(readWorkerSettings(options), log),
  });
} catch (error) {
  logOutput.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
// Connections that linger must not keep a worker that has ended.
process.exit();
