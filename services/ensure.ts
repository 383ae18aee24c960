/**
 * Brings up what is missing, in this order: what the environment names; what already listens; a container engine;
 * Java and Maven. It logs which it took.
 *
 * Only what this very call started is ended by its stop(): a server that was found, even one that an earlier run of
 * this project left behind, may be in use by somebody else and is ended by servicesDown.
 */
import { join } from "node:path";
import {
  isPlainAddress,
  maskAddress,
  maskSecrets,
  rememberSecretsOf,
  sleep,
  systemClock,
} from "@order-payment-stream/beam/io";
import { CONTAINER_ENGINES, findEngine, runContainer, stopContainer } from "./container.js";
import { freePort, isListening } from "./discovery.js";
import { messageOf, ServiceUnreachable } from "./errors.js";
import { servicesHome } from "./home.js";
import { withLock } from "./lock.js";
import { isMarked, killMarked } from "./process.js";
import { markOf, readRecord, removeRecord, writeRecord } from "./record.js";
import { KAFKA, MONGODB, type ServiceKind } from "./service_kind.js";

const NAMED_TIMEOUT_MS = 5_000;
const PROBE_TIMEOUT_MS = 3_000;
const CONTAINER_READY_TIMEOUT_MS = 60_000;
/** How long a server of ours that listens or lives already may take until it answers. */
const OWN_READY_TIMEOUT_MS = 10_000;
const POLL_MS = 100;
/** In place of what a client says of such an address, which may quote a part of a password. */
const NOT_PLAIN = "a / ? # [ ] or @ in a user name or password must be percent-encoded";

export interface EnsureOptions {
  readonly kafka: boolean;
  readonly mongodb: boolean;
  readonly log?: (line: string) => void;
  /** Gives up and ends what was started so far. */
  readonly signal?: AbortSignal;
  /** Default: the process's. */
  readonly env?: NodeJS.ProcessEnv;
  /** Where a running service is looked for and a new one started; default 9092 and 27017. */
  readonly kafkaPort?: number;
  readonly mongodbPort?: number;
  /** Commands tried as a container engine; default docker, podman. */
  readonly engines?: readonly string[];
}

export interface ServiceInUse {
  readonly source: "environment" | "listening" | "container" | "maven";
  readonly address: string;
  /** Set for a process that this project started, now or earlier. */
  readonly pid?: number;
}

export interface Running {
  /** host:port[,host:port…]. Of a service that was not asked for: where it would be. */
  readonly kafkaBootstrap: string;
  readonly mongodbUri: string;
  /** Undefined when not asked for. */
  readonly kafka: ServiceInUse | undefined;
  readonly mongodb: ServiceInUse | undefined;
  /** Ends what this call started, nothing else. May be called again. */
  stop(): Promise<void>;
}

interface Found extends ServiceInUse {
  readonly stop?: () => Promise<void>;
}

/** Throws ServiceUnreachable, RequirementMissing or ServiceFailed, having ended what it had started. */
export async function ensureServices(options: EnsureOptions): Promise<Running> {
  const { kafka, mongodb, kafkaPort = KAFKA.defaultPort, mongodbPort = MONGODB.defaultPort } = options;
  const env = options.env ?? process.env;
  const results = await Promise.allSettled([
    kafka ? ensure(KAFKA, kafkaPort, options) : undefined,
    mongodb ? ensure(MONGODB, mongodbPort, options) : undefined,
  ]);
  const found = results.map((result) => (result.status === "fulfilled" ? result.value : undefined));
  const stop = async () => {
    await Promise.all(found.map((service) => service?.stop?.()));
  };
  const failure = results.find((result) => result.status === "rejected");
  if (failure !== undefined) {
    await stop();
    throw failure.reason;
  }
  return {
    kafkaBootstrap: found[0]?.address ?? (env[KAFKA.variable] || KAFKA.addressOf(kafkaPort)),
    mongodbUri: found[1]?.address ?? (env[MONGODB.variable] || MONGODB.addressOf(mongodbPort)),
    kafka: found[0],
    mongodb: found[1],
    stop,
  };
}

async function ensure(kind: ServiceKind, port: number, options: EnsureOptions): Promise<Found> {
  const env = options.env ?? process.env;
  const log = (line: string) => options.log?.(`${kind.name}: ${line}`);
  const named = env[kind.variable];
  if (named) return takeNamed(kind, named, env, log);

  const home = servicesHome(env);
  const lockOptions = {
    signal: options.signal,
    onWait: (pid: number) => log(`waiting for process ${pid}, which is bringing it up`),
  };
  const lock = join(home, `${kind.folder}.lock`);
  return withLock(lock, () => findOrStart(kind, port, home, options, log), lockOptions);
}

