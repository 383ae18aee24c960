/**
 * What user code prints, as entries of the worker's log: on a machine that nobody sees, stdout and stderr are lost. Whole
 * lines are passed on to the runner, and still written where they were to go.
 */
import type { WorkerLog } from "./worker_log.js";

const LINE_MAX = 16_384;

/** Returns what ends it. */
export function captureOutput(log: WorkerLog): () => void {
  const ends = [
    capture(process.stdout, (line) => log.info(line)),
    capture(process.stderr, (line) => log.warn(line)),
  ];
  return () => {
    for (const end of ends) end();
  };
}

function capture(stream: NodeJS.WriteStream, take: (line: string) => void): () => void {
  const original = stream.write;
  let rest = "";
  // The log itself writes to stderr where the runner cannot be reached.
  let isTaking = false;
  const write = function (this: NodeJS.WriteStream, chunk: unknown, ...others: unknown[]): boolean {
    if (!isTaking) {
      isTaking = true;
      try {
        const text = typeof chunk === "string" ? chunk : Buffer.from(chunk as Uint8Array).toString("utf8");
        const lines = (rest + text).split("\n");
        rest = lines.pop()!.slice(-LINE_MAX);
        for (const line of lines) if (line.trim() !== "") take(line.slice(0, LINE_MAX));
      } finally {
        isTaking = false;
      }
    }
    return Reflect.apply(original, this, [chunk, ...others]);
  };
  stream.write = write as typeof stream.write;
  return () => {
    if (rest.trim() !== "") take(rest);
    rest = "";
    stream.write = original;
  };
}
