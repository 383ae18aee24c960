/** Runs one conformance pipeline on one runner, to the end that the pipeline names, always within the runner's deadline. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { runnerApi } from "../../beam/model/apache_beam.js";
import type { Pipeline } from "../../beam/sdk/collection.js";
import { protoOf } from "../../beam/sdk/collection.js";
import type { ConformancePipeline } from "./conformance_pipeline.js";
import { Expectations } from "./expectations.js";
import type { JobUnderTest, RunnerUnderTest } from "./runner_under_test.js";

const POLL_MS = 20;
/** What is told after a job has ended, such as the finalization of its last bundle, comes within this time. */
const AFTERMATH_MS = 1_000;

/** The runner did not do what it should within its deadline. It must `recover` before it is used again. */
export class DeadlineError extends Error {
  override readonly name = "DeadlineError";
}

export function isStream(pipeline: Pipeline): boolean {
  return Object.values(protoOf(pipeline).components!.pcollections).some(
    ({ isBounded }) => isBounded === runnerApi.IsBounded_Enum.UNBOUNDED,
  );
}

/** Whether a conformance pipeline can be run on this runner at all. */
export function isApplicable(conformance: ConformancePipeline, runner: RunnerUnderTest): boolean {
  return (
    runner.takesStreams ||
    !isStream(new Expectations(conformance, tmpdir(), runner.stepPauseMs, true).pipeline)
  );
}

/** Throws when the pipeline does not run, does not end as it should, or does not give what it must. */
export async function runConformance(
  conformance: ConformancePipeline,
  runner: RunnerUnderTest,
  deadlineMs = runner.deadlineMs,
): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), "conformance-"));
  try {
    const graph = new Expectations(conformance, folder, runner.stepPauseMs, runner.hasTestStream);
    await withDeadline(run(conformance, runner, graph), deadlineMs, async () => {
      const missing = await graph.check().then(
        () => "all came out, but it goes on",
        (error: Error) => error.message,
      );
      await runner.recover();
      throw new DeadlineError(`not done after ${deadlineMs} ms: ${missing}`);
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function run(
  conformance: ConformancePipeline,
  runner: RunnerUnderTest,
  graph: Expectations,
): Promise<void> {
  const { feature, ends, failsWith, needsCommits = false, checkMetrics } = conformance;
  // What a worker gets has travelled as bytes.
  const proto = runnerApi.Pipeline.fromBinary(runnerApi.Pipeline.toBinary(protoOf(graph.pipeline)));
  Object.assign(protoOf(graph.pipeline), proto);
  const options = { name: feature, needsCommits, durationMs: graph.durationMs };
  if (ends === "failing") {
    await expectFailure(
      () => runner.start(graph.pipeline, options),
      [failsWith!, ...(runner.lostReason === undefined ? [] : [runner.lostReason])],
    );
    return;
  }
  const job = await runner.start(graph.pipeline, options);
  job.finished.catch(() => undefined);
  try {
    await end(job, ends ?? "by itself", graph);
  } catch (error) {
    // A job that goes on would be in the way of the next.
    await job.cancel().catch(() => undefined);
    throw error;
  }
  const until = Date.now() + AFTERMATH_MS;
  while (!(await passes(graph)) && Date.now() < until) await sleep(POLL_MS);
  await graph.check();
  checkMetrics?.(job.metrics);
}

async function end(
  job: JobUnderTest,
  how: Exclude<ConformancePipeline["ends"], "failing" | undefined>,
  graph: Expectations,
): Promise<void> {
  switch (how) {
    case "by itself":
      break;
    case "drained":
      await untilOrEnded(job, () => graph.hasAny());
      await job.drain();
      break;
    case "cancelled":
      await untilOrEnded(job, () => passes(graph));
      await job.cancel();
      break;
  }
  await job.finished;
}

async function expectFailure(start: () => Promise<JobUnderTest>, messages: readonly RegExp[]): Promise<void> {
  try {
    const job = await start();
    await job.finished;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (messages.some((expected) => expected.test(message))) return;
    throw new Error(`it failed, but not with ${messages[0]}: ${message}`);
  }
  throw new Error(`it did not fail, as it should with ${messages[0]}`);
}

async function passes(graph: Expectations): Promise<boolean> {
  return graph.check().then(
    () => true,
    () => false,
  );
}

/** Until `look` says so; a job that ends before that has failed, or has given too little. */
async function untilOrEnded(job: JobUnderTest, look: () => Promise<boolean>): Promise<void> {
  let hasEnded = false;
  const onEnd = (): void => {
    hasEnded = true;
  };
  job.finished.then(onEnd, onEnd);
  while (!hasEnded && !(await look())) await sleep(POLL_MS);
}

async function withDeadline(
  work: Promise<void>,
  deadlineMs: number,
  onLate: () => Promise<never>,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<"late">((resolve) => {
    timer = setTimeout(() => resolve("late"), deadlineMs);
  });
  const outcome = await Promise.race([work, late]).finally(() => clearTimeout(timer));
  if (outcome !== "late") return;
  work.catch(() => undefined);
  await onLate();
}
