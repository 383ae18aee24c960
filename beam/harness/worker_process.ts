/**
 * A worker as a process of its own: what runners start in PROCESS and DOCKER environments. They give it an id and the
 * endpoint where it learns the rest; a runner that wants several workers in one place names their ids, and each gets a
 * process. With `--worker_pool` it serves EXTERNAL environments instead, until it is ended.
 */

import { join } from "node:path";
import { parseArgs } from "node:util";
import { after, sleep } from "../platform/clock.js";
import { fetchArtifacts } from "./artifacts.js";
import { captureOutput } from "./captured_output.js";
import { LoggingChannel } from "./logging_channel.js";
import type { PoolAdmission } from "./pool_admission.js";
import { fetchProvision, type Provision } from "./provision.js";
import { type Sibling, superviseSiblings } from "./sibling_workers.js";
import type { WorkerTraffic } from "./state_channel.js";
import { Worker } from "./worker.js";
import { stderrLog, type WorkerLog } from "./worker_log.js";
import { startWorkerPool } from "./worker_pool.js";

/** What a worker's program adds to the library's worker. */
export interface WorkerProgram {
  /**
   * Called before the first bundle, with the pipeline's options by name. If it throws, each bundle fails with that
   * error.
   */
  prepare?(
    options: Readonly<Record<string, unknown>>,
    log: WorkerLog,
    /** How many other workers share the process. */
    others: number,
  ): void | Promise<void>;
  /** Asked when this is to be a pool: who may have workers of it. */
  admission?(): PoolAdmission;
  /** What the worker has asked of its runner; added to as it runs. */
  readonly traffic?: WorkerTraffic;
}

/** The arguments that a runner starts a worker with. */
export interface WorkerFlags {
  readonly id: string;
  readonly provisionEndpoint: string;
  readonly controlEndpoint: string;
  readonly loggingEndpoint: string;
  readonly artifactEndpoint: string;
  readonly semiPersistDir: string;
  /** host:port of the pool; undefined for a single worker. */
  readonly workerPool: string | undefined;
}

/** Set in the processes of sibling workers, which have no siblings of their own. */
const SIBLING_VARIABLE = "BEAM_SIBLING_WORKER";
const SIGNALS = ["SIGTERM", "SIGINT"] as const;
const BUGS = ["uncaughtException", "unhandledRejection"] as const;
/** For the end of the log to be sent. */
const LAST_WORDS_MS = 200;
const POOL_ADDRESS = "127.0.0.1:50000";

/** Throws for arguments that make no worker. Flags that other SDKs' workers have are let pass. */
export function readWorkerFlags(argv: readonly string[]): WorkerFlags {
  const { values } = parseArgs({
    args: argv.map((arg) => (arg === "--worker_pool" ? `--worker_pool=${POOL_ADDRESS}` : arg)),
    strict: false,
    options: Object.fromEntries(FLAGS.map((name) => [name, { type: "string" as const }])),
  });
  const text = (name: (typeof FLAGS)[number]): string => {
    const value = values[name];
    // Prism quotes as for a shell, but runs none.
    return typeof value === "string" ? value.replace(/^'(.*)'$/s, "$1") : "";
  };
  const flags = {
    id: text("id"),
    provisionEndpoint: text("provision_endpoint"),
    controlEndpoint: text("control_endpoint"),
    loggingEndpoint: text("logging_endpoint"),
    artifactEndpoint: text("artifact_endpoint"),
    semiPersistDir: text("semi_persist_dir") || "/tmp",
    workerPool: text("worker_pool") || undefined,
  };
  if (flags.workerPool !== undefined) return flags;
  if (flags.id === "") throw new Error("a worker needs --id; a runner gives it");
  if (flags.provisionEndpoint === "" && flags.controlEndpoint === "") {
    throw new Error("a worker needs --provision_endpoint or --control_endpoint; a runner gives it");
  }
  return flags;
}

const FLAGS = [
  "id",
  "provision_endpoint",
  "control_endpoint",
  "logging_endpoint",
  "artifact_endpoint",
  "semi_persist_dir",
  "worker_pool",
] as const;

