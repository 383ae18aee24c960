/**
 * Makes a failing scenario small: leaves out faults and events, by halves and then one by one, as long as the same
 * checker still finds something. What is left is what matters.
 */
import type { CheckerName } from "./checkers/all_checkers.js";
import { type Scenario, START_MS } from "./scenario.js";
import { simulate } from "./simulation.js";

const RUNS_MAX = 500;

/** @param checker the one that must go on finding something */
export async function shrink(scenario: Scenario, checker: CheckerName): Promise<Scenario> {
  let smallest = scenario;
  let runs = 0;
  const stillFails = async (candidate: Scenario): Promise<boolean> => {
    if (scenario.isWithinBound && !isWithinBound(candidate)) return false;
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

/** A repeat whose original was left out is an event of its own, and may be one that comes too late. */
function isWithinBound({ mode, arrivals, timeoutMs, outOfOrdernessMs }: Scenario): boolean {
  const newestMs = new Map<string, number>();
  const seen = new Set<string>();
  for (const { atMs, topic, partition, value } of arrivals) {
    if (!("event" in value)) continue;
    const { event } = value;
    const id = "payment_id" in event ? `${event.order_id}/${event.payment_id}` : event.order_id;
    const log = `${topic}/${partition}`;
    const watermark = (newestMs.get(log) ?? Number.NEGATIVE_INFINITY) - outOfOrdernessMs;
    const isLate = watermark > event.created_at + timeoutMs;
    const delayMs = START_MS + atMs - event.created_at;
    const isBehind = mode === "streaming" ? delayMs > outOfOrdernessMs : watermark > event.created_at;
    if (!seen.has(id) && !isLate && isBehind) return false;
    seen.add(id);
    newestMs.set(log, Math.max(newestMs.get(log) ?? Number.NEGATIVE_INFINITY, event.created_at));
  }
  return true;
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
