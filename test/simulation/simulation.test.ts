/**
 * A thousand seeds with faults, and some that nobody has seen. Regressions run first. A failure names its seed:
 * `make sim SEED=n` shows what happened and makes it smaller.
 */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { generateScenario } from "./generate_scenario.js";
import { regressions } from "./regressions.js";
import { simulateSeeds } from "./seed_pool.js";
import { type SimulationResult, simulate } from "./simulation.js";

const SEEDS = 1_000;
const SEEDS_FRESH = 100;
const FAULT_KINDS = 21;
const SEEDS_TWICE = 20;

describe("simulation", function () {
  // Two idle cores need two minutes; a machine that is busy with other things gets more.
  this.timeout(15 * 60_000);

  for (const [name, scenario] of regressions()) {
    it(`does not fail again: ${name}`, async () => {
      assert.deepEqual((await simulate(scenario)).findings, []);
    });
  }

  it("has the same trace for the same seed, in this process and in another", async () => {
    const elsewhere = new Map<number, string>();
    await simulateSeeds({ from: 1, count: SEEDS_TWICE, failuresMax: SEEDS_TWICE }, ({ seed, trace }) => {
      elsewhere.set(seed, trace);
    });
    const traces = new Set<string>();
    for (let seed = 1; seed <= SEEDS_TWICE; seed++) {
      const { trace } = await simulate(generateScenario(seed));
      assert.equal(trace, elsewhere.get(seed), `seed ${seed}`);
      assert.equal((await simulate(generateScenario(seed))).trace, trace, `seed ${seed}`);
      traces.add(trace);
    }
    assert.equal(traces.size, SEEDS_TWICE, "different seeds are different runs");
  });

  it(`finds nothing wrong in ${SEEDS} seeds with faults`, async function () {
    const { failed, faults, ...sums } = await simulateSeeds({ from: 1, count: SEEDS, failuresMax: 5 });
    assert.equal(failed.length, 0, failed.map(describeFailure).join("\n"));
    assert.equal(sums.seeds, SEEDS);
    assert.equal(Object.keys(faults).length, FAULT_KINDS, "kinds of faults");
    const { events, crashes, failures } = sums;
    this.test!.title += ` (${events} events, ${crashes} crashes, ${failures} failed runs)`;
  });

  it(`finds nothing wrong in ${SEEDS_FRESH} fresh seeds`, async () => {
    const from = randomInt(SEEDS + 1, 2 ** 31);
    // Also when it hangs.
    console.log(`      fresh seeds: make sim SEED=${from} COUNT=${SEEDS_FRESH}`);
    const { failed, seeds } = await simulateSeeds({ from, count: SEEDS_FRESH, failuresMax: 5 });
    assert.equal(failed.length, 0, failed.map(describeFailure).join("\n"));
    assert.equal(seeds, SEEDS_FRESH);
  });
});

function describeFailure({ seed, findings }: SimulationResult): string {
  const [first] = findings;
  return `make sim SEED=${seed}   ${first!.checker}: ${first!.message}`;
}
