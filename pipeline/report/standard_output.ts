/**
 * Stdout and stderr, which somebody else reads: slowly, not at all, or no longer. Stdout holds results, so whoever
 * writes waits for the reader. Stderr holds the log, which may stop nothing: what is not read in time is dropped and
 * counted, and without a reader the program goes on.
 */
import { after, systemClock } from "@order-payment-stream/beam/io";

/** Characters of the log that wait for their reader, at most. */
const LOG_WAITING_MAX = 1 << 20;
/** How long the end of the program waits for whoever reads the log. */
const FLUSH_MAX_MS = 1_000;

/** What both the log and the live progress write to. */
export interface TerminalStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** The part of a stream that is needed; process.stderr fits. */
export interface OutputStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly writableLength: number;
  on(event: "error", listener: (error: Error) => void): unknown;
  write(text: string, done?: (error?: Error | null) => void): unknown;
}

/** Nobody reads stdout any more. */
export class OutputClosedError extends Error {
  override readonly name = "OutputClosedError";

  constructor(cause: Error) {
    super("nobody reads stdout any more", { cause });
  }
}

/** Stderr, for whoever must not be stopped by it. */
export class LogOutput implements TerminalStream {
  #isClosed = false;
  #dropped = 0;

  constructor(private readonly stream: OutputStream) {
    stream.on("error", () => {
      this.#isClosed = true;
    });
  }

  get isTTY(): boolean {
    return this.stream.isTTY === true;
  }

  get columns(): number {
    return this.stream.columns ?? 0;
  }

  write(text: string): void {
    if (this.#isClosed) return;
    if (this.stream.writableLength > LOG_WAITING_MAX) {
      this.#dropped++;
      return;
    }
    const gap = this.#dropped === 0 ? "" : this.#gapText();
    this.#dropped = 0;
    this.stream.write(gap + text);
  }

  /** Resolves when all is out, or nobody takes it. */
  async flush(timeoutMs = FLUSH_MAX_MS): Promise<void> {
    if (this.#isClosed || this.stream.writableLength === 0) return;
    await new Promise<void>((resolve) => {
      const cancel = after(timeoutMs, resolve);
      this.stream.write("", () => {
        cancel();
        resolve();
      });
    });
  }

  #gapText(): string {
    const message = `${this.#dropped} messages were dropped here: nobody read the log in time`;
    if (this.isTTY) return `${message}\n`;
    return `${JSON.stringify({ level: 40, time: systemClock.now(), dropped: this.#dropped, msg: message })}\n`;
  }
}

/** The one of this process. */
export const logOutput = new LogOutput(process.stderr);

// Whoever prints is told by its own call.
process.stdout.on("error", () => undefined);

/**
 * Writes a line to stdout and waits until it is out, so that the process may end.
 * @throws OutputClosedError; what the system says of a file, a full disk for example
 */
export function print(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(`${text}\n`, (error) => {
      if (!error) resolve();
      else reject(isClosed(error) ? new OutputClosedError(error) : unwritable(error));
    });
  });
}

function isClosed({ code }: NodeJS.ErrnoException): boolean {
  return code === "EPIPE" || code === "ECONNRESET" || code === "EIO" || code === "ERR_STREAM_DESTROYED";
}

function unwritable(error: Error): Error {
  return new Error(`stdout cannot be written: ${error.message}`, { cause: error });
}
