/**
 * The joining process of a latency subject, seen from both ends: in production, too, it is not the process that sends
 * or the one that reads the result.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { peakRssBytes, type SubjectInput } from "../../subject.js";

/** The end that starts it. */
export class LiveProcess {
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown>;
  /** Rejects when it ends by itself. */
  readonly failed: Promise<never>;
  #isStopping = false;

  constructor(script: URL, input: SubjectInput) {
    this.#child = fork(script, [JSON.stringify(input)], { stdio: ["ignore", 2, 2, "ipc"] });
    this.#exit = once(this.#child, "exit");
    this.failed = this.#exit.then((): Promise<never> => {
      // After a stop nobody waits for this any more.
      if (this.#isStopping) return new Promise(() => {});
      throw new Error("the joining process ended while its latency was measured");
    });
    this.failed.catch(() => {});
  }

  /** Resolves to its peak memory. */
  async stop(): Promise<number> {
    this.#isStopping = true;
    const answer = once(this.#child, "message");
    this.#child.send("stop");
    const failure = this.#exit.then(() => {
      throw new Error("the joining process failed to stop");
    });
    const [peak] = await Promise.race([answer, failure]);
    await this.#exit;
    return peak;
  }

  kill(): void {
    this.#isStopping = true;
    this.#child.kill("SIGKILL");
  }
}

/** The other end: the life of the process. `start` begins to join, and gives what ends it. */
export async function runLiveProcess(
  start: (input: SubjectInput) => Promise<{ stop(): Promise<void>; readonly failed: Promise<void> }>,
): Promise<void> {
  // Without the one that started it, nobody would ever stop it.
  process.once("disconnect", () => process.exit());
  const stopped = once(process, "message");
  const { stop, failed } = await start(JSON.parse(process.argv[2] ?? "{}") as SubjectInput);
  await Promise.race([stopped, failed]);
  await stop();
  await new Promise((resolve) => process.send?.(peakRssBytes(), resolve));
  process.disconnect();
}
