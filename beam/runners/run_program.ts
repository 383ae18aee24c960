/**
 * A pipeline as a program: the command line says which runner runs it, or that this process is a worker of one. The
 * graph and its DoFns are the same in each case, so one file can be submitted and be its own worker.
 */
import { parseArgs } from "node:util";
import type { Pipeline } from "../sdk/collection.js";
import type { PipelineRun } from "../sdk/pipeline_run.js";
import type { WorkerEnvironment } from "./portable/environments.js";
import type { PipelineOptions } from "./portable/pipeline_options.js";
import { type RunnerOptions, runPipeline } from "./run_pipeline.js";

/** Defaults for what the command line leaves out. */
export interface ProgramOptions {
  /** Keeps the state on the direct runner. Without it, and without `--state_dir`, state is in memory. */
  readonly stateDir?: string;
  /** What the job is called on other runners. Default: "pipeline". */
  readonly jobName?: string;
  /** For other runners, by Beam's names for them: `{ parallelism: 2 }`. */
  readonly pipelineOptions?: PipelineOptions;
  /** The arguments. Default: those of the process. */
  readonly argv?: readonly string[];
}

const USAGE = `Usage: node PROGRAM [flags]

  --runner=direct|portable    in this process, or on Prism, Flink, …; default: direct
  --state_dir=DIR             direct: keeps the state in this directory
  --job_endpoint=HOST:PORT    portable: the runner's job service
  --job_name=NAME             portable: what the job is called
  --environment_type=LOOPBACK|EXTERNAL|PROCESS|DOCKER
                              portable: where the workers run; default: LOOPBACK, in this process
  --environment_config=…      EXTERNAL: HOST:PORT of a pool; PROCESS: {"command": PATH}; DOCKER: the image
  --worker_pool[=HOST:PORT]   be a pool of workers, for EXTERNAL; default: 127.0.0.1:50000
  --help                      show this help`;

const FLAGS = {
  runner: { type: "string" },
  state_dir: { type: "string" },
  job_endpoint: { type: "string" },
  job_name: { type: "string" },
  environment_type: { type: "string" },
  environment_config: { type: "string" },
  help: { type: "boolean" },
} as const;

/** With one of these a runner starts a worker, or a person a pool. */
const WORKER_FLAG = /^--(worker_pool|id|provision_endpoint|control_endpoint)(=|$)/;
const SIGNALS = ["SIGINT", "SIGTERM"] as const;
const USAGE_EXIT_CODE = 2;

/** The arguments are wrong. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/**
 * Runs a pipeline as the command line says, until it has ended. SIGINT and SIGTERM stop it in order: what was read is
 * finished and committed. With the flags that runners give to workers, or with `--worker_pool`, the process is a worker,
 * and the pipeline is not run. Wrong arguments end the process with 2 and a line that says what is wrong.
 *
 * @returns the run, which has ended; undefined when this was a worker
 * @throws what `runPipeline` throws, and what the run has failed with
 */
export async function runProgram(
  pipeline: Pipeline,
  options: ProgramOptions = {},
): Promise<PipelineRun | undefined> {
  const { argv = process.argv.slice(2) } = options;
  if (argv.some((argument) => WORKER_FLAG.test(argument))) {
    const { runWorkerProcess } = await import("../harness/worker_process.js");
    await runWorkerProcess(argv);
    return undefined;
  }
  const run = await runPipeline(pipeline, runnerOptionsOrExit(argv, options));
  const stop = () => void run.stop();
  for (const signal of SIGNALS) process.once(signal, stop);
  try {
    await run.finished;
    return run;
  } finally {
    for (const signal of SIGNALS) process.off(signal, stop);
  }
}

function runnerOptionsOrExit(argv: readonly string[], options: ProgramOptions): RunnerOptions {
  try {
    const parsed = readProgramFlags(argv, options);
    if (parsed !== "help") return parsed;
    console.log(USAGE);
    process.exit(0);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}\n\n${USAGE}`);
    process.exit(USAGE_EXIT_CODE);
  }
}

/** Throws UsageError for arguments that make no sense. */
export function readProgramFlags(
  argv: readonly string[],
  { stateDir, jobName, pipelineOptions }: ProgramOptions = {},
): RunnerOptions | "help" {
  const flags = parse(argv);
  if (flags.help) return "help";
  const { job_endpoint: jobEndpoint, runner = jobEndpoint === undefined ? "direct" : "portable" } = flags;
  const refuse = (name: keyof typeof FLAGS) => {
    if (flags[name] !== undefined) throw new UsageError(`--${name} means nothing to --runner=${runner}`);
  };
  if (runner === "direct") {
    for (const name of ["job_endpoint", "job_name", "environment_type", "environment_config"] as const)
      refuse(name);
    const directory = flags.state_dir ?? stateDir;
    return { runner, ...(directory !== undefined && { stateDir: directory }) };
  }
  if (runner !== "portable") throw new UsageError(`--runner=${runner}: expected direct or portable`);
  refuse("state_dir");
  if (jobEndpoint === undefined) throw new UsageError("--runner=portable needs --job_endpoint=HOST:PORT");
  const environment = environmentOf(flags.environment_type, flags.environment_config);
  const name = flags.job_name ?? jobName;
  return {
    runner,
    jobEndpoint,
    ...(environment !== undefined && { environment }),
    ...(name !== undefined && { jobName: name }),
    ...(pipelineOptions !== undefined && { pipelineOptions }),
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: FLAGS, strict: true }).values;
  } catch (error) {
    // Node adds advice about positional arguments, which there are none of here.
    throw new UsageError((error as Error).message.replace(/\. To specify .*$/s, ""));
  }
}

/** Undefined: in this process. */
function environmentOf(type = "LOOPBACK", config: string | undefined): WorkerEnvironment | undefined {
  if (type === "LOOPBACK") {
    if (config !== undefined) throw new UsageError("--environment_config means nothing to LOOPBACK");
    return undefined;
  }
  const needed = (what: string): string => {
    if (config !== undefined && config !== "") return config;
    throw new UsageError(`--environment_type=${type} needs --environment_config=${what}`);
  };
  switch (type) {
    case "EXTERNAL":
      return { kind: "external", endpoint: needed("HOST:PORT") };
    case "PROCESS":
      return { kind: "process", command: commandOf(needed('{"command": PATH}')) };
    case "DOCKER":
      return { kind: "docker", image: needed("IMAGE") };
    default:
      throw new UsageError(`--environment_type=${type}: expected LOOPBACK, EXTERNAL, PROCESS or DOCKER`);
  }
}

/** Beam's own form is JSON; a path alone is understood, too. */
function commandOf(config: string): string {
  if (!config.startsWith("{")) return config;
  try {
    const { command } = JSON.parse(config);
    if (typeof command === "string" && command !== "") return command;
  } catch {
    // As below.
  }
  throw new UsageError(`--environment_config=${config}: expected {"command": PATH}`);
}
