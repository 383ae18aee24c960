/**
 * The files of this process, by name of the connection: where they are, and those that are open. Readers that wait for
 * their turn stay open with what they have read ahead; the one that was not used for longest is closed where there are
 * too many.
 */
import { type Clock, SharedConnections, systemClock, TrustedClock } from "@order-payment-stream/beam/io";
import { FileReader, type ReaderOptions } from "./file_reader.js";
import { type FileInfo, type FileSystem, isGcsPath } from "./file_system.js";
import { localFiles } from "./local_files.js";

/** What readers that wait may hold, together. */
const WAITING_MAX_BYTES = 192 * 1024 * 1024;
/** Files that are opened at once. */
const OPENING_MAX = 16;

/** Where files are, and what reading them reports to. */
export interface FilesConfig {
  /** An emulator in place of Google Cloud Storage, such as http://127.0.0.1:4443. */
  readonly gcsEndpoint?: string | undefined;
  readonly clock?: Clock;
  /** Asked whether events are from the future. */
  readonly trustedClock?: TrustedClock;
}

/** The files that the reads of a process have open, and the bytes that wait in memory for all of them. */
export class FilesConnection {
  readonly trustedClock: TrustedClock;
  readonly clock: Clock;
  #gcs: Promise<FileSystem> | undefined;
  /** By what they read and where they stand, the longest unused first. */
  readonly #waiting = new Map<string, { readonly reader: FileReader; readonly bytes: number }>();
  #waitingBytes = 0;
  #opening = 0;
  readonly #queue: (() => void)[] = [];

  constructor(private readonly config: FilesConfig = {}) {
    this.clock = config.clock ?? systemClock;
    this.trustedClock = config.trustedClock ?? new TrustedClock(this.clock);
  }

  /** Of a path or a pattern. */
  async system(path: string): Promise<FileSystem> {
    if (!isGcsPath(path)) return localFiles;
    // Google's client takes a moment to load, and most runs need none.
    this.#gcs ??= import("./gcs_files.js").then(
      ({ GcsFiles }) => new GcsFiles({ apiEndpoint: this.config.gcsEndpoint, clock: this.clock }),
    );
    return this.#gcs;
  }

  /** Files that fit, in the order of their paths. */
  async list(pattern: string): Promise<FileInfo[]> {
    const found: FileInfo[] = [];
    for await (const file of (await this.system(pattern)).list(pattern)) found.push(file);
    return found;
  }

  async write(path: string, bytes: readonly Uint8Array[]): Promise<void> {
    await (await this.system(path)).write(path, bytes);
  }

  /** The reader that waits there, which is no longer here then. @param reads tells reads of one file apart */
  take(reads: string, path: string, start: number): FileReader | undefined {
    const key = `${reads} ${start} ${path}`;
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) return undefined;
    this.#waiting.delete(key);
    this.#waitingBytes -= waiting.bytes;
    return waiting.reader;
  }

  /** Keeps a reader until it is taken, or for as long as there is room. */
  keep(reads: string, path: string, reader: FileReader): void {
    const key = `${reads} ${reader.resumeAt} ${path}`;
    this.#drop(key);
    const bytes = reader.input.heldBytes;
    this.#waiting.set(key, { reader, bytes });
    this.#waitingBytes += bytes;
    for (const oldest of this.#waiting.keys()) {
      if (this.#waitingBytes <= WAITING_MAX_BYTES) break;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) return;
    this.#waiting.delete(key);
    this.#waitingBytes -= waiting.bytes;
    waiting.reader.close().catch(() => undefined);
  }

  /** @throws BadFileError, FileChangedError */
  async open(info: FileInfo, start: number, options: ReaderOptions): Promise<FileReader> {
    if (this.#opening >= OPENING_MAX) await new Promise<void>((resolve) => this.#queue.push(resolve));
    this.#opening++;
    try {
      const system = await this.system(info.path);
      return await FileReader.open(info, await system.open(info), system.chunkBytes, start, options);
    } finally {
      this.#opening--;
      this.#queue.shift()?.();
    }
  }

  async close(): Promise<void> {
    for (const key of [...this.#waiting.keys()]) this.#drop(key);
  }
}

/** The files of this process, by name. */
export const filesConnections = new SharedConnections<FilesConnection>("files", (connection) =>
  connection.close(),
);

/** Registers access to files in this process, under the name that graphs use. */
export function registerFilesConnection(name: string, config: FilesConfig = {}): void {
  filesConnections.register(name, async () => new FilesConnection(config));
}
