import { startPrism } from "../../services/index.js";
import { PortableUnderTest } from "./runners/portable.js";
import { testRunner } from "./test_runner.js";

/** With `go install`, where there is no Prism. */
const START_UP_MS = 10 * 60_000;

testRunner(
  "prism",
  () =>
    PortableUnderTest.startUp({
      name: "prism",
      hasTestStream: true,
      takesStreams: true,
      stepPauseMs: 100,
      deadlineMs: 20_000,
      launch: () => startPrism(),
    }),
  START_UP_MS,
);
