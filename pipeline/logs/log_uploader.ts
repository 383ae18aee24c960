/**
 * Carries the files of a log to a bucket: each that is finished, and now and then the one that is being written. A file
 * becomes an object of its name in a folder of this machine. Files only grow, so one whose object has its length is
 * there; whatever an earlier process has left behind, a crash's too, is found by that at the start. Nobody waits for
 * it: an outage is told and tried again.
 */
import { createReadStream } from "node:fs";
import { hostname } from "node:os";
import {
  type Clock,
  type HealthReporter,
  type ObjectInfo,
  type ObjectStore,
  PreconditionFailedError,
} from "@order-payment-stream/beam/io";
import type { LogFile, LogFiles } from "./log_files.js";

/** Of an object that is not there. */
const ABSENT = "0";
const COMPONENT = "logs";
/** How long the end of a process waits for the last of it. */
const CLOSE_MAX_MS = 5_000;

export interface LogUploaderOptions {
  readonly files: LogFiles;
  /** Opened at the first upload, and again after it could not be. */
  readonly open: () => Promise<ObjectStore>;
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly health: HealthReporter;
  readonly host?: string;
}

export class LogUploader {
  readonly #folder: string;
  #store: ObjectStore | undefined;
  /** By the name of the file, what is in the bucket. */
  #known: Map<string, Pick<ObjectInfo, "length" | "generation">> | undefined;
  #underWay: Promise<void> | undefined;
  #isWanted = false;
  #isClosed = false;
  #cancel: (() => void) | undefined;

  constructor(private readonly options: LogUploaderOptions) {
    this.#folder = (options.host ?? hostname()).replace(/[^\w.-]/g, "_");
    options.files.onFinished = () => void this.upload();
    this.#schedule(0);
  }

  /** Whether all of a file is in the bucket. */
  isThere({ name, length }: LogFile): boolean {
    return this.#known?.get(name)?.length === length;
  }

  /** What has been written since the last time. Resolves when it is there, or could not be brought there. */
  upload(): Promise<void> {
    this.#isWanted = true;
    this.#underWay ??= this.#run().finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  /** Waits some seconds for the rest. Resolves also when it does not get there: the next start brings it. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancel?.();
    const { clock, files } = this.options;
    files.onFinished = undefined;
    let cancel: (() => void) | undefined;
    const isOver = new Promise<void>((resolve) => {
      cancel = clock.schedule(CLOSE_MAX_MS, resolve);
    });
    await Promise.race([this.upload(), isOver]);
    cancel?.();
  }

  #schedule(delayMs: number): void {
    if (this.#isClosed) return;
    this.#cancel = this.options.clock.schedule(delayMs, () => {
      void this.upload().finally(() => this.#schedule(this.options.intervalMs));
    });
  }

  async #run(): Promise<void> {
    const { health, files } = this.options;
    try {
      while (this.#isWanted) {
        this.#isWanted = false;
        await this.#uploadAll();
      }
      health.clear(COMPONENT);
    } catch (error) {
      // What is known of the bucket may be wrong: it is looked at anew.
      this.#known = undefined;
      const why = error instanceof Error ? error.message : String(error);
      health.report(COMPONENT, `the log does not reach the bucket, and stays on this machine: ${why}`);
    }
    await files.prune((file) => this.isThere(file)).catch(() => undefined);
  }

  async #uploadAll(): Promise<void> {
    this.#store ??= await this.options.open();
    this.#known ??= await this.#list(this.#store);
    for (const file of await this.options.files.list()) {
      if (file.length > 0 && !this.isThere(file)) await this.#put(this.#store, file);
    }
  }

  async #put(store: ObjectStore, { name, path, length }: LogFile): Promise<void> {
    const generation = this.#known!.get(name)?.generation ?? ABSENT;
    const body = {
      length,
      // What was written since is left to the next time.
      open: () => createReadStream(path, { end: length - 1 }) as AsyncIterable<Uint8Array>,
    };
    try {
      const put = await store.put(`${this.#folder}/${name}`, body, generation);
      this.#known!.set(name, { length, generation: put.generation });
    } catch (error) {
      if (!(error instanceof PreconditionFailedError)) throw error;
      // An answer was lost, or another process has brought it: what is there now counts.
      this.#known = await this.#list(store);
      this.#isWanted = true;
    }
  }

  async #list(store: ObjectStore): Promise<Map<string, Pick<ObjectInfo, "length" | "generation">>> {
    const known = new Map<string, Pick<ObjectInfo, "length" | "generation">>();
    const prefix = `${this.#folder}/`;
    for await (const { name, length, generation } of store.list(prefix)) {
      known.set(name.slice(prefix.length), { length, generation });
    }
    return known;
  }
}
