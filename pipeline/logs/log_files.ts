/**
 * The log in files: one is written at a time, and finished when it is too large or too old. The name of a file says when
 * it was begun, and by which process, so that two on one directory do not meet. Lines are handed to the system as they
 * come; nobody waits for the disk: where it does not keep up, lines are dropped and counted, and a full disk is told once.
 */
import { createWriteStream, type WriteStream } from "node:fs";
import { readdir, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { type HealthReporter, systemClock } from "@order-payment-stream/beam/io";
import type { LogSink } from "../report/log.js";

export interface LogFilesOptions {
  readonly folder: string;
  readonly bytesMax: number;
  readonly ageMaxMs: number;
  /** Finished files that are older go. */
  readonly keptMs: number;
  readonly health: HealthReporter;
  readonly now?: () => number;
}

export interface LogFile {
  readonly name: string;
  readonly path: string;
  readonly length: number;
  readonly changedMs: number;
}

const COMPONENT = "log files";
const NAME = /^order-payment-stream-\d{8}T\d{6}Z-\d+-\d+\.log$/;
/** How long after one that could not be written the next one is tried. */
const RETRY_MS = 10_000;
/** Bytes that wait for the disk, at most. */
const WAITING_MAX = 4 << 20;

export class LogFiles implements LogSink {
  readonly #now: () => number;
  #stream: WriteStream | undefined;
  #path: string | undefined;
  #name = "";
  #bytes = 0;
  #begunMs = 0;
  #count = 0;
  #dropped = 0;
  /** Files that are being finished. */
  readonly #finishing = new Set<Promise<void>>();
  /** Called when a file is finished. */
  onFinished: (() => void) | undefined;

  constructor(private readonly options: LogFilesOptions) {
    this.#now = options.now ?? (() => systemClock.now());
  }

  write(line: string): void {
    const { bytesMax, ageMaxMs } = this.options;
    const ageMs = this.#now() - this.#begunMs;
    const isFull = this.#bytes > 0 && (this.#bytes >= bytesMax || ageMs >= ageMaxMs);
    const isBroken = this.#stream?.destroyed === true && ageMs >= RETRY_MS;
    if (this.#stream === undefined || isFull || isBroken) this.#begin();
    const stream = this.#stream!;
    if (stream.writableLength > WAITING_MAX) {
      this.#dropped++;
      return;
    }
    const gap =
      this.#dropped === 0
        ? ""
        : `${JSON.stringify({ level: 40, time: this.#now(), msg: `${this.#dropped} messages were dropped here: the disk did not keep up` })}\n`;
    this.#dropped = 0;
    const text = gap + line;
    this.#bytes += Buffer.byteLength(text);
    stream.write(text);
  }

  /** The name of the file that is written now; undefined: none is. */
  get current(): string | undefined {
    return this.#stream === undefined ? undefined : this.#name;
  }

  /** All files of the directory that are a log's, the oldest first. */
  async list(): Promise<LogFile[]> {
    const { folder } = this.options;
    const names = (await readdir(folder)).filter((name) => NAME.test(name)).sort();
    const files = await Promise.all(
      names.map(async (name) => {
        const path = join(folder, name);
        const found = await stat(path).catch(() => undefined);
        return found && { name, path, length: found.size, changedMs: found.mtimeMs };
      }),
    );
    return files.filter((file) => file !== undefined);
  }

  /** Removes finished files whose time is over. @param mayGo asked of each */
  async prune(mayGo: (file: LogFile) => boolean = () => true): Promise<void> {
    const before = this.#now() - this.options.keptMs;
    for (const file of await this.list()) {
      if (file.name === this.current || file.changedMs > before || !mayGo(file)) continue;
      await unlink(file.path).catch(() => undefined);
    }
  }

  /** Resolves when what was written is with the system. */
  async close(): Promise<void> {
    this.#finish();
    await Promise.all(this.#finishing);
  }

  #begin(): void {
    this.#finish();
    const { folder, health } = this.options;
    this.#begunMs = this.#now();
    const time = new Date(this.#begunMs).toISOString().replace(/[-:]|\.\d+/g, "");
    this.#name = `order-payment-stream-${time}-${process.pid}-${++this.#count}.log`;
    this.#path = join(folder, this.#name);
    this.#bytes = 0;
    const stream = createWriteStream(this.#path, { flags: "a", mode: 0o640 });
    stream.on("error", (error) => {
      health.report(COMPONENT, `the log cannot be written to ${folder}: ${error.message}`);
    });
    stream.once("ready", () => health.clear(COMPONENT));
    this.#stream = stream;
  }

  #finish(): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    this.#stream = undefined;
    const finished = new Promise<void>((resolve) => {
      stream.once("close", resolve);
      if (stream.destroyed) resolve();
      else stream.end();
    }).then(() => {
      this.#finishing.delete(finished);
      this.onFinished?.();
    });
    this.#finishing.add(finished);
  }
}
