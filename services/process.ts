/**
 * Server processes: starting one in the background and ending it, now or by pid in a later run.
 *
 * Each runs in a session of its own with its output in a file, so it outlives this process and a Ctrl-C in the
 * terminal does not reach it: whoever starts one must stop it. A pid alone proves nothing (numbers are reused), so a
 * process is ended by pid only when its command line holds the mark it was started with.
 */

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { dirname } from "node:path";
import { sleep, systemClock } from "@order-payment-stream/beam/io";
import { serverEnvironment } from "./child_environment.js";

/** After SIGTERM a server has this long to end by itself before it is killed. */
const STOP_GRACE_MS = 15_000;
const POLL_MS = 25;
const LOG_TAIL_BYTES = 4_000;

export interface Launch {
  readonly command: string;
  /** Must contain `mark`, whole, as one argument. */
  readonly args: readonly string[];
  /** Receives stdout and stderr. The file of the run before is kept beside it as `.1`. */
  readonly logFile: string;
}

export interface Launched {
  readonly pid: number;
  /** How the process ended, as words; undefined while it runs. */
  ended(): string | undefined;
}

/** Starts a process in the background; throws when the command does not exist. */
export async function launch({ command, args, logFile }: Launch): Promise<Launched> {
  mkdirSync(dirname(logFile), { recursive: true });
  if (existsSync(logFile)) renameSync(logFile, `${logFile}.1`);
  const log = openSync(logFile, "a");
  let child: ChildProcess;
  try {
    child = spawn(command, args, { detached: true, stdio: ["ignore", log, log], env: serverEnvironment() });
  } finally {
    closeSync(log);
  }
  let ended: string | undefined;
  child.once("exit", (code, signal) => {
    ended = signal === null ? `exit code ${code}` : `signal ${signal}`;
  });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", reject);
  });
  child.unref();
  return { pid: child.pid!, ended: () => ended };
}

/** True while process `pid` runs and one of its arguments is `mark`. */
export function isMarked(pid: number, mark: string): boolean {
  return argumentsOf(pid).includes(mark);
}

/** Ends a process by SIGTERM, then SIGKILL. Resolves when it is gone; one without the mark is left alone. */
export async function stopMarked(pid: number, mark: string, graceMs = STOP_GRACE_MS): Promise<void> {
  if (!isMarked(pid, mark)) return;
  signalQuietly(pid, "SIGTERM");
  if (!(await untilGone(pid, graceMs))) await killMarked(pid, mark);
}

/** Ends a process by SIGKILL, as a crash would. Resolves when it is gone; one without the mark is left alone. */
export async function killMarked(pid: number, mark: string): Promise<void> {
  if (!isMarked(pid, mark)) return;
  signalQuietly(pid, "SIGKILL");
  if (!(await untilGone(pid, STOP_GRACE_MS))) throw new Error(`process ${pid} does not end, even by SIGKILL`);
}

/** The last lines of a log file, for an error message. */
export function logTail(logFile: string): string {
  if (!existsSync(logFile)) return "";
  return readFileSync(logFile).subarray(-LOG_TAIL_BYTES).toString("utf8").trim();
}

async function untilGone(pid: number, withinMs: number): Promise<boolean> {
  const deadline = systemClock.elapsed() + withinMs;
  while (!isGone(pid)) {
    if (systemClock.elapsed() > deadline) return false;
    await sleep(POLL_MS);
  }
  return true;
}

/**
 * True when the process holds no port or file any more. A dying process loses its command line first and its sockets
 * last, so the mark is no evidence here; a zombie that nobody collects has lost everything.
 */
function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    if (process.platform === "linux") {
      const [state] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!;
      return state === "Z" && readdirSync(`/proc/${pid}/task`).length === 1;
    }
    return execFileSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" }).startsWith("Z");
  } catch {
    return true;
  }
}

function signalQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It ended by itself in between.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Empty for a process that is gone or a zombie. */
function argumentsOf(pid: number): string[] {
  try {
    if (process.platform === "linux") return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    // macOS and others: ps knows no separator, so an argument with a blank in it cannot be told from two.
    return execFileSync("ps", ["-ww", "-o", "command=", "-p", String(pid)], { encoding: "utf8" })
      .trim()
      .split(" ");
  } catch {
    return [];
  }
}
