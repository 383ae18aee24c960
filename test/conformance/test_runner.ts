/** The suite for one runner: a test for each conformance pipeline, and one for what docs/runners.md says of it. */
import assert from "node:assert/strict";
import { skipBecause } from "../fixtures/skip.js";
import { columnFrom, columnOf, writeColumn } from "./capability_table.js";
import type { ConformancePipeline } from "./conformance_pipeline.js";
import { KNOWN_FAILURES, knownFailure } from "./known_failures.js";
import { CONFORMANCE, FEATURES } from "./pipelines/index.js";
import { isApplicable, runConformance } from "./run_conformance.js";
import type { RunnerUnderTest } from "./runner_under_test.js";

/** Ending a run that hangs, and starting the runner anew, take this long at most. */
const RECOVERY_MS = 60_000;
/** `make conformance` sets it: the table is written, not compared. */
export const WRITES_TABLE = process.env.CONFORMANCE_TABLE === "write";

/** This machine lacks what the runner needs: its tests are skipped, and say so. */
export class UnavailableError extends Error {
  override readonly name = "UnavailableError";
}

/**
 * @param startUp throws an UnavailableError where the runner cannot be had
 * @param startUpMs what it may take, downloads included
 */
export function testRunner(name: string, startUp: () => Promise<RunnerUnderTest>, startUpMs = 10_000): void {
  describe(`conformance: ${name}`, () => {
    let runner: RunnerUnderTest;
    const outcomes = new Map<string, boolean | undefined>();

    before(async function () {
      this.timeout(startUpMs);
      try {
        runner = await startUp();
      } catch (error) {
        if (error instanceof UnavailableError) skipBecause(this, error.message);
        throw error;
      }
    });
    after(async function () {
      this.timeout(RECOVERY_MS);
      await runner?.close();
    });

    for (const [heading, pipelines] of CONFORMANCE) {
      describe(heading, () => {
        for (const conformance of pipelines) testFeature(conformance);
      });
    }

    function testFeature(conformance: ConformancePipeline): void {
      const { feature } = conformance;
      const known = knownFailure(name, feature);
      it(known === undefined ? feature : `does not, as known: ${feature}`, async function () {
        if (!isApplicable(conformance, runner)) {
          outcomes.set(feature, undefined);
          return;
        }
        this.timeout(runner.deadlineMs + RECOVERY_MS);
        if (known === undefined) {
          outcomes.set(feature, false);
          await runConformance(conformance, runner);
          outcomes.set(feature, true);
          return;
        }
        const failure = await runConformance(conformance, runner, runner.deadlineMs / 2).then(
          () => undefined,
          (error: Error) => error,
        );
        outcomes.set(feature, failure === undefined && !known.worksByChance);
        if (failure === undefined && known.worksByChance) return;
        assert.ok(failure !== undefined, `it works now: take it out of known_failures.ts (${known.reason})`);
        assert.match(`${failure.name}: ${failure.message}`, known.with);
      });
    }

    // Mocha runs the tests of a suite before the suites in it; these come last.
    describe("and what is written of it", () => {
      it("is in docs/runners.md as it came out", function () {
        if (outcomes.size < FEATURES.length) skipBecause(this, "only some of the features were run");
        const column = columnFrom(name, outcomes);
        if (WRITES_TABLE) writeColumn(name, column);
        assert.deepEqual(columnOf(name), column, "run `make conformance`");
      });

      it("has no known failure that is no feature, or in two entries", () => {
        const features = (KNOWN_FAILURES[name] ?? []).flatMap((failure) => failure.features);
        assert.deepEqual(
          features.filter((feature) => !FEATURES.includes(feature)),
          [],
        );
        assert.equal(new Set(features).size, features.length);
        assert.equal(new Set(FEATURES).size, FEATURES.length, "two features have the same name");
      });
    });
  });
}
