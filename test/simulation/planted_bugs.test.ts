/** Each checker can fail: a bug that is planted is found within so many seeds, and by the right checker. */
import assert from "node:assert/strict";
import { CHECKERS } from "./checkers/all_checkers.js";
import { generateScenario } from "./generate_scenario.js";
import { PLANTED_BUGS } from "./planted_bugs.js";
import { PLANTED_LOG_BUGS } from "./planted_log_bugs.js";
import { PLANTED_RECOVERY_BUGS } from "./planted_recovery_bugs.js";
import type { PlantedBug } from "./planting.js";
import { type Finding, simulate } from "./simulation.js";

const bugs: readonly (readonly [string, PlantedBug])[] = Object.entries({
  ...PLANTED_BUGS,
  ...PLANTED_RECOVERY_BUGS,
  ...PLANTED_LOG_BUGS,
});

describe("a planted bug", function () {
  this.timeout(300_000);

  for (const [name, bug] of bugs) {
    it(`is caught: ${name}`, async function () {
      const caught = await firstFinding(bug);
      assert.ok(caught, `not caught within ${bug.seedsMax} seeds`);
      const { seed, finding } = caught;
      assert.ok(
        bug.caughtBy.includes(finding.checker),
        `seed ${seed}: ${finding.checker}: ${finding.message}`,
      );
      this.test!.title += ` (seed ${seed}: ${finding.checker})`;
    });
  }

  it("is there for every checker", () => {
    const caughtBy = new Set(bugs.flatMap(([, bug]) => bug.caughtBy));
    assert.deepEqual(
      Object.keys(CHECKERS).filter((name) => !caughtBy.has(name as never)),
      [],
    );
  });
});

async function firstFinding(bug: PlantedBug): Promise<{ seed: number; finding: Finding } | undefined> {
  for (let seed = 1; seed <= bug.seedsMax; seed++) {
    // Planted anew for each seed: what a bug counts begins at nothing.
    const remove = bug.plant();
    try {
      const { findings } = await simulate(generateScenario(seed, bug.scenarios));
      if (findings.length > 0) return { seed, finding: findings[0]! };
    } finally {
      remove();
    }
  }
  return undefined;
}
