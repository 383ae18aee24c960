/** The direct runner, in this process. */
import type { Pipeline } from "../../../beam/model/apache_beam.js";
import { type DirectRun, runDirect } from "../../../beam/runners/direct/direct_runner.js";
import type { JobMetrics, JobUnderTest, RunnerUnderTest } from "../runner_under_test.js";

export class DirectUnderTest implements RunnerUnderTest {
  readonly name = "direct";
  readonly hasTestStream = true;
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
      metrics: async () => metricsOf(run),
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

function metricsOf({ metrics }: DirectRun): JobMetrics {
  const named = <T>(values: ReadonlyMap<string, T>, name: string): T | undefined =>
    [...values].find(([key]) => key.endsWith(`/${name}`))?.[1];
  return {
    counter: (name) => metrics.counter(name),
    distribution: (name) => named(metrics.distributions(), name),
    gauge: (name) => named(metrics.gauges(), name),
  };
}
