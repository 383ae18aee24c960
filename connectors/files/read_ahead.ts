/**
 * A file read from one place on, chunk by chunk, with the next chunk on its way while this one is worked on. At any
 * time it holds what is asked for and not yet taken, and two chunks at most beside it.
 */
import { FileChangedError } from "./errors.js";
import type { FileInfo, OpenFile } from "./file_system.js";

const NOTHING = Buffer.alloc(0);

export class ReadAhead {
  #buffer: Buffer = NOTHING;
  /** In `#buffer`. */
  #at = 0;
  /** Of the first byte that has not been asked for. */
  #asked: number;
  /** Of the whole; Infinity until the end is met, where nobody knows it before. */
  #size: number;
  #onItsWay: Promise<Buffer> | undefined;

  /** @param position of the first byte */
  constructor(
    private readonly file: OpenFile,
    private readonly info: FileInfo,
    position: number,
    private readonly chunkBytes: number,
  ) {
    this.#size = info.size;
    this.#asked = Math.min(position, info.size);
  }

  /** Of the next byte, in the file. */
  get position(): number {
    return this.#asked - this.#ahead - (this.#buffer.length - this.#at);
  }

  /** Bytes at hand. */
  get available(): number {
    return this.#buffer.length - this.#at;
  }

  /** Whether what is at hand is all that the file has left. */
  get isAtEnd(): boolean {
    return this.#asked >= this.#size && this.#onItsWay === undefined;
  }

  /** What it keeps in memory, at most, while nobody reads on. */
  get heldBytes(): number {
    return Math.max(this.available, this.chunkBytes) + this.chunkBytes;
  }

  /** The bytes at hand; they may be kept. */
  get view(): Buffer {
    return this.#buffer.subarray(this.#at);
  }

  take(length: number): Buffer {
    const taken = this.#buffer.subarray(this.#at, this.#at + length);
    this.skip(length);
    return taken;
  }

  skip(length: number): void {
    this.#at += length;
    if (this.available < this.chunkBytes) this.#ask(this.chunkBytes);
  }

  /** Whether `length` bytes, or all that are left, are at hand. */
  has(length: number): boolean {
    return this.available >= length || this.isAtEnd;
  }

  /** Until `has(length)`. */
  async load(length: number): Promise<void> {
    while (!this.has(length)) {
      this.#ask(Math.max(this.chunkBytes, length - this.available));
      const chunk = await this.#onItsWay!;
      this.#onItsWay = undefined;
      this.#ahead = 0;
      this.#buffer = this.available === 0 ? chunk : Buffer.concat([this.view, chunk]);
      this.#at = 0;
      if (this.available < this.chunkBytes) this.#ask(this.chunkBytes);
    }
  }

  async close(): Promise<void> {
    await this.#onItsWay?.catch(() => undefined);
    await this.file.close();
  }

  /** Bytes on their way. */
  #ahead = 0;

  #ask(length: number): void {
    if (this.#onItsWay !== undefined) return;
    const wanted = Math.min(length, this.#size - this.#asked);
    if (wanted <= 0) return;
    const { file, info } = this;
    const position = this.#asked;
    this.#asked += wanted;
    this.#ahead = wanted;
    this.#onItsWay = file.read(position, wanted).then((chunk) => {
      if (chunk.length < wanted) {
        if (info.size < Number.POSITIVE_INFINITY) throw new FileChangedError(info.path, "has become shorter");
        this.#size = position + chunk.length;
        this.#asked = this.#size;
        this.#ahead = chunk.length;
      }
      return chunk;
    });
    // Whoever waits for it sees its failure; it may be that nobody ever does.
    this.#onItsWay.catch(() => undefined);
  }
}
