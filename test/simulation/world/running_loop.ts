/** A simulated world that goes on by itself, for tests that only wait: its time passes as fast as it can. */
import { EventLoop, WORLD } from "./event_loop.js";
import { randomFor } from "./seeded.js";

export class RunningLoop {
  readonly loop: EventLoop;
  #isEnded = false;

  constructor(startMs: number, seed: number) {
    this.loop = new EventLoop(startMs, randomFor(seed, "order"));
    this.#run();
  }

  wait(ms: number): Promise<void> {
    return this.loop.wait(ms, WORLD, "wait");
  }

  end(): void {
    this.#isEnded = true;
  }

  async #run(): Promise<void> {
    while (!this.#isEnded) {
      // A test that does something at once is not overtaken by time.
      await new Promise((resolve) => setImmediate(resolve));
      await this.loop.step();
    }
  }
}
