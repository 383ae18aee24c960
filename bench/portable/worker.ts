/** A worker pool in a process of its own, for the counter pipeline. Prints its address; ends when stdin does. */
import "./counter_pipeline.js";
import { startWorkerPool } from "../../beam/harness/worker_pool.js";

const pool = await startWorkerPool();
process.stdout.write(`${pool.endpoint}\n`);
process.stdin.resume().once("end", () => process.exit(0));
