/**
 * Where nothing goes wrong but this machine's clock, an event is given up soon after its expiry and D have passed, by the
 * true time: a clock that is set back or forward delays it by no more than the clocks may be apart.
 */
import { isClockAlone } from "../scenario.js";
import type { Checker, CheckerFactory } from "./checker.js";
import { joinStageOf, unmatchedIn } from "./join_stage.js";

/** A quiet partition is looked at once a second, MongoDB's clock when this machine's was set, and reading takes time. */
const LATE_MAX_MS = 4_000;

export const expiryIsOnTime: CheckerFactory = (world, report): Checker => {
  const { scenario } = world;
  const { isWithinBound, mode, ending, outOfOrdernessMs, clockSkewMaxMs = 0 } = scenario;
  let sleptMs = 0;
  for (const fault of scenario.faults) {
    if (fault.kind === "suspended") sleptMs += fault.toMs - fault.fromMs;
    else if (fault.kind === "stop") sleptMs += fault.downMs;
  }
  // An event that comes late is given up when it comes, and one in a transaction when that ends.
  const isSimple = scenario.arrivals.every(({ transaction }) => transaction === undefined);
  if (scenario.earlierRuns !== undefined) return {};
  if (!isWithinBound || mode === "bounded" || ending === "expire" || !isClockAlone(scenario) || !isSimple)
    return {};
  return {
    onDelivery(producer, _consumer, _input, batch) {
      if (producer === undefined || producer !== joinStageOf(world)) return;
      for (const { unmatched } of unmatchedIn(batch)) {
        const dueMs = unmatched.expiresAt + outOfOrdernessMs + clockSkewMaxMs + LATE_MAX_MS + sleptMs;
        if (world.trueTimeMs <= dueMs) continue;
        const { kind, event } = unmatched;
        report(`${kind} ${event.order_id} was given up ${world.trueTimeMs - dueMs} ms too late`);
      }
    },
  };
};
