import { startFlink } from "../../services/index.js";
import { PortableUnderTest } from "./runners/portable.js";
import { testRunner, UnavailableError, WRITES_TABLE } from "./test_runner.js";

/** With Maven's downloads, where the jars are not there. */
const START_UP_MS = 10 * 60_000;
const DEADLINE_MS = 120_000;

testRunner(
  "flink",
  async () => {
    if (!WRITES_TABLE)
      throw new UnavailableError("Flink takes ten minutes or more: make conformance runs it");
    return PortableUnderTest.startUp({
      name: "flink",
      hasTestStream: false,
      takesStreams: true,
      // A delay is rounded down to whole seconds.
      stepPauseMs: 2_000,
      deadlineMs: DEADLINE_MS,
      // The job server keeps memory of every job, and stands still without an error when it has no more.
      jobsMax: 25,
      launch: () => startFlink({ heapMaxMb: 2_048 }),
      pipelineOptions: ({ needsCommits, durationMs }, isStream) => ({
        parallelism: 1,
        streaming: isStream,
        max_bundle_time_mills: 200,
        // Counted from the start; behind it, a source that rests is resumed at once.
        shutdown_sources_after_idle_ms: isStream ? Math.min(durationMs, DEADLINE_MS) : 0,
        // Without the second, the source gets no turn between checkpoints.
        ...(needsCommits ? { checkpointing_interval: 1_000, finish_bundle_before_checkpointing: true } : {}),
      }),
    });
  },
  START_UP_MS,
);
