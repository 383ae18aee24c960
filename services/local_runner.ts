/**
 * A Beam runner that lives no longer than the program that started it: it is ended by stop(), when the program exits,
 * and also when the program is killed, for a shell beside it watches a pipe that only the program holds open. All
 * that the runner starts, workers too, is one process group, and ends with it.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, fstatSync, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sleep, systemClock } from "@order-payment-stream/beam/io";
import { serverEnvironment } from "./child_environment.js";
import { isListening } from "./discovery.js";
import { ServiceFailed } from "./errors.js";
import { type LogWatch, watchLog } from "./log_watch.js";

const START_TIMEOUT_MS = 60_000;
/** After SIGTERM; what it leaves unfinished is of no use to anybody. */
const STOP_GRACE_MS = 10_000;
const POLL_MS = 25;
const LOG_NAME = "runner.log";
/** Of the log's beginning: a panic and its first stack. What a runner warns of is little. */
const LOG_READ_BYTES = 1 << 20;
const LOG_LINES = 5;
const LOG_LINE_MAX = 500;

/** $0 is the runner's folder, $@ its command. `kill 0` means the group: this shell, the runner, its workers. */
const WATCHED = `
exec 3<&0 </dev/null
"$@" 3<&- &
runner=$!
(trap '' TERM; cat <&3 >/dev/null; rm -rf "$0"; kill -KILL 0) &
exec 3<&-
trap 'kill -TERM "$runner"' TERM
while wait "$runner"; code=$?; kill -0 "$runner" 2>/dev/null; do :; done
exit "$code"`;

export interface RunnerRecipe {
  /** For messages. */
  readonly name: string;
  readonly command: string;
  /** Of the runner; `folder` is its own, for what it writes, and gone when it is stopped. */
  readonly args: (folder: string) => readonly string[];
  /** Its job service's, on 127.0.0.1 among others. */
  readonly port: number;
  /** The line of its log that tells that a worker process of its ended, where that does not end the job. */
  readonly workerLostLine?: RegExp;
  /** What of it a server may see is passed on. Default: this process's. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** What the workers that it starts need beside it, secrets too. */
  readonly workerEnvironment?: Readonly<Record<string, string>> | undefined;
  /** Gives up, leaving nothing running. */
  readonly signal?: AbortSignal | undefined;
}

export class LocalRunner {
  /** Resolves with its last words when it ends without having been stopped. */
  readonly ended: Promise<string>;
  /** Resolves with what its log says when a worker process that it started ended, as it also does at a job's end. */
  readonly workerLost: Promise<string>;
  readonly #watch: LogWatch | undefined;
  readonly #exited: Promise<void>;
  #isStopped = false;
  #lastWords = "";
  #exitReason: string | undefined;
  /** Its log has nothing to say about that. */
  #isKilled = false;

  private constructor(
    private readonly recipe: RunnerRecipe,
    private readonly child: ChildProcess,
    private readonly folder: string,
    /** For reading. Open from the start: the watching shell may have removed the folder when the runner's end is told. */
    private readonly log: number,
  ) {
    this.#exited = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        // The shell passes on the runner's signal as 128 more.
        this.#isKilled = signal !== null || (code !== null && code > 128);
        this.#exitReason = signal === null ? `exit code ${code}` : `signal ${signal}`;
        this.#watch?.stop();
        if (!this.#isStopped) this.#lastWords = this.#describeEnd();
        closeSync(this.log);
        // Lets the watching shell end, and with it whatever the runner left behind.
        child.stdin?.destroy();
        resolve();
      });
    });
    const { workerLostLine } = recipe;
    this.#watch = workerLostLine && watchLog(this.#logFile, workerLostLine);
    this.workerLost = this.#watch?.found ?? new Promise(() => undefined);
    this.ended = new Promise((resolve) => {
      void this.#exited.then(() => {
        if (!this.#isStopped) resolve(this.#lastWords);
      });
    });
  }

  /** Resolves when its job service accepts connections. Throws ServiceFailed, with nothing left running. */
  static async start(recipe: RunnerRecipe): Promise<LocalRunner> {
    const folder = mkdtempSync(join(tmpdir(), "order-payment-stream-runner-"));
    const log = openSync(join(folder, LOG_NAME), "a");
    let child: ChildProcess;
    try {
      child = spawn("sh", ["-c", WATCHED, folder, recipe.command, ...recipe.args(folder)], {
        detached: true,
        stdio: ["pipe", log, log],
        env: { ...serverEnvironment(recipe.env), ...recipe.workerEnvironment },
      });
    } finally {
      closeSync(log);
    }
    // The shell is gone before us when the runner ended early.
    child.stdin?.on("error", () => undefined);
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", reject);
    });
    child.unref();
    const runner = new LocalRunner(recipe, child, folder, openSync(join(folder, LOG_NAME), "r"));
    try {
      await runner.#untilReady();
    } catch (error) {
      await runner.stop();
      throw error;
    }
    return runner;
  }

  /** host:port of the job service. */
  get endpoint(): string {
    return `127.0.0.1:${this.recipe.port}`;
  }

  /** Of the process group. */
  get pid(): number {
    return this.child.pid!;
  }

  /** Ends it, with all that it started. May be called again. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#watch?.stop();
    // A program that only waits for this must not end before.
    this.child.ref();
    if (this.#exitReason === undefined) {
      this.child.kill("SIGTERM");
      await Promise.race([this.#exited, sleep(STOP_GRACE_MS, { isBackground: true })]);
    }
    // Whoever is left in the group is killed by its shell.
    this.child.stdin?.destroy();
    await this.#exited;
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  async #untilReady(): Promise<void> {
    const { name, port, signal } = this.recipe;
    const deadline = systemClock.elapsed() + START_TIMEOUT_MS;
    while (!(await isListening(port))) {
      if (this.#exitReason !== undefined) throw new ServiceFailed(this.#lastWords);
      if (systemClock.elapsed() > deadline) {
        throw new ServiceFailed(
          `${name} does not listen on port ${port} after ${START_TIMEOUT_MS / 1000} s; its log ends:\n${this.#logTail()}`,
        );
      }
      await sleep(POLL_MS, { signal });
    }
  }

  get #logFile(): string {
    return join(this.folder, LOG_NAME);
  }

  #describeEnd(): string {
    const ended = `${this.recipe.name} ended by itself (${this.#exitReason})`;
    const tail = this.#isKilled ? "" : this.#logTail();
    return tail === "" ? ended : `${ended}; its log ends: ${tail}`;
  }

  /** A panic of Go has one line that matters, and hundreds behind it. */
  #logTail(): string {
    const bytes = Buffer.alloc(Math.min(fstatSync(this.log).size, LOG_READ_BYTES));
    readSync(this.log, bytes, 0, bytes.length, 0);
    const lines = bytes.toString("utf8").trim().split("\n");
    const panic = lines.find((line) => /^(panic|fatal error): /.test(line));
    const last = panic === undefined ? lines.slice(-LOG_LINES) : [panic];
    return last.map((line) => line.slice(0, LOG_LINE_MAX)).join("\n");
  }
}
