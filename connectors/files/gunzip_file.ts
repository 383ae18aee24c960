/** What is packed in a gzip file, as if it was a file that is read from its beginning to its end and nowhere else. */
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";

import { BadFileError } from "./errors.js";
import type { FileInfo, OpenFile } from "./file_system.js";
import { ReadAhead } from "./read_ahead.js";

export class GunzipFile implements OpenFile {
  readonly #packed: ReadAhead;
  readonly #source: Readable;
  readonly #chunks: AsyncIterator<Buffer>;
  #left: Buffer = Buffer.alloc(0);
  failure: BadFileError | undefined;
  /** Of the first byte of `#left`. */
  #position = 0;

  constructor(
    file: OpenFile,
    private readonly info: FileInfo,
    chunkBytes: number,
  ) {
    this.#packed = new ReadAhead(file, info, 0, chunkBytes);
    this.#source = Readable.from(this.#packedChunks(), { objectMode: false });
    const gunzip = createGunzip({ chunkSize: 64 * 1024 });
    this.#source.on("error", (error) => gunzip.destroy(error));
    this.#chunks = this.#source.pipe(gunzip)[Symbol.asyncIterator]();
  }

  /** Packed bytes that were read. */
  get packedPosition(): number {
    return this.#packed.position;
  }

  async *#packedChunks(): AsyncIterable<Buffer> {
    const packed = this.#packed;
    for (;;) {
      await packed.load(1);
      if (packed.available === 0) return;
      yield packed.take(packed.available);
    }
  }

  /** @param position where the last read ended, or further on */
  async read(position: number, length: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    let missing = length;
    while (missing > 0) {
      if (this.#left.length === 0) {
        if (this.failure !== undefined) break;
        const chunk = await this.#next();
        if (chunk === undefined) break;
        this.#left = chunk;
      }
      const skipped = Math.min(this.#left.length, Math.max(0, position - this.#position));
      const part = this.#left.subarray(skipped, skipped + missing);
      this.#left = this.#left.subarray(skipped + part.length);
      this.#position += skipped + part.length;
      missing -= part.length;
      if (part.length > 0) parts.push(part);
    }
    return Buffer.concat(parts);
  }

  async #next(): Promise<Buffer | undefined> {
    try {
      const { value, done } = await this.#chunks.next();
      return done ? undefined : value;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (typeof code !== "string" || !code.startsWith("Z_")) throw error;
      this.failure = new BadFileError(
        this.info.path,
        this.#position,
        `it cannot be unpacked (gzip): ${message}`,
      );
      return undefined;
    }
  }

  async close(): Promise<void> {
    this.#source.destroy();
    await this.#chunks.return?.();
    await this.#packed.close();
  }
}
