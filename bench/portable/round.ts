/**
 * One round of the comparison: a fresh Prism, all workers on it, one after the other. What a job takes before its first
 * element and after its last is measured by one of a single element, and taken off.
 */
import type { DistributionValue } from "../../beam/sdk/metrics.js";
import { type LocalRunner, startPrism } from "../../services/index.js";
import type { CounterConfig } from "./counter_pipeline.js";
import { cpuSecondsOf } from "./cpu_seconds.js";
import type { Workers } from "./workers.js";

/** What some work has taken. */
export interface Cost {
  readonly seconds: number;
  /** Undefined where the system does not tell. */
  readonly workerCpuSeconds: number | undefined;
  readonly prismCpuSeconds: number | undefined;
  /** Undefined where the workers do not tell. */
  readonly stateRequests: number | undefined;
}

export interface Measured {
  /** Of a job of one element. */
  readonly overhead: Cost;
  /** Of the elements alone. */
  readonly elements: Cost;
}

/** A job that ended with the wrong result, or with an error. */
export class JobWentWrong extends Error {
  override readonly name = "JobWentWrong";

  constructor(
    readonly workers: string,
    readonly what: string,
    options?: ErrorOptions,
  ) {
    super(`${workers}: ${what}`, options);
  }
}

/** By the workers' names. Throws JobWentWrong. */
export async function runRound(
  subjects: readonly Workers[],
  config: CounterConfig,
): Promise<ReadonlyMap<string, Measured>> {
  const measured = new Map<string, Measured>();
  // One Prism for all, and a fresh one each time: it keeps what past jobs were.
  const prism = await startPrism();
  try {
    for (const workers of subjects) {
      const single = { ...config, elements: 1 };
      await costOf(workers, prism, single);
      const overhead = await costOf(workers, prism, single);
      const whole = await costOf(workers, prism, config);
      measured.set(workers.name, { overhead, elements: difference(whole, overhead) });
    }
  } finally {
    await prism.stop();
  }
  return measured;
}

async function costOf(workers: Workers, prism: LocalRunner, config: CounterConfig): Promise<Cost> {
  const startedMs = performance.now();
  const before = await spentSoFar(workers, prism, startedMs);
  let counted: DistributionValue;
  try {
    counted = await workers.job(prism, config);
  } catch (error) {
    throw new JobWentWrong(workers.name, (error as Error).message, { cause: error });
  }
  const after = await spentSoFar(workers, prism, startedMs);
  const fault = faultOf(counted, config);
  if (fault !== undefined) throw new JobWentWrong(workers.name, fault);
  return difference(after, before);
}

async function spentSoFar(workers: Workers, prism: LocalRunner, startedMs: number): Promise<Cost> {
  const seconds = (performance.now() - startedMs) / 1000;
  const [workerCpuSeconds, prismCpuSeconds] = [cpuSecondsOf(workers.pid), cpuSecondsOf(prism.pid)];
  return { seconds, workerCpuSeconds, prismCpuSeconds, stateRequests: await workers.stateRequests() };
}

/**
 * Undefined for what is right. Keys that are missing were lost on the way of a timer, or of the metric that tells of
 * it; keys that are all there with too few elements have lost state.
 */
export function faultOf(
  { count, sum, min, max }: DistributionValue,
  { elements, keys }: CounterConfig,
): string | undefined {
  const keysExpected = Math.min(elements, keys);
  if (sum === elements && count === keysExpected) return undefined;
  return `${sum} of ${elements} elements were counted, in ${count} of ${keysExpected} keys, ${min} to ${max} in a key`;
}

function difference(a: Cost, b: Cost): Cost {
  return {
    seconds: a.seconds - b.seconds,
    workerCpuSeconds: minus(a.workerCpuSeconds, b.workerCpuSeconds),
    prismCpuSeconds: minus(a.prismCpuSeconds, b.prismCpuSeconds),
    stateRequests: minus(a.stateRequests, b.stateRequests),
  };
}

function minus(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a - b;
}
