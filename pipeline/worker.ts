#!/usr/bin/env node
import { maskSecrets } from "@order-payment-stream/beam/io";
/** The worker that runners start, for the graph of this program; with `--worker_pool`, a pool of such workers. */
import { runWorkerProcess } from "@order-payment-stream/beam/worker";

import { EXIT_WRONG_SETTINGS } from "./commands/exit_codes.js";
import "./graph.js";
import { turnOffPretenuring } from "./pretenuring.js";
import { logOutput } from "./report/standard_output.js";
import { REFERABLE } from "./settings/dataflow_settings.js";
import { resolveSecrets } from "./settings/secret_references.js";
import {
  checkOthers,
  readPoolAdmission,
  readWorkerSettings,
  registerConnections,
} from "./settings/worker_settings.js";

const HELP = `Usage: node dist/pipeline/worker.js --worker_pool[=HOST:PORT]

Serves portable Beam runners that are given --environment_type=EXTERNAL --environment_config=HOST:PORT, until it is
stopped [127.0.0.1:50000]. With PROCESS or DOCKER, runners start it themselves, with --id and endpoints.

Environment, for a pool:
  KAFKA_BOOTSTRAP, MONGODB_URI, SCHEMA_REGISTRY_URL   the servers that its passwords are for; a job with others is refused
  KAFKA_SASL_PASSWORD and other passwords             taken from here; a job has none
  WORKER_POOL_TOKEN                                   everyone who presents it may have workers; without it, only users of this machine
  WORKER_POOL_RUNNERS                                 with a token: the hosts that may ask, separated by commas [any]

Examples:
  node dist/pipeline/worker.js --worker_pool
  order-payment-stream run --runner=flink --environment_type=EXTERNAL --environment_config=127.0.0.1:50000

Exit codes: 0 ended by a signal; 1 failed; 2 wrong usage.
`;
turnOffPretenuring();
const words = process.argv.slice(2);
if (words.length === 0 || words.some((word) => word === "-h" || word === "--help" || word === "help")) {
  (words.length === 0 ? process.stderr : process.stdout).write(HELP);
  process.exit(words.length === 0 ? EXIT_WRONG_SETTINGS : 0);
}

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
