/**
 * A server on 127.0.0.1 with a data folder: started, stopped, killed and restarted on the same data and port.
 * It is not tied to the life of this process; see services/process.ts.
 */

import { resolve } from "node:path";
import { sleep, systemClock } from "@order-payment-stream/beam/io";
import { isListening } from "./discovery.js";
import { messageOf, ServiceFailed } from "./errors.js";
import { killMarked, type Launched, launch, logTail, stopMarked } from "./process.js";
import { markOf, removeRecord, writeRecord } from "./record.js";

const START_TIMEOUT_MS = 60_000;
const PROBE_TIMEOUT_MS = 5_000;
const POLL_MS = 50;

export interface LocalServerOptions {
  /** Default: a free port. */
  readonly port?: number;
  /** Holds data, settings and log. */
  readonly dataDir: string;
  /** Where what is downloaded is cached; default `.local` of the project. */
  readonly home?: string;
  readonly log?: (line: string) => void;
  /** Gives up, leaving nothing running. */
  readonly signal?: AbortSignal | undefined;
}

export interface ServerRecipe {
  /** For messages, such as "Kafka". */
  readonly name: string;
  readonly version: string;
  /** Holds everything of this server: settings, data, log, record. */
  readonly dataDir: string;
  readonly port: number;
  /** What a client connects to. */
  readonly address: string;
  readonly command: string;
  /** One of them must be the mark. */
  readonly args: (mark: string) => readonly string[];
  /** Runs before each start. */
  readonly prepare?: () => Promise<void>;
  readonly probe: (address: string, timeoutMs: number) => Promise<void>;
}

export class LocalServer {
  private running: Launched | undefined;

  constructor(private readonly recipe: ServerRecipe) {
    if (recipe.dataDir !== resolve(recipe.dataDir))
      throw new Error(`not an absolute path: ${recipe.dataDir}`);
  }

  get address(): string {
    return this.recipe.address;
  }

  get port(): number {
    return this.recipe.port;
  }

  get version(): string {
    return this.recipe.version;
  }

  get dataDir(): string {
    return this.recipe.dataDir;
  }

  get logFile(): string {
    return `${this.recipe.dataDir}/server.log`;
  }

  /** Undefined when it was not started, or was stopped or killed here. */
  get pid(): number | undefined {
    return this.running?.pid;
  }

  /** Resolves when clients can use it. Throws ServiceFailed, with nothing left running, when it does not come up. */
  async start(signal?: AbortSignal): Promise<void> {
    if (this.running !== undefined)
      throw new Error(`${this.recipe.name} is running already (pid ${this.running.pid})`);
    // Otherwise what answers there would be taken for this server.
    if (await isListening(this.port))
      throw new ServiceFailed(`${this.recipe.name}: port ${this.port} is taken`);
    await this.recipe.prepare?.();
    signal?.throwIfAborted();
    const { command, args } = this.recipe;
    this.running = await launch({ command, args: args(markOf(this.dataDir)), logFile: this.logFile });
    writeRecord(this.dataDir, { kind: "process", pid: this.running.pid, port: this.port });
    try {
      await this.untilReady(this.running, signal);
    } catch (error) {
      await this.kill();
      throw error;
    }
  }

  /** Ends it in order, so that everything is on disk. Nothing happens when it does not run. */
  async stop(): Promise<void> {
    await this.end(stopMarked);
  }

  /** Ends it by SIGKILL, as a crash would. */
  async kill(): Promise<void> {
    await this.end(killMarked);
  }

  /** Starts it again on the same data and port, after a stop, a kill, or (stopping it first) while it runs. */
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  private async end(how: (pid: number, mark: string) => Promise<void>): Promise<void> {
    if (this.running === undefined) return;
    await how(this.running.pid, markOf(this.dataDir));
    this.running = undefined;
    removeRecord(this.dataDir);
  }

  private async untilReady(launched: Launched, signal: AbortSignal | undefined): Promise<void> {
    const deadline = systemClock.elapsed() + START_TIMEOUT_MS;
    let reason = "nothing listens on its port";
    for (;;) {
      const ended = launched.ended();
      if (ended !== undefined) throw this.failure(`ended while starting (${ended})`);
      if (await isListening(this.port)) {
        try {
          return await this.recipe.probe(this.address, PROBE_TIMEOUT_MS);
        } catch (error) {
          reason = messageOf(error);
        }
      }
      if (systemClock.elapsed() > deadline)
        throw this.failure(`is not ready after ${START_TIMEOUT_MS} ms (${reason})`);
      await sleep(POLL_MS, { signal });
    }
  }

  private failure(what: string): ServiceFailed {
    return new ServiceFailed(
      `${this.recipe.name} ${what}; its log ${this.logFile} ends:\n${logTail(this.logFile)}`,
    );
  }
}
