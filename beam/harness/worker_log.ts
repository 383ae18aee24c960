import { maskSecrets } from "../platform/masking.js";

/** Where a worker's messages go. Fits the program's log. */
export interface WorkerLog {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

/** To stderr, one line each. */
export const stderrLog: WorkerLog = {
  debug: () => undefined,
  info: () => undefined,
  warn: (message, fields) => write("WARN", message, fields),
  error: (message, fields) => write("ERROR", message, fields),
};

/** As the runner gets it too: without secrets. */
export function lineOf(message: string, fields: Record<string, unknown> = {}): string {
  const more = Object.entries(fields).map(([name, value]) => ` ${name}=${String(value)}`);
  return maskSecrets(`${message}${more.join("")}`);
}

function write(severity: string, message: string, fields: Record<string, unknown> | undefined): void {
  process.stderr.write(`${severity} ${lineOf(message, fields)}\n`);
}
