/** The front door: runs a pipeline on the runner that a program's flags name. */
import type { Pipeline } from "../model/apache_beam.js";
import { type DirectRun, runDirect } from "./direct/direct_runner.js";

/** Which runner, and where. */
export interface RunnerOptions {
  readonly runner: "direct";
}

/** From flags as Beam's programs take them: --runner=NAME. */
export function runnerOptions(flags: readonly string[]): RunnerOptions {
  const flag = flags.find((text) => text.startsWith("--runner="));
  const runner = flag?.slice("--runner=".length) ?? "direct";
  if (runner !== "direct") throw new Error(`--runner=${runner}: there are direct`);
  return { runner };
}

/** Starts a pipeline. */
export async function runPipeline(pipeline: Pipeline, _options: RunnerOptions): Promise<DirectRun> {
  return runDirect(pipeline);
}
