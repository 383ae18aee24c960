/**
 * By the true time, which no clock of the run need show: an event is given up when its expiry and D have passed, less
 * what the clocks may be apart and producers' may be ahead.
 */
import type { Checker, CheckerFactory } from "./checker.js";
import { joinStageOf, unmatchedIn } from "./join_stage.js";

/** As a share of D. */
const EARLY_MAX_SHARE = 0.2;

export const nothingExpiresBeforeItsTime: CheckerFactory = (world, report): Checker => ({
  onDelivery(producer, _consumer, _input, batch) {
    const { isWithinBound, earlierRuns = [] } = world.scenario;
    const { mode, ending, outOfOrdernessMs } = world.settings;
    // A drain expires what waits.
    if (!isWithinBound || mode === "bounded" || ending === "expire") return;
    // A bounded run goes by the events' own times alone, and leaves the watermarks there.
    if (earlierRuns.length > 0) return;
    if (producer === undefined || producer !== joinStageOf(world)) return;
    for (const { unmatched } of unmatchedIn(batch)) {
      const dueMs = unmatched.expiresAt + outOfOrdernessMs * (1 - EARLY_MAX_SHARE);
      if (world.trueTimeMs >= dueMs) continue;
      const { kind, event } = unmatched;
      report(`${kind} ${event.order_id} was given up ${dueMs - world.trueTimeMs} ms before its time`);
    }
  },
});
