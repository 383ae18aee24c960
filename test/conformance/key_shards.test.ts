/**
 * Steps with their keys in shards, against the same expectations: on Prism, which lets workers keep nothing from bundle to
 * bundle, so that each bundle reads its shards back from their logs.
 */
import { startPrism } from "../../services/index.js";
import { skipBecause } from "../fixtures/skip.js";
import { knownFailure } from "./known_failures.js";
import { CONFORMANCE } from "./pipelines/index.js";
import { isApplicable, runConformance } from "./run_conformance.js";
import { PortableUnderTest } from "./runners/portable.js";
import { UnavailableError } from "./test_runner.js";

const START_UP_MS = 10 * 60_000;
const DEADLINE_MS = 20_000;

describe("conformance: keys in shards", () => {
  let runner: PortableUnderTest;

  before(async function () {
    this.timeout(START_UP_MS);
    try {
      runner = await PortableUnderTest.startUp({
        name: "prism",
        hasTestStream: true,
        takesStreams: true,
        stepPauseMs: 100,
        deadlineMs: DEADLINE_MS,
        keyShards: 2,
        launch: () => startPrism(),
      });
    } catch (error) {
      if (error instanceof UnavailableError) skipBecause(this, error.message);
      throw error;
    }
  });
  after(async function () {
    this.timeout(DEADLINE_MS);
    await runner?.close();
  });

  for (const heading of ["State", "Event-time timers", "Metrics"]) {
    describe(heading, () => {
      for (const conformance of CONFORMANCE.get(heading)!) {
        const { feature } = conformance;
        if (knownFailure("prism", feature) !== undefined) continue;
        it(feature, async function () {
          if (!isApplicable(conformance, runner)) return;
          this.timeout(2 * DEADLINE_MS);
          await runConformance(conformance, runner);
        });
      }
    });
  }
});
