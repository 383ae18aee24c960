/**
 * Makes a failing scenario small: leaves out faults and events, by halves and then one by one, as long as the same
 * checker still finds something. What is left is what matters.
 */
import type { CheckerName } from "./checkers/all_checkers.js";
import type { Scenario } from "./scenario.js";
import { simulate } from "./simulation.js";

const RUNS_MAX = 500;

/** @param checker the one that must go on finding something */
export async function shrink(scenario: Scenario, checker: CheckerName): Promise<Scenario> {
  let smallest = scenario;
  let runs = 0;
  const stillFails = async (candidate: Scenario): Promise<boolean> => {
    if (++runs > RUNS_MAX) return false;
    const { findings } = await simulate(candidate);
    return findings[0]?.checker === checker;
  };
  for (let before: Scenario | undefined; before !== smallest && runs <= RUNS_MAX; ) {
    before = smallest;
    for (const part of ["faults", "arrivals"] as const) {
      smallest = await withFewer(smallest, part, stillFails);
    }
    for (const simpler of simplifications(smallest)) {
      if (await stillFails(simpler)) {
        smallest = simpler;
        break;
      }
    }
  }
  return smallest;
}

/** Leaves out ever smaller pieces of a list. */
async function withFewer(
  scenario: Scenario,
  part: "faults" | "arrivals",
  stillFails: (candidate: Scenario) => Promise<boolean>,
): Promise<Scenario> {
  let smallest = scenario;
  for (
    let size = Math.ceil(smallest[part].length / 2);
    size >= 1;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let start = 0; start < smallest[part].length; ) {
      const list = smallest[part];
      const fewer = { ...smallest, [part]: [...list.slice(0, start), ...list.slice(start + size)] };
      if (await stillFails(fewer)) smallest = fewer;
      else start += size;
    }
  }
  return smallest;
}

function* simplifications(scenario: Scenario): Generator<Scenario> {
  if (scenario.brokers > 1) yield { ...scenario, brokers: 1 };
  if (scenario.usesGroup) yield { ...scenario, usesGroup: false };
  if (scenario.arrivals.some(({ transaction }) => transaction !== undefined)) {
    yield {
      ...scenario,
      arrivals: scenario.arrivals
        .filter(({ transaction }) => transaction?.outcome !== "abort")
        .map(({ transaction: _, ...arrival }) => arrival),
    };
  }
  if (scenario.engine.turnsOpenMax > 1) {
    yield { ...scenario, engine: { ...scenario.engine, turnsOpenMax: 1 } };
  }
}
