/** Simulates many seeds on all cores, in a process each: what the checkers watch is global to a process. */
import { type ChildProcess, fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { FROM_SOURCE } from "../fixtures/from_source.js";
import type { GenerateOptions } from "./generate_scenario.js";
import type { SeedRequest } from "./seed_worker.js";
import type { SimulationResult } from "./simulation.js";

const WORKER = fileURLToPath(new URL("./seed_worker.ts", import.meta.url));
const SEEDS_AT_ONCE = 10;

export interface PoolOptions extends GenerateOptions {
  readonly from: number;
  readonly count: number;
  /** Ends early when this many seeds have failed. */
  readonly failuresMax: number;
}

/** What many runs have seen. */
export interface Totals {
  seeds: number;
  events: number;
  steps: number;
  commits: number;
  crashes: number;
  failures: number;
  faults: Record<string, number>;
  readonly failed: SimulationResult[];
}

/** @param onResult is called for each seed, in no particular order */
export async function simulateSeeds(
  { from, count, failuresMax, ...options }: PoolOptions,
  onResult: (result: SimulationResult) => void = () => undefined,
): Promise<Totals> {
  const totals: Totals = {
    seeds: 0,
    events: 0,
    steps: 0,
    commits: 0,
    crashes: 0,
    failures: 0,
    faults: {},
    failed: [],
  };
  let next = from;
  const end = from + count;
  const work = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker: ChildProcess = fork(WORKER, { execArgv: [...FROM_SOURCE] });
      let isDone = false;
      const ask = (): void => {
        if (next >= end || totals.failed.length >= failuresMax) {
          isDone = true;
          worker.kill();
          return;
        }
        const request: SeedRequest = { from: next, count: Math.min(SEEDS_AT_ONCE, end - next), options };
        next += request.count;
        worker.send(request);
      };
      worker.on("message", (results: SimulationResult[]) => {
        for (const result of results) {
          add(totals, result);
          onResult(result);
        }
        ask();
      });
      worker.on("error", reject);
      worker.on("exit", (code, signal) => {
        if (isDone) resolve();
        else
          reject(
            new Error(
              `a worker ended with ${signal ?? code} among the ${SEEDS_AT_ONCE} seeds before ${next}`,
            ),
          );
      });
      ask();
    });
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), count) }, work));
  return totals;
}

function add(totals: Totals, result: SimulationResult): void {
  const { figures } = result;
  totals.seeds++;
  for (const name of ["events", "steps", "commits", "crashes", "failures"] as const) {
    totals[name] += figures[name];
  }
  for (const [kind, count] of Object.entries(figures.faults)) {
    totals.faults[kind] = (totals.faults[kind] ?? 0) + count;
  }
  if (result.findings.length > 0) totals.failed.push(result);
}
