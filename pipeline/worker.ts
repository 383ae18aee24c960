#!/usr/bin/env node
import { maskSecrets } from "@order-payment-stream/beam/io";
/** The worker that runners start, for the graph of this program; with `--worker_pool`, a pool of such workers. */
import { runWorkerProcess } from "@order-payment-stream/beam/worker";

import "./graph.js";
import { logOutput } from "./report/standard_output.js";
import { REFERABLE } from "./settings/dataflow_settings.js";
import { resolveSecrets } from "./settings/secret_references.js";
import {
  checkOthers,
  readPoolAdmission,
  readWorkerSettings,
  registerConnections,
} from "./settings/worker_settings.js";

// A pool works for whoever may ask it, and its account's secrets are not for all of them.
const isPool = process.argv.some((argument) => argument.startsWith("--worker_pool"));

try {
  await runWorkerProcess(process.argv.slice(2), {
    prepare: async (options, log, others) => {
      const resolved = isPool ? options : await resolveSecrets(options, REFERABLE);
      const settings = readWorkerSettings(resolved, process.env, isPool);
      checkOthers(settings, others);
      registerConnections(settings, log);
    },
    admission: readPoolAdmission,
  });
} catch (error) {
  logOutput.write(`${maskSecrets((error as Error).message)}\n`);
  process.exitCode = 1;
}
// Connections that linger must not keep a worker that has ended.
process.exit();
