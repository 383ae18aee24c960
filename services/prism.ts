/**
 * Prism, Beam's local portable runner: the one that PRISM names, one on the PATH, or, once, by `go install` into
 * `<home>/cache`. It has no setting for the address that it listens on: it listens on every interface.
 */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { buildEnvironment, serverEnvironment } from "./child_environment.js";
import { freePort } from "./discovery.js";
import { messageOf, RequirementMissing } from "./errors.js";
import { servicesHome } from "./home.js";
import { LocalRunner } from "./local_runner.js";
import { withLock } from "./lock.js";

const run = promisify(execFile);

export const PRISM_VERSION = "2.77.0";

const PACKAGE = `github.com/apache/beam/sdks/v2/go/cmd/prism@v${PRISM_VERSION}`;
const PROBE_TIMEOUT_MS = 10_000;
const INSTALL_TIMEOUT_MS = 10 * 60_000;
const ADVICE =
  "Install Go, name Beam's prism command in PRISM or put it on the PATH, or name a running job service in JOB_ENDPOINT.";

export interface LocalRunnerOptions {
  /** Where what is downloaded is kept; default `.local` of the project. */
  readonly home?: string;
  readonly log?: (line: string) => void;
  /** What of it a server may see is passed on to the runner. Default: the process's. */
  readonly env?: NodeJS.ProcessEnv;
  /** What the workers that the runner starts need beside it, secrets too: whoever gives it a job can read them. */
  readonly workerEnvironment?: Readonly<Record<string, string>>;
  /** Gives up, leaving nothing running. */
  readonly signal?: AbortSignal | undefined;
}

/** Starts one on a free port. Throws RequirementMissing or ServiceFailed. */
export async function startPrism(options: LocalRunnerOptions = {}): Promise<LocalRunner> {
  const { log = () => {}, env = process.env, signal } = options;
  const command = await findPrism(options);
  const port = await freePort();
  const runner = await LocalRunner.start({
    name: "Prism",
    command,
    args: () => [`-job_port=${port}`, "-serve_http=false", "-log_kind=text", "-log_level=warn"],
    port,
    // Unless it had a bundle, Prism's job waits for such a worker for ever.
    workerLostLine: /msg="process failed /,
    env,
    workerEnvironment: options.workerEnvironment,
    signal,
  });
  log(
    `started Prism on port ${port} (pid ${runner.pid}). It listens on every interface and runs whatever command a job names: on a machine with other users, or that others can reach, run it and this program in a network namespace`,
  );
  return runner;
}

/** The command, installed when there is none. */
export async function findPrism({
  home = servicesHome(),
  log = () => {},
  env = process.env,
  signal,
}: LocalRunnerOptions = {}): Promise<string> {
  const named = env.PRISM;
  if (named) {
    if (await isPrism(named)) return named;
    throw new RequirementMissing(`PRISM=${named} is not Beam's prism. ${ADVICE}`);
  }
  // Others have commands with this name too.
  if (await isPrism("prism")) return "prism";
  const folder = join(home, "cache", `prism-${PRISM_VERSION}`);
  const command = join(folder, "prism");
  if (existsSync(command)) return command;
  const onWait = (pid: number): void => log(`waiting for process ${pid}, which is installing Prism`);
  await withLock(`${folder}.lock`, () => install(folder, log, env, signal), { signal, onWait });
  return command;
}

async function isPrism(command: string): Promise<boolean> {
  try {
    // Exits with 0 or 2, depending on the version of Go's flag package.
    const options = { timeout: PROBE_TIMEOUT_MS, env: serverEnvironment() };
    const { stdout, stderr } = await run(command, ["-help"], options).catch(
      (error: { stdout?: string; stderr?: string }) => error,
    );
    return `${stdout}${stderr}`.includes("idle_shutdown_timeout");
  } catch {
    return false;
  }
}

async function install(
  folder: string,
  log: (line: string) => void,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (existsSync(folder)) return;
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  log(`installing Prism ${PRISM_VERSION} with Go (once, some minutes)`);
  try {
    await run("go", ["install", PACKAGE], {
      env: { ...buildEnvironment(env), GOBIN: partial },
      timeout: INSTALL_TIMEOUT_MS,
      signal,
    });
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    signal?.throwIfAborted();
    if ((error as NodeJS.ErrnoException).code === "ENOENT")
      throw new RequirementMissing(`Go: not found. ${ADVICE}`);
    const { stderr = "" } = error as { stderr?: string };
    const reason = stderr.trim().split("\n").at(-1) || messageOf(error);
    throw new RequirementMissing(`Go could not install Prism: ${reason}. ${ADVICE}`);
  }
  renameSync(partial, folder);
}
