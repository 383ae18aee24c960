/**
 * Several workers in one container: a process for each id, under one that only watches them. A worker that fails is started
 * again, a few times; then the container ends with a failure, and its engine starts another. A signal goes to all.
 * Source: Beam's boot programs, sdks/python/container/boot.go.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { after } from "../platform/clock.js";
import type { WorkerLog } from "./worker_log.js";

export interface Sibling {
  readonly id: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/** Failures of one worker after which the container is at an end. */
const FAILURES_MAX = 4;
/** From a signal to the end by force. */
const GRACE_MS = 10_000;

/** Resolves when all have ended because their runner needs them no more; rejects when one has failed too often. */
export async function superviseSiblings(siblings: readonly Sibling[], log: WorkerLog): Promise<void> {
  const children = new Map<string, ChildProcess>();
  let isEnding = false;
  const endAll = (): void => {
    isEnding = true;
    for (const child of children.values()) child.kill("SIGTERM");
    after(
      GRACE_MS,
      () => {
        for (const child of children.values()) child.kill("SIGKILL");
      },
      { isBackground: true },
    );
  };
  const supervise = async (sibling: Sibling): Promise<void> => {
    for (let failures = 0; !isEnding; ) {
      const what = await runOnce(sibling, children);
      if (what === undefined || isEnding) return;
      failures++;
      if (failures === FAILURES_MAX) {
        throw new Error(`the worker ${sibling.id} ended ${failures} times, the last time with ${what}`);
      }
      log.warn("a worker ended and is started again", { worker: sibling.id, end: what, times: failures });
    }
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, endAll);
  try {
    await Promise.all(siblings.map(supervise));
  } finally {
    endAll();
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.off(signal, endAll);
  }
}

/** What it failed with; undefined when it ended in order. */
function runOnce(
  { id, command, args, env }: Sibling,
  children: Map<string, ChildProcess>,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(command, [...args], { stdio: ["ignore", "inherit", "inherit"], env });
    children.set(id, child);
    const end = (what: string | undefined): void => {
      children.delete(id);
      resolve(what);
    };
    child.once("error", (error) => end(error.message));
    child.once("exit", (code, signal) => end(code === 0 ? undefined : (signal ?? `exit code ${code}`)));
  });
}