/**
 * Resolves when the runner no longer needs this worker and its siblings, or when SIGTERM or SIGINT stops it.
 */
export async function runWorkerProcess(argv: readonly string[], program: WorkerProgram = {}): Promise<void> {
  const flags = readWorkerFlags(argv);
  if (flags.workerPool !== undefined) return servePool(flags.workerPool, program);
  const provision = await fetchProvision(flags.provisionEndpoint, flags.id);
  const { siblingWorkerIds: others } = provision;
  const isSibling = process.env[SIBLING_VARIABLE] !== undefined;
  if (others.length === 0 || isSibling) return runWorker(flags, provision, program);
  const ids = [flags.id, ...others.filter((id) => id !== flags.id)];
  return superviseSiblings(
    ids.map((id) => siblingOf(argv, id)),
    stderrLog,
  );
}

async function servePool(address: string, program: WorkerProgram): Promise<void> {
  const [, host, port] = /^\[?(.+?)\]?:(\d+)$/.exec(address) ?? [];
  if (host === undefined) throw new Error(`--worker_pool=${address}: expected host:port`);
  const pool = await startWorkerPool({
    host,
    port: Number(port),
    admission: program.admission?.() ?? {},
    prepare: (options, others) => program.prepare?.(options, stderrLog, others),
  });
  process.stdout.write(`${pool.endpoint}\n`);
  await new Promise<void>((resolve) => {
    for (const signal of SIGNALS) process.once(signal, () => resolve());
  });
  await pool.close();
}

async function runWorker(flags: WorkerFlags, provision: Provision, program: WorkerProgram): Promise<void> {
  const { id } = flags;
  const loggingEndpoint = provision.loggingEndpoint || flags.loggingEndpoint;
  const logging = loggingEndpoint === "" ? undefined : new LoggingChannel(loggingEndpoint, id);
  const log = logging ?? stderrLog;
  const release = logging === undefined ? () => undefined : captureOutput(logging);
  const onBug = (error: unknown): void => {
    log.error("an uncaught error ends the worker", {
      reason: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
    logging?.close();
    after(LAST_WORDS_MS, () => process.exit(1));
  };
  for (const event of BUGS) process.on(event, onBug);
  let initialError: Error | undefined;
  try {
    await fetchArtifacts(
      provision.artifactEndpoint || flags.artifactEndpoint,
      id,
      provision.dependencies,
      join(flags.semiPersistDir, id.replaceAll(/[^\w.-]/g, "_"), "staged"),
    );
    await program.prepare?.(provision.pipelineOptions, log, 0);
  } catch (error) {
    // The user sees why when a bundle fails with it; a worker that never came would look like a time out.
    initialError = error as Error;
    log.error("the worker cannot be made ready", { reason: initialError.message });
  }
  const worker = new Worker({
    workerId: id,
    controlEndpoint: provision.controlEndpoint || flags.controlEndpoint,
    log,
    runnerCapabilities: provision.runnerCapabilities,
    honoursMs: provision.honoursMs,
    statusEndpoint: provision.statusEndpoint,
    ...(program.traffic !== undefined && { traffic: program.traffic }),
    ...(initialError !== undefined && { initialError }),
  });
  const onSignal = (): void => {
    log.info("the worker is told to end");
    worker.stop();
  };
  for (const signal of SIGNALS) process.once(signal, onSignal);
  try {
    await worker.finished;
  } finally {
    for (const signal of SIGNALS) process.off(signal, onSignal);
    for (const event of BUGS) process.off(event, onBug);
    release();
    logging?.close();
    if (logging !== undefined) await sleep(LAST_WORDS_MS);
  }
}

/** A process with another id, and the same arguments otherwise. */
function siblingOf(argv: readonly string[], id: string): Sibling {
  const others = argv.filter((arg, i) => !/^--id(=|$)/.test(arg) && argv[i - 1] !== "--id");
  return {
    id,
    command: process.execPath,
    args: [...process.execArgv, process.argv[1]!, ...others, `--id=${id}`],
    env: { ...process.env, [SIBLING_VARIABLE]: "1" },
  };
}
