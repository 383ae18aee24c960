/**
 * `make bench-portable`: this project's workers beside those of Beam's Python SDK, on the same Prism, with the same
 * pipeline, one after the other in each run. Workers have a process of their own. What a job takes before its first
 * element and after its last is measured by one of a single element, and taken off. Shows figures and fails on none.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { delimiter, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { runPortable } from "../../beam/runners/portable/portable_run.js";
import { freePort, isListening } from "../../services/discovery.js";
import { findBeamPython, type LocalRunner, startPrism } from "../../services/index.js";
import { counterPipeline } from "./counter_pipeline.js";

const run = promisify(execFile);

const { values } = parseArgs({
  options: {
    elements: { type: "string", default: "200000" },
    keys: { type: "string", default: "1000" },
    runs: { type: "string", default: "3" },
  },
});
const elements = Number(values.elements);
const keys = Number(values.keys);
const runs = Number(values.runs);

const JOB_TIMEOUT_MS = 10 * 60_000;
const POOL_TIMEOUT_MS = 60_000;
const quiet = { debug() {}, info() {}, warn() {} };

interface Workers {
  readonly name: string;
  /** Runs the job; resolves with what it counted. */
  job(prism: LocalRunner, elements: number): Promise<number>;
  stop(): void;
}

const subjects = [await ownWorkers(), await pythonWorkers()];
const seconds = new Map<string, number[]>(subjects.map(({ name }) => [name, []]));
try {
  for (let i = 1; i <= runs; i++) {
    // One Prism for both, a fresh one each time: it keeps what past jobs were.
    const prism = await startPrism();
    try {
      for (const { name, job } of subjects) {
        await timed(() => job(prism, 1), 1);
        const overhead = await timed(() => job(prism, 1), 1);
        const whole = await timed(() => job(prism, elements), elements);
        seconds.get(name)!.push(whole - overhead);
        console.error(
          `run ${i}  ${name.padEnd(10)}  ${whole.toFixed(2)} s, ${overhead.toFixed(2)} s of it for a job of one element`,
        );
      }
    } finally {
      await prism.stop();
    }
  }
} finally {
  for (const { stop } of subjects) stop();
}

console.log(`\n${elements} elements, ${keys} keys, a value and a timer for each; median of ${runs}\n`);
for (const [name, all] of seconds) {
  console.log(`${name.padEnd(12)}${String(Math.round(elements / median(all))).padStart(10)} elements/s`);
}
const [own, python] = [...seconds.values()].map(median);
console.log(`\n${(python! / own!).toFixed(1)} × Beam's Python SDK`);
process.exit();

async function timed(job: () => Promise<number>, expected: number): Promise<number> {
  const startedMs = performance.now();
  const counted = await job();
  if (counted !== expected) throw new Error(`${counted} elements were counted, not ${expected}`);
  return (performance.now() - startedMs) / 1000;
}

async function ownWorkers(): Promise<Workers> {
  const script = fileURLToPath(new URL("worker.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", script], { stdio: ["pipe", "pipe", "inherit"] });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const endpoint = line.toString("utf8").trim();
  return {
    name: "TypeScript",
    job: async (prism, count) => {
      const job = await runPortable(counterPipeline({ elements: count, keys }), {
        jobEndpoint: prism.endpoint,
        jobName: "counter",
        environment: { kind: "external", endpoint },
        log: quiet,
        runnerEnded: prism.ended,
      });
      await job.finished;
      return job.metrics.counter("reported");
    },
    stop: () => stop(child),
  };
}

async function pythonWorkers(): Promise<Workers> {
  const python = await findBeamPython({ log: console.error });
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
  const script = fileURLToPath(new URL("counter_pipeline.py", import.meta.url));
  return {
    name: "Python",
    job: async (prism, count) => {
      const options = [
        "--runner=PortableRunner",
        `--job_endpoint=${prism.endpoint}`,
        "--environment_type=EXTERNAL",
        `--environment_config=127.0.0.1:${port}`,
      ];
      const { stdout } = await run(python, [script, `--elements=${count}`, `--keys=${keys}`, ...options], {
        timeout: JOB_TIMEOUT_MS,
      });
      return (JSON.parse(stdout.trim().split("\n").at(-1)!) as { reported: number }).reported;
    },
    stop: () => stop(child),
  };
}

function stop(child: ChildProcess): void {
  child.stdin?.end();
  child.kill("SIGTERM");
}

function median(all: readonly number[]): number {
  return [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)]!;
}
