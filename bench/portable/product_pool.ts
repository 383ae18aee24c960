/**
 * A pool that starts a process for each worker, as Beam's Python SDK does. Prints its address, and at each line of stdin
 * what its workers have taken that have ended since the line before; ends when stdin does.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type StartedWorker, startWorkerPool, type WantedWorker } from "../../beam/harness/worker_pool.js";
import type { WorkerFigures } from "./product_worker.js";

const WORKER = fileURLToPath(new URL("product_worker.js", import.meta.url));

const running = new Set<Promise<void>>();
let ended: WorkerFigures[] = [];
const pool = await startWorkerPool({ startWorker });
process.stdout.write(`${pool.endpoint}\n`);
createInterface({ input: process.stdin })
  .on("line", async () => {
    await Promise.all(running);
    process.stdout.write(`${JSON.stringify(ended)}\n`);
    ended = [];
  })
  .once("close", async () => {
    await pool.close();
    process.exit(0);
  });

function startWorker({ id, controlEndpoint, provisionEndpoint }: WantedWorker): StartedWorker {
  const args = [
    `--id=${id}`,
    `--control_endpoint=${controlEndpoint}`,
    `--provision_endpoint=${provisionEndpoint}`,
  ];
  const child = fork(WORKER, args, { stdio: ["ignore", 2, 2, "ipc"], execArgv: process.execArgv });
  child.once("message", (figures) => ended.push(figures as WorkerFigures));
  const finished = once(child, "exit").then(() => {
    running.delete(finished);
  });
  running.add(finished);
  return { stop: () => child.kill("SIGTERM"), finished };
}
