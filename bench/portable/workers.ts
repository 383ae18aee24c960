/** The workers that are compared. Each kind runs the same pipeline, in processes of its own, on a Prism it is given. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { delimiter, dirname } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { runPortable } from "../../beam/runners/portable/portable_run.js";
import type { DistributionValue } from "../../beam/sdk/metrics.js";
import { freePort, isListening } from "../../services/discovery.js";
import { findBeamPython, type LocalRunner } from "../../services/index.js";
import { type CounterConfig, counterPipeline } from "./counter_pipeline.js";

const run = promisify(execFile);

const JOB_TIMEOUT_MS = 10 * 60_000;
const POOL_TIMEOUT_MS = 60_000;
const quiet = { debug() {}, info() {}, warn() {} };
const NOTHING: DistributionValue = { count: 0, sum: 0, min: 0, max: 0 };

export interface Workers {
  readonly name: string;
  /** Of the process that all its workers descend from. */
  readonly pid: number;
  /** Runs the job; resolves with what it counted: a value for each key, the number of its elements. */
  job(prism: LocalRunner, config: CounterConfig): Promise<DistributionValue>;
  /** Requests for state that its workers have sent so far; undefined where they do not tell. */
  stateRequests(): Promise<number | undefined>;
  stop(): Promise<void>;
}

/**
 * Beam's Python SDK lets Prism cut a bundle with state, and Prism then gives the elements of the key at the cut to two
 * bundles at once, of which the one that ends first has counted for nothing (elementmanager.go, splitBundle).
 */
const UNCUT = ["--experiments=prism_disable_sdf_split"];

/** This project's. */
export async function ownWorkers(nodeArgs: readonly string[] = []): Promise<Workers> {
  const script = fileURLToPath(new URL("worker.ts", import.meta.url));
  const child = spawn(
    process.execPath,
    [...nodeArgs, "--conditions=order-payment-stream-source", "--import", "tsx", script],
    {
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const nextLine = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done) throw new Error("the TypeScript worker pool has ended");
    return value;
  };
  const endpoint = await nextLine();
  return {
    name: "TypeScript",
    pid: child.pid!,
    job: async (prism, config) => {
      const job = await runPortable(counterPipeline(config), {
        jobEndpoint: prism.endpoint,
        jobName: "counter",
        environment: { kind: "external", endpoint },
        log: quiet,
        runnerEnded: prism.ended,
      });
      await job.finished;
      const [, reported = NOTHING] =
        [...job.metrics.distributions()].find(([name]) => name.endsWith("/reported")) ?? [];
      return reported;
    },
    stateRequests: async () => {
      child.stdin.write("\n");
      return Number(await nextLine());
    },
    // It ends with its input, and then has written its profile.
    stop: () => ended(child, () => child.stdin.end()),
  };
}

/** A pool of Beam's Python SDK, which starts a process for each worker. */
export async function startPythonPool(python: string): Promise<{ child: ChildProcess; port: number }> {
  const port = await freePort();
  const args = ["-m", "apache_beam.runners.worker.worker_pool_main", `--service_port=${port}`];
  // The pool starts its workers with whatever "python" is on the PATH.
  const env = { ...process.env, PATH: `${dirname(python)}${delimiter}${process.env.PATH}` };
  const child = spawn(python, args, { stdio: ["ignore", "ignore", "ignore"], env });
  const deadline = Date.now() + POOL_TIMEOUT_MS;
  while (!(await isListening(port))) {
    if (Date.now() > deadline) throw new Error("Beam's Python worker pool does not come up");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return { child, port };
}

/** Those of Beam's Python SDK. */
export async function pythonWorkers(): Promise<Workers> {
  const python = await findBeamPython({ log: console.error });
  const { child, port } = await startPythonPool(python);
  const script = fileURLToPath(new URL("counter_pipeline.py", import.meta.url));
  return {
    name: "Python",
    pid: child.pid!,
    job: async (prism, { elements, keys }) => {
      const options = [
        "--runner=PortableRunner",
        `--job_endpoint=${prism.endpoint}`,
        "--environment_type=EXTERNAL",
        `--environment_config=127.0.0.1:${port}`,
        ...UNCUT,
      ];
      const { stdout } = await run(python, [script, `--elements=${elements}`, `--keys=${keys}`, ...options], {
        timeout: JOB_TIMEOUT_MS,
      });
      return JSON.parse(stdout.trim().split("\n").at(-1)!) as DistributionValue;
    },
    stateRequests: async () => undefined,
    stop: () => ended(child, () => child.kill("SIGTERM")),
  };
}

async function ended(child: ChildProcess, end: () => void): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  end();
  await exit;
}
