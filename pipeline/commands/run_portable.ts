/**
 * Runs the pipeline on a runner outside of this process: brings up what the settings leave to us (the runner, a worker
 * pool), submits the job, and takes down again whatever was brought up, however the job ends.
 */
import { randomBytes } from "node:crypto";
import { accessSync, constants } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Pipeline, PipelineRun } from "@order-payment-stream/beam";
import type { StageWatermark, StopMode } from "@order-payment-stream/beam/direct";
import {
  type PortableRun,
  runPortable,
  StopUnsupportedError,
  type WorkerEnvironment,
} from "@order-payment-stream/beam/portable";

import { isListening } from "../../services/discovery.js";
import { type LocalRunner, startFlink, startPrism } from "../../services/index.js";
import { CLIENT_ID } from "../connections.js";
import type { Log } from "../report/log.js";
import type { RunSettings } from "../settings/options.js";
import { keyShardsOf, portableRunnerOptions } from "../settings/runner_options.js";
import { workerEnvironment, workerOptions } from "../settings/worker_settings.js";
import { CommandError } from "./command.js";

export interface PortableSurroundings {
  readonly settings: RunSettings;
  /** Of the settings, as they were written. */
  readonly texts: ReadonlyMap<string, string>;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Ends something that was brought up for a run. */
type CleanUp = () => Promise<void>;

/** Resolves when the job runs; its `finished` settles when all that was brought up for it has ended too. */
export async function startPortable(
  pipeline: Pipeline,
  { settings, texts, log, signal }: PortableSurroundings,
): Promise<PipelineRun> {
  const cleanUps: CleanUp[] = [];
  const cleanUp = async (): Promise<void> => {
    for (const end of cleanUps.splice(0).reverse()) {
      await end().catch((error: Error) => log.warn("could not be ended", { reason: error.message }));
    }
  };
  try {
    // Before the job runs: a runner that cannot reach its workers gives up on it.
    const environment = await workerEnvironmentOf(settings, log, cleanUps);
    const runner =
      settings.job_endpoint === undefined ? await startRunner(settings, texts, log, signal) : undefined;
    if (runner !== undefined) cleanUps.push(() => runner.stop());
    signal.throwIfAborted();
    const job = await runPortable(pipeline, {
      jobEndpoint: settings.job_endpoint ?? runner!.endpoint,
      jobName: settings.job_name ?? CLIENT_ID,
      environment,
      pipelineOptions: { ...workerOptions(texts), ...portableRunnerOptions(settings) },
      keyShards: keyShardsOf(settings),
      log,
      ...(runner !== undefined && { runnerEnded: runner.ended, workerLost: runner.workerLost }),
    });
    return new SubmittedRun(job, cleanUp, log);
  } catch (error) {
    await cleanUp();
    throw error;
  }
}

class SubmittedRun implements PipelineRun {
  readonly finished: Promise<void>;

  constructor(
    private readonly job: PortableRun,
    cleanUp: () => Promise<void>,
    private readonly log: Log,
  ) {
    this.finished = job.finished.finally(cleanUp).then(() => {
      if (!job.metrics.isKnown)
        log.warn("the runner reported no figures for this job, so the summary has none");
    });
    this.finished.catch(() => undefined);
  }

  health(): ReturnType<PipelineRun["health"]> {
    return this.job.health();
  }

  get metrics(): PipelineRun["metrics"] {
    return this.job.metrics;
  }

  status(): readonly StageWatermark[] {
    return this.job.status();
  }

  async stop(mode: StopMode = "keep"): Promise<void> {
    try {
      await this.job.stop(mode);
    } catch (error) {
      if (!(error instanceof StopUnsupportedError)) throw error;
      this.log.warn(`${error.message}; the job is cancelled instead`);
      await this.job.stop("keep");
    }
    await this.finished;
  }
}

function startRunner(
  settings: RunSettings,
  texts: ReadonlyMap<string, string>,
  log: Log,
  signal: AbortSignal,
): Promise<LocalRunner> {
  // Only a runner that starts the workers itself is trusted with what they need.
  const needsSecrets = settings.environment_type === "PROCESS";
  const options = {
    log: (line: string) => log.info(line),
    signal,
    ...(needsSecrets && { workerEnvironment: workerEnvironment(texts) }),
  };
  if (settings.runner === "prism") return startPrism(options);
  return startFlink({
    ...options,
    ...(settings.flink_master !== undefined && { flinkMaster: settings.flink_master }),
  });
}

async function workerEnvironmentOf(
  settings: RunSettings,
  log: Log,
  cleanUps: CleanUp[],
): Promise<WorkerEnvironment> {
  const { environment_type: type = "LOOPBACK", environment_config: config } = settings;
  const isOurRunner = settings.job_endpoint === undefined;
  switch (type) {
    case "EXTERNAL":
      if (isOurRunner) await checkPool(config!);
      return { kind: "external", endpoint: config!, token: settings.worker_pool_token };
    case "DOCKER":
      return { kind: "docker", image: config! };
    case "PROCESS": {
      const { command, env } = processConfig(config);
      if (isOurRunner) checkCommand(command);
      return { kind: "process", command, env };
    }
    case "LOOPBACK": {
      const { startWorkerPool } = await import("@order-payment-stream/beam/worker");
      // Its workers have this process's connections: nobody else on this machine may have one.
      const token = randomBytes(32).toString("hex");
      const pool = await startWorkerPool({ log, admission: { token } });
      cleanUps.push(() => pool.close());
      return { kind: "external", endpoint: pool.endpoint, token };
    }
  }
}

/** A runner notices after a minute, and does not say it. */
function checkCommand(command: string): void {
  if (!command.includes("/")) return;
  try {
    accessSync(command, constants.X_OK);
  } catch {
    throw new CommandError(`ENVIRONMENT_CONFIG: ${command} is not an executable file`);
  }
}

/** Prism would end with a panic. */
async function checkPool(endpoint: string): Promise<void> {
  const [, host, port] = /^\[?(.+?)\]?:(\d+)$/.exec(endpoint)!;
  if (!(await isListening(Number(port), host, POOL_TIMEOUT_MS))) {
    throw new CommandError(`ENVIRONMENT_CONFIG: no worker pool listens at ${endpoint}`);
  }
}

/** A command, or what Beam's other SDKs write as JSON. */
function processConfig(config: string | undefined): { command: string; env: Record<string, string> } {
  if (config === undefined) return { command: ownWorker(), env: {} };
  if (!config.startsWith("{")) return { command: config, env: {} };
  try {
    const { command, env = {} } = JSON.parse(config);
    if (typeof command === "string" && command !== "") return { command, env };
  } catch {
    // Told below.
  }
  throw new CommandError(
    // It may hold passwords for the command's environment, and is not shown.
    'ENVIRONMENT_CONFIG is neither a command nor right: expected a command, or JSON such as {"command": "…", "env": {}}',
  );
}

/** The built worker, which is executable. */
function ownWorker(): string {
  const worker = fileURLToPath(new URL("../worker.js", import.meta.url));
  try {
    accessSync(worker, constants.X_OK);
    return worker;
  } catch {
    throw new CommandError(
      `there is no worker to start at ${worker}: build the program (npm run build), or name a command in ENVIRONMENT_CONFIG`,
    );
  }
}

const POOL_TIMEOUT_MS = 3_000;
