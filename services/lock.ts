/**
 * A lock between processes, so that two of them never start the same server or fill the same cache folder at once.
 * It is a file that holds its owner's pid; the lock of a process that died without releasing it is taken over.
 */

import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { sleep, systemClock } from "@order-payment-stream/beam/io";

const WAIT_MS = 10 * 60_000;
const POLL_MS = 100;

export interface LockOptions {
  /** Called once when another process holds the lock. */
  readonly onWait?: (ownerPid: number) => void;
  readonly signal?: AbortSignal | undefined;
  /** How long to wait for the owner before giving up with an error. */
  readonly waitMs?: number;
}

/** Runs `body` while this process alone holds the lock at `path`; waits for the present owner, at most `waitMs`. */
export async function withLock<T>(
  path: string,
  body: () => Promise<T>,
  options: LockOptions = {},
): Promise<T> {
  const token = await acquire(path, options);
  try {
    return await body();
  } finally {
    if (read(path) === token) rmSync(path, { force: true });
  }
}

let acquired = 0;

async function acquire(path: string, options: LockOptions): Promise<string> {
  mkdirSync(dirname(path), { recursive: true });
  const token = `${process.pid} ${++acquired}`;
  const own = `${path}.${process.pid}.${acquired}`;
  const deadline = systemClock.elapsed() + (options.waitMs ?? WAIT_MS);
  let waited = false;
  writeFileSync(own, token);
  try {
    for (;;) {
      // A hard link appears with its content or not at all: nobody ever reads a half-written lock.
      if (tryLink(own, path)) return token;
      const owner = read(path);
      if (owner === undefined) continue;
      const pid = Number.parseInt(owner, 10);
      if (!isRunning(pid)) {
        takeAway(path, owner, `${own}.stale`);
        continue;
      }
      if (!waited) options.onWait?.(pid);
      waited = true;
      if (systemClock.elapsed() > deadline)
        throw new Error(`process ${pid} still holds ${path}; end it or delete the file`);
      await sleep(POLL_MS, { signal: options.signal });
    }
  } finally {
    rmSync(own, { force: true });
  }
}

/** Removes the lock of a dead owner. Another process may have done so and locked since: then its lock is put back. */
function takeAway(path: string, owner: string, aside: string): void {
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  if (read(aside) !== owner) tryLink(aside, path);
  rmSync(aside, { force: true });
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
