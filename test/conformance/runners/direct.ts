/** The direct runner, in this process. */

import { type DirectRun, runDirect } from "../../../beam/runners/direct/direct_runner.js";
import type { Pipeline } from "../../../beam/sdk/collection.js";
import type { JobUnderTest, RunnerUnderTest } from "../runner_under_test.js";

export class DirectUnderTest implements RunnerUnderTest {
  readonly name = "direct";
  readonly hasTestStream = true;
  readonly takesStreams = true;
  readonly stepPauseMs = 50;
  readonly deadlineMs = 8_000;
  readonly #runs = new Set<DirectRun>();

  async start(pipeline: Pipeline): Promise<JobUnderTest> {
    const run = runDirect(pipeline);
    this.#runs.add(run);
    const finished = run.finished.finally(() => this.#runs.delete(run));
    return {
      finished,
      cancel: () => run.stop("keep"),
      drain: () => run.stop("expire"),
      metrics: run.metrics,
    };
  }

  async recover(): Promise<void> {
    for (const run of this.#runs) {
      this.#runs.delete(run);
      // Whether a run that hangs stops is not waited for.
      run.stop("keep").catch(() => undefined);
    }
  }

  close(): Promise<void> {
    return this.recover();
  }
}
