/**
 * Gets a command written in Go, once: `<home>/cache/<name>-<version>/<name>`. The folder appears by one rename when it
 * is complete, so an interrupted build is never mistaken for a good one.
 */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { buildEnvironment } from "./child_environment.js";
import { messageOf, RequirementMissing } from "./errors.js";
import { withLock } from "./lock.js";

const run = promisify(execFile);

const INSTALL_TIMEOUT_MS = 10 * 60_000;

export interface GoCommandRequest {
  /** The last part of the package, which is what the command is called. */
  readonly name: string;
  /** Such as github.com/somebody/something. */
  readonly package: string;
  readonly version: string;
  /** Ends the message when it cannot be had. */
  readonly advice: string;
  readonly home: string;
  readonly log: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Path of the command. Throws RequirementMissing when Go or the package cannot be had. */
export async function installGoCommand(request: GoCommandRequest): Promise<string> {
  const { name, version, home, log, signal } = request;
  const folder = join(home, "cache", `${name}-${version}`);
  const command = join(folder, name);
  if (existsSync(command)) return command;
  const onWait = (pid: number): void => log(`waiting for process ${pid}, which is building ${name}`);
  await withLock(`${folder}.lock`, () => install(folder, request), { signal, onWait });
  return command;
}

async function install(folder: string, request: GoCommandRequest): Promise<void> {
  if (existsSync(folder)) return;
  const { name, version, advice, log, signal } = request;
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  log(`building ${name} ${version} with Go (once, about a minute)`);
  try {
    await run("go", ["install", `${request.package}@v${version}`], {
      env: { ...buildEnvironment(), GOBIN: partial },
      timeout: INSTALL_TIMEOUT_MS,
      signal,
    });
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    signal?.throwIfAborted();
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      throw new RequirementMissing(`Go: not found. ${advice}`);
    }
    const { stderr = "" } = error as { stderr?: string };
    const reason = stderr.trim().split("\n").at(-1) || messageOf(error);
    throw new RequirementMissing(`Go could not build ${name}: ${reason}. ${advice}`);
  }
  renameSync(partial, folder);
}