async function takeNamed(
  kind: ServiceKind,
  address: string,
  env: NodeJS.ProcessEnv,
  log: (line: string) => void,
): Promise<Found> {
  rememberSecretsOf(address);
  try {
    await kind.probeNamed(address, NAMED_TIMEOUT_MS, env);
  } catch (error) {
    const where = `${kind.variable}=${maskAddress(address)}`;
    const why = isPlainAddress(address) ? maskSecrets(messageOf(error)) : NOT_PLAIN;
    throw new ServiceUnreachable(
      `${kind.name} does not answer at ${where}: ${why}. Start it, correct ${kind.variable}, or unset it to have one started.`,
    );
  }
  log(`taken from ${kind.variable}: ${maskAddress(address)}`);
  return { source: "environment", address };
}

async function findOrStart(
  kind: ServiceKind,
  preferredPort: number,
  home: string,
  options: EnsureOptions,
  log: (line: string) => void,
): Promise<Found> {
  const dataDir = join(home, kind.folder);
  const own = await takeOwn(kind, dataDir, options.signal, log);
  if (own !== undefined) return own;

  let port = preferredPort;
  if (await isListening(port)) {
    const address = kind.addressOf(port);
    try {
      await kind.probe(address, PROBE_TIMEOUT_MS);
      log(`found on 127.0.0.1:${port}; this project did not start it, and will leave it alone`);
      return { source: "listening", address };
    } catch {
      port = await freePort();
      log(`port ${preferredPort} is taken by something else; using ${port}`);
    }
  }
  options.signal?.throwIfAborted();
  return (
    (await startInContainer(kind, port, dataDir, options, log)) ??
    startFromMaven(kind, port, home, options, log)
  );
}

/** A server that an earlier run started. One that does not answer any more is ended, for it blocks data and port. */
async function takeOwn(
  kind: ServiceKind,
  dataDir: string,
  signal: AbortSignal | undefined,
  log: (line: string) => void,
): Promise<Found | undefined> {
  const record = readRecord(dataDir);
  if (record === undefined) return undefined;
  const alive =
    record.kind === "process" ? isMarked(record.pid, markOf(dataDir)) : await isListening(record.port);
  if (alive) {
    const address = kind.addressOf(record.port);
    const who =
      record.kind === "process" ? `pid ${record.pid}` : `${record.engine} container ${record.container}`;
    if (await becomesReady(kind, address, OWN_READY_TIMEOUT_MS, signal)) {
      log(`found on 127.0.0.1:${record.port}, started by an earlier run (${who}); it will be left running`);
      return { source: "listening", address, ...(record.kind === "process" && { pid: record.pid }) };
    }
    log(`the one that an earlier run started (${who}) does not answer; ending it`);
  }
  if (record.kind === "process") await killMarked(record.pid, markOf(dataDir));
  else await stopContainer(record.engine, record.container);
  removeRecord(dataDir);
  return undefined;
}

async function startInContainer(
  kind: ServiceKind,
  port: number,
  dataDir: string,
  options: EnsureOptions,
  log: (line: string) => void,
): Promise<Found | undefined> {
  const engine = await findEngine(options.engines ?? CONTAINER_ENGINES);
  if (engine === undefined) return undefined;
  const recipe = kind.container(port);
  log(`starting ${recipe.image} with ${engine}`);
  let container: string | undefined;
  const stop = async () => {
    if (container !== undefined) await stopContainer(engine, container);
    removeRecord(dataDir);
  };
  try {
    container = await runContainer(engine, kind.folder, port, recipe, options.signal);
    writeRecord(dataDir, { kind: "container", engine, container, port });
    const address = kind.addressOf(port);
    if (!(await becomesReady(kind, address, CONTAINER_READY_TIMEOUT_MS, options.signal))) {
      throw new Error(`no answer within ${CONTAINER_READY_TIMEOUT_MS} ms`);
    }
    log(`started ${recipe.image} with ${engine} on 127.0.0.1:${port} (container ${container})`);
    return { source: "container", address, stop };
  } catch (error) {
    await stop();
    options.signal?.throwIfAborted();
    log(`${engine} could not run ${recipe.image} (${messageOf(error).trim()}); trying Java and Maven`);
    return undefined;
  }
}

async function startFromMaven(
  kind: ServiceKind,
  port: number,
  home: string,
  options: EnsureOptions,
  log: (line: string) => void,
): Promise<Found> {
  const server = await kind.start({
    port,
    dataDir: join(home, kind.folder),
    home,
    log,
    signal: options.signal,
  });
  log(`started ${kind.product} from Maven on 127.0.0.1:${port} (pid ${server.pid})`);
  return { source: "maven", address: server.address, pid: server.pid!, stop: () => server.stop() };
}

async function becomesReady(
  kind: ServiceKind,
  address: string,
  withinMs: number,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const deadline = systemClock.elapsed() + withinMs;
  while (systemClock.elapsed() < deadline) {
    try {
      await kind.probe(address, PROBE_TIMEOUT_MS);
      return true;
    } catch {
      await sleep(POLL_MS, { signal });
    }
  }
  return false;
}
