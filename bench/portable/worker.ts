/**
 * A worker pool in a process of its own, for the counter pipeline. Prints its address, and at each line of stdin how
 * many state requests it has sent so far; ends when stdin does.
 */
import "./counter_pipeline.js";
import { createInterface } from "node:readline";
import { startWorkerPool } from "../../beam/harness/worker_pool.js";

const traffic = { stateRequests: 0 };
const pool = await startWorkerPool({ traffic });
process.stdout.write(`${pool.endpoint}\n`);
createInterface({ input: process.stdin })
  .on("line", () => process.stdout.write(`${traffic.stateRequests}\n`))
  .once("close", () => process.exit(0));
