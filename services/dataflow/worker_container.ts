/**
 * A container of a worker, without a container engine: the entrypoint of an image that is laid out in a folder, started
 * with what the service gives it, in an environment of its own. It is started again when it ends with a failure.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "@order-payment-stream/beam/io";
import { serverEnvironment } from "../child_environment.js";

export interface ContainerOptions {
  /** What the image starts. */
  readonly entrypoint: string;
  readonly id: string;
  /** host:port, of the Fn API. */
  readonly endpoint: string;
  /** Of the image, and what a test adds. */
  readonly env: Readonly<Record<string, string>>;
  readonly onExit: (what: string) => void;
}

const RESTARTS_MAX = 4;
const STOP_GRACE_MS = 5_000;

export class WorkerContainer {
  /** Of what it wrote to stdout and stderr. */
  output = "";
  readonly #folder = mkdtempSync(join(tmpdir(), "order-payment-stream-container-"));
  #child: ChildProcess | undefined;
  #restarts = 0;
  #isStopped = false;

  constructor(private readonly options: ContainerOptions) {
    this.#start();
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get args(): readonly string[] {
    const { id, endpoint } = this.options;
    return [
      `--id=${id}`,
      `--logging_endpoint=${endpoint}`,
      `--artifact_endpoint=${endpoint}`,
      `--provision_endpoint=${endpoint}`,
      `--control_endpoint=${endpoint}`,
      `--semi_persist_dir=${this.#folder}`,
    ];
  }

  /** As an engine stops a container: SIGTERM, and after a while SIGKILL. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    const child = this.#child;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
      child.kill("SIGTERM");
      const cancelKill = after(STOP_GRACE_MS, () => this.#kill(child));
      await exited;
      cancelKill();
      this.#kill(child);
    }
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 3 });
  }

  /** What it started, too: a container ends as a whole. */
  #kill({ pid }: ChildProcess): void {
    try {
      process.kill(-pid!, "SIGKILL");
    } catch {
      // Nobody is left.
    }
  }

  #start(): void {
    const child = spawn(this.options.entrypoint, this.args, {
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...serverEnvironment(), ...this.options.env },
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.output = (this.output + chunk.toString()).slice(-100_000);
      });
    }
    child.once("error", (error) => this.options.onExit(`the entrypoint cannot be started: ${error.message}`));
    child.once("exit", (code, signal) => {
      this.#kill(child);
      if (this.#isStopped || code === 0) return;
      this.options.onExit(`a worker container ended with ${signal ?? `exit code ${code}`}`);
      if (this.#restarts++ < RESTARTS_MAX) this.#start();
    });
  }
}
