/**
 * What `services up`, `down` and `status` do. `up` leaves the services running in the background after the program
 * has ended; `down` ends only what this project started, known by its record and the mark on its command line.
 */
import { join } from "node:path";
import { maskAddress } from "@order-payment-stream/beam/io";
import { stopContainer } from "./container.js";
import { type EnsureOptions, ensureServices, type Running } from "./ensure.js";
import { servicesHome } from "./home.js";
import { withLock } from "./lock.js";
import { isMarked, stopMarked } from "./process.js";
import { markOf, readRecord, removeRecord } from "./record.js";
import { KAFKA, MONGODB, type ServiceKind } from "./service_kind.js";

const PROBE_TIMEOUT_MS = 3_000;
const KINDS = [KAFKA, MONGODB];

export interface CommandOptions {
  readonly log?: (line: string) => void;
  readonly env?: NodeJS.ProcessEnv;
}

export interface ServiceStatus {
  readonly name: string;
  readonly address: string;
  readonly answers: boolean;
  /** True when this project started it and it still runs. */
  readonly ours: boolean;
}

/** Brings up both services and leaves them running. */
export async function servicesUp(options: Omit<EnsureOptions, "kafka" | "mongodb"> = {}): Promise<Running> {
  return ensureServices({ ...options, kafka: true, mongodb: true });
}

/** Ends the services that this project started, in this or an earlier run. */
export async function servicesDown(options: CommandOptions = {}): Promise<void> {
  const home = servicesHome(options.env);
  await Promise.all(
    KINDS.map((kind) => withLock(join(home, `${kind.folder}.lock`), () => bringDown(kind, home, options))),
  );
}

/** Where each service is and whether it answers; logs one line for each. */
export async function servicesStatus(options: CommandOptions = {}): Promise<ServiceStatus[]> {
  const env = options.env ?? process.env;
  const statuses = await Promise.all(KINDS.map((kind) => statusOf(kind, env)));
  for (const { name, address, answers, ours } of statuses) {
    const who = ours ? ", started by this project" : "";
    options.log?.(`${name}: ${answers ? "answers" : "does not answer"} at ${maskAddress(address)}${who}`);
  }
  return statuses;
}

async function bringDown(kind: ServiceKind, home: string, options: CommandOptions): Promise<void> {
  const dataDir = join(home, kind.folder);
  const log = (line: string) => options.log?.(`${kind.name}: ${line}`);
  const record = readRecord(dataDir);
  if (record === undefined) {
    log("no service that was started from here is running");
    return;
  }
  if (record.kind === "container") {
    const ran = await stopContainer(record.engine, record.container);
    log(ran ? `ended container ${record.container}` : "its container had ended already");
  } else if (isMarked(record.pid, markOf(dataDir))) {
    await stopMarked(record.pid, markOf(dataDir));
    log(`ended (pid ${record.pid})`);
  } else {
    log("it had ended already");
  }
  removeRecord(dataDir);
}

async function statusOf(kind: ServiceKind, env: NodeJS.ProcessEnv): Promise<ServiceStatus> {
  const dataDir = join(servicesHome(env), kind.folder);
  const named = env[kind.variable];
  const record = named ? undefined : readRecord(dataDir);
  const ours = record !== undefined && (record.kind === "container" || isMarked(record.pid, markOf(dataDir)));
  const address = named || kind.addressOf(ours ? record.port : kind.defaultPort);
  const answers = await kind.probeNamed(address, PROBE_TIMEOUT_MS, env).then(
    () => true,
    () => false,
  );
  return { name: kind.name, address, answers, ours };
}
