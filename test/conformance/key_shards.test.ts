/**
 * Steps with their keys in shards, against the same expectations: on Prism, which lets workers keep nothing from bundle to
 * bundle, so that each bundle reads its shards back from their logs.
 */
import { skipBecause } from "../fixtures/skip.js";
import { knownFailure } from "./known_failures.js";
import { CONFORMANCE } from "./pipelines/index.js";
import { isApplicable, runConformance } from "./run_conformance.js";
import { PortableUnderTest } from "./runners/portable.js";
import { PRISM, PRISM_START_UP_MS } from "./runners/prism.js";
import { UnavailableError } from "./test_runner.js";

describe("conformance: keys in shards", () => {
  let runner: PortableUnderTest;

  before(async function () {
    this.timeout(PRISM_START_UP_MS);
    try {
      runner = await PortableUnderTest.startUp({ ...PRISM, keyShards: 2 });
    } catch (error) {
      if (error instanceof UnavailableError) skipBecause(this, error.message);
      throw error;
    }
  });
  after(async function () {
    this.timeout(PRISM.deadlineMs);
    await runner?.close();
  });

  for (const heading of ["State", "Event-time timers", "Metrics"]) {
    describe(heading, () => {
      for (const conformance of CONFORMANCE.get(heading)!) {
        const { feature } = conformance;
        if (knownFailure("prism", feature) !== undefined) continue;
        it(feature, async function () {
          if (!isApplicable(conformance, runner)) return;
          this.timeout(2 * PRISM.deadlineMs);
          await runConformance(conformance, runner);
        });
      }
    });
  }
});
