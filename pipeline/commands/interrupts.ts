/** SIGINT, SIGTERM and SIGHUP: the first asks the program to end in order, the second ends it at once. */
import { writeSync } from "node:fs";
import { constants } from "node:os";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** The program was asked to end before there was anything to end in order. */
export class InterruptedError extends Error {
  override readonly name = "InterruptedError";

  constructor(readonly exitCode: number) {
    super("interrupted");
  }
}

export interface Interrupts {
  /** Aborts at the first signal, with an InterruptedError as its reason. */
  readonly signal: AbortSignal;
  /** Gives the signals back to Node. */
  dispose(): void;
}

export function watchInterrupts(): Interrupts {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => {
    const exitCode = 128 + constants.signals[name];
    if (controller.signal.aborted) endAtOnce(name, exitCode);
    controller.abort(new InterruptedError(exitCode));
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  return {
    signal: controller.signal,
    dispose: () => {
      for (const name of SIGNALS) process.off(name, onSignal);
    },
  };
}

function endAtOnce(name: NodeJS.Signals, exitCode: number): never {
  sayNow(`second ${name}: ended at once. What was committed is safe`);
  giveSignalsBack();
  // Not process.exit, which waits for what the system does with files, and that may hang.
  process.kill(process.pid, name);
  // The first process of a container is not killed so.
  process.exit(exitCode);
}

/** From now on a signal ends the process, whatever hangs. */
export function giveSignalsBack(): void {
  for (const name of SIGNALS) process.removeAllListeners(name);
}

/** On stderr, for when there is no later. */
export function sayNow(text: string): void {
  try {
    writeSync(process.stderr.fd, `${text}\n`);
  } catch {
    // Nobody reads it.
  }
}

/** Gives up waiting when the signal aborts; the work itself goes on, unheeded. */
export async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  signal.throwIfAborted();
  work.catch(() => undefined);
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    if (onAbort !== undefined) signal.removeEventListener("abort", onAbort);
  }
}
