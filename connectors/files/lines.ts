/**
 * Lines of a text, in batches of whole ones. A line belongs to the part of a file that holds its first byte; it ends
 * with a line feed, before which a carriage return is left out, or with the file. Blank ones are passed over.
 */
import { BadBlockError } from "./avro_container.js";
import type { ReadAhead } from "./read_ahead.js";

const LF = 0x0a;
const CR = 0x0d;
const BATCH_LINES_MAX = 1024;
const SHOWN_MAX_BYTES = 64 * 1024;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

export class Lines {
  /** What is at hand. */
  buffer: Buffer = Buffer.alloc(0);
  /** Of the lines of the batch, in `buffer`. */
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  /** In the file, of the first byte of `buffer`. */
  offset = 0;

  constructor(
    private readonly input: ReadAhead,
    private readonly path: string,
    private readonly lineMaxBytes: number,
  ) {}

  /** In front of the first line that begins at or behind `position`; the input stands one byte in front of it, or at 0. */
  async seek(position: number): Promise<void> {
    const { input } = this;
    if (position === 0) {
      await input.load(BYTE_ORDER_MARK.length);
      if (input.view.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK))
        input.skip(BYTE_ORDER_MARK.length);
      return;
    }
    await this.skipLine();
  }

  /** Over the rest of a line. */
  async skipLine(): Promise<void> {
    const { input } = this;
    for (;;) {
      const end = input.view.indexOf(LF);
      if (end >= 0) {
        input.skip(end + 1);
        return;
      }
      input.skip(input.available);
      if (input.isAtEnd) return;
      await input.load(1);
    }
  }

  /** Where the next line begins. */
  get position(): number {
    return this.input.position;
  }

  get isAtEnd(): boolean {
    return this.input.available === 0 && this.input.isAtEnd;
  }

  #wanted = 1;

  isReady(): boolean {
    const { input } = this;
    if (input.isAtEnd) return true;
    const from = Math.min(this.#seen, input.available);
    if (input.view.indexOf(LF, from) >= 0) return true;
    this.#seen = input.available;
    this.#wanted = input.available + 1;
    // More than a line may have: `next` says so.
    return input.available > this.lineMaxBytes;
  }

  /** So many bytes at hand have no end of a line in them. */
  #seen = 0;

  load(): Promise<void> {
    return this.input.load(this.#wanted).then(() => (this.isReady() ? undefined : this.load()));
  }

  /**
   * Makes a batch of the lines at hand that begin in front of `end`.
   * @returns the position of the last of them; undefined when the next line begins at or behind `end`
   */
  batch(end: number): number | undefined {
    const { input, starts, ends } = this;
    this.buffer = input.view;
    this.offset = input.position;
    starts.length = 0;
    ends.length = 0;
    let at = 0;
    while (starts.length < BATCH_LINES_MAX && this.offset + at < end && at < this.buffer.length) {
      let next = this.buffer.indexOf(LF, at);
      if (next < 0) {
        if (!input.isAtEnd) break;
        next = this.buffer.length;
      }
      starts.push(at);
      ends.push(next > at && this.buffer[next - 1] === CR ? next - 1 : next);
      at = Math.min(next + 1, this.buffer.length);
    }
    this.#length = at;
    if (starts.length > 0) return this.offset + starts.at(-1)!;
    // A line that is too long.
    return this.offset < end ? this.offset : undefined;
  }

  #length = 0;

  /**
   * Takes the batch.
   * @throws BadBlockError for a line that is too long, whose rest is still to be skipped
   */
  take(): void {
    this.#seen = 0;
    const { input, path, lineMaxBytes, offset } = this;
    if (this.starts.length === 0) {
      const shown = this.buffer.subarray(0, SHOWN_MAX_BYTES);
      throw new BadBlockError(
        path,
        offset,
        `a line is longer than ${lineMaxBytes} bytes`,
        shown,
        true,
        false,
      );
    }
    input.skip(this.#length);
  }
}
