import { startPythonJobService } from "../fixtures/python_job_service.js";
import { PortableUnderTest } from "./runners/portable.js";
import { testRunner } from "./test_runner.js";

/** With pip's downloads, where the package is not there. */
const START_UP_MS = 12 * 60_000;

testRunner(
  "python",
  () =>
    PortableUnderTest.startUp({
      name: "python",
      hasTestStream: false,
      takesStreams: false,
      stepPauseMs: 100,
      deadlineMs: 20_000,
      // It tells of its own failure to close the worker, when the worker is faster to go.
      lostReason: /Error closing worker_handler/,
      launch: startPythonJobService,
    }),
  START_UP_MS,
);
