/** Waits for a line to appear in a log file that another process writes. */

import { closeSync, openSync, readSync } from "node:fs";
import { every } from "@order-payment-stream/beam/io";

const POLL_MS = 500;
const READ_BYTES = 64 * 1024;
/** What stands before the line often says why it came. */
const LINES_BEFORE = 3;

export interface LogWatch {
  /** Resolves with the line, and the few before it; stays open when none comes. */
  readonly found: Promise<string>;
  stop(): void;
}

/** Does not keep the process alive. */
export function watchLog(file: string, pattern: RegExp): LogWatch {
  const buffer = Buffer.alloc(READ_BYTES);
  let position = 0;
  let partial = "";
  let before: string[] = [];
  let stop: () => void = () => undefined;
  const found = new Promise<string>((resolve) => {
    stop = every(POLL_MS, () => {
      const log = openSync(file, "r");
      try {
        for (let read = -1; read !== 0; ) {
          read = readSync(log, buffer, 0, READ_BYTES, position);
          position += read;
          const lines = (partial + buffer.toString("utf8", 0, read)).split("\n");
          partial = lines.pop()!;
          for (const line of lines) {
            if (pattern.test(line)) {
              stop();
              resolve([...before, line].join("\n"));
              return;
            }
            before = [...before, line].slice(-LINES_BEFORE);
          }
        }
      } finally {
        closeSync(log);
      }
    });
  });
  return { found, stop: () => stop() };
}
