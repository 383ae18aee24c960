/** The product's graph by this project's workers, and the same join by those of Beam's Python SDK: a process a worker. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { PipelineOptions } from "../../beam/runners/portable/pipeline_options.js";
import { findBeamKafkaPython } from "../../services/index.js";
import { runScript } from "../run_script.js";
import type { SubjectInput } from "../subject.js";
import { cpuSecondsOf, peakBytesOf } from "./cpu_seconds.js";
import type { ProductInput, ProductResult } from "./product.js";
import type { WorkerFigures } from "./product_worker.js";
import { startPythonPool } from "./workers.js";

/** What a job gave, and what its workers took for it, their start and end included. */
export interface JobFigures extends ProductResult {
  readonly workerCpuSeconds: number | undefined;
  readonly workerPeakBytes: number | undefined;
  /** Undefined where the workers do not tell. */
  readonly stateRequests: number | undefined;
}

export interface ProductSubject {
  readonly name: string;
  job(jobEndpoint: string, input: SubjectInput, options: PipelineOptions): Promise<JobFigures>;
}

const JOB_TIMEOUT_MS = 60 * 60_000;
const PEAK_EVERY_MS = 1_000;

/**
 * @param scripts folder of the compiled bench
 * @param nodeArgs of the workers
 * @param keyShards 0: the runner has the state of each key
 */
export function typescriptSubject(
  scripts: string,
  nodeArgs: readonly string[],
  { sink, keyShards }: Pick<ProductInput, "sink" | "keyShards">,
  signal: AbortSignal,
): ProductSubject {
  return {
    name: keyShards === 0 ? "TypeScript, key by key" : "TypeScript",
    async job(jobEndpoint, subjectInput, pipelineOptions) {
      const pool = spawn(
        process.execPath,
        ["--enable-source-maps", ...nodeArgs, join(scripts, "portable", "product_pool.js")],
        {
          stdio: ["pipe", "pipe", "inherit"],
          env: { ...process.env, BENCH_INPUT: JSON.stringify(subjectInput) },
        },
      );
      try {
        const lines = createInterface({ input: pool.stdout })[Symbol.asyncIterator]();
        const nextLine = async (): Promise<string> => {
          const { value, done } = await lines.next();
          if (done) throw new Error("the worker pool has ended");
          return value;
        };
        const input: ProductInput = {
          ...subjectInput,
          jobEndpoint,
          workerEndpoint: await nextLine(),
          sink,
          keyShards,
          pipelineOptions,
        };
        const before = cpuSecondsOf(pool.pid!);
        const script = join(scripts, "portable", "product.js");
        const result = await runScript<ProductResult>({ script, input, signal });
        pool.stdin.write("\n");
        const workers = JSON.parse(await nextLine()) as WorkerFigures[];
        return {
          ...result,
          workerCpuSeconds: minus(cpuSecondsOf(pool.pid!), before),
          workerPeakBytes: Math.max(...workers.map(({ peakBytes }) => peakBytes)),
          stateRequests: workers.reduce((sum, { stateRequests }) => sum + stateRequests, 0),
        };
      } finally {
        await ended(pool, () => pool.stdin.end());
      }
    },
  };
}

/** Throws RequirementMissing where there is no Python with what it needs. */
export async function pythonSubject(): Promise<ProductSubject> {
  const python = await findBeamKafkaPython({ log: console.error });
  const script = fileURLToPath(new URL("product_pipeline.py", import.meta.url));
  return {
    name: "Python",
    async job(jobEndpoint, input, options) {
      const { brokers, topics, partitions, timeoutMs, outOfOrdernessMs, expected } = input;
      const { child, port } = await startPythonPool(python);
      let workerPeakBytes: number | undefined;
      const peaks = setInterval(() => {
        workerPeakBytes = Math.max(workerPeakBytes ?? 0, peakBytesOf(child.pid!) ?? 0) || undefined;
      }, PEAK_EVERY_MS);
      try {
        const before = cpuSecondsOf(child.pid!);
        const args = [
          script,
          `--brokers=${brokers.join(",")}`,
          `--orders=${topics.orders}`,
          `--payments=${topics.payments}`,
          `--partitions=${partitions}`,
          `--timeout_ms=${timeoutMs}`,
          `--out_of_orderness_ms=${outOfOrdernessMs}`,
          "--runner=PortableRunner",
          `--job_endpoint=${jobEndpoint}`,
          "--environment_type=EXTERNAL",
          `--environment_config=127.0.0.1:${port}`,
          // State that workers keep from bundle to bundle, as ours do.
          "--max_cache_memory_usage_mb=512",
          ...pythonOptions(options),
        ];
        const { stdout } = await promisify(execFile)(python, args, { timeout: JOB_TIMEOUT_MS });
        const counted = JSON.parse(stdout.trim().split("\n").at(-1)!) as Omit<ProductResult, "events">;
        return {
          ...counted,
          events: expected.orders + expected.payments,
          workerCpuSeconds: minus(cpuSecondsOf(child.pid!), before),
          workerPeakBytes,
          stateRequests: undefined,
        };
      } finally {
        clearInterval(peaks);
        await ended(child, () => child.kill("SIGTERM"));
      }
    },
  };
}

function pythonOptions(options: PipelineOptions): string[] {
  return Object.entries(options).flatMap(([name, value]) =>
    value === true ? [`--${name}`] : value === false ? [] : [`--${name}=${value}`],
  );
}

async function ended(child: ChildProcess, end: () => void): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  end();
  await exit;
}

function minus(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a - b;
}
