/** Workers: run bundles for a portable runner, as a process of their own, a pool of them, or in this process. */
import "./only_copy.js";

export type { PoolAdmission } from "./harness/pool_admission.js";
export type { WorkerLog } from "./harness/worker_log.js";
export { startWorkerPool } from "./harness/worker_pool.js";
export { runWorkerProcess, type WorkerFlags, type WorkerProgram } from "./harness/worker_process.js";
