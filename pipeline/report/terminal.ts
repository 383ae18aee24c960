/**
 * Stderr as something that both the log and the live progress write to: on a terminal the progress is one block that
 * stays below the log and is rewritten in place.
 */
import { logOutput, type TerminalStream } from "./standard_output.js";

/** Where the stream does not know, or says 0. */
const COLUMNS_DEFAULT = 80;

export class Terminal {
  #block: readonly string[] = [];

  constructor(private readonly stream: TerminalStream = logOutput) {}

  get isTty(): boolean {
    return this.stream.isTTY === true;
  }

  /** Lines that stay, each with its end. */
  write(lines: string): void {
    this.stream.write(this.#erased() + lines + this.#drawn());
  }

  /** Replaces the block; on a terminal only. Lines are cut at its width, since a wrapped one could not be erased. */
  show(block: readonly string[]): void {
    const erased = this.#erased();
    const width = (this.stream.columns || COLUMNS_DEFAULT) - 1;
    this.#block = block.map((line) => line.slice(0, width));
    this.stream.write(erased + this.#drawn());
  }

  /** Leaves the block where it is: what follows comes below. */
  keep(): void {
    this.#block = [];
  }

  #erased(): string {
    return this.#block.length === 0 ? "" : `\x1b[${this.#block.length}A\r\x1b[J`;
  }

  #drawn(): string {
    return this.#block.map((line) => `${line}\n`).join("");
  }
}
