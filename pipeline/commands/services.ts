/** `services`: brings up Kafka and MongoDB in the background, ends them, or tells how they are. */
import { servicesDown, servicesStatus, servicesUp } from "../../services/index.js";
import type { SERVICE_CHOICES } from "./command_options.js";
import { unlessAborted, watchInterrupts } from "./interrupts.js";

/** Resolves with the exit code; that of `status` is 1 unless both answer. */
export async function services(
  what: (typeof SERVICE_CHOICES)[number],
  env: NodeJS.ProcessEnv,
): Promise<number> {
  const { signal } = watchInterrupts();
  const log = (line: string): void => {
    process.stdout.write(`${line}\n`);
  };
  if (what === "up") {
    // Not given up on: what it started so far is ended by it.
    await servicesUp({ log, env, signal }).catch((error) => {
      signal.throwIfAborted();
      throw error;
    });
    return 0;
  }
  if (what === "down") {
    await unlessAborted(signal, servicesDown({ log, env }));
    return 0;
  }
  const statuses = await unlessAborted(signal, servicesStatus({ log, env }));
  return statuses.every(({ answers }) => answers) ? 0 : 1;
}
