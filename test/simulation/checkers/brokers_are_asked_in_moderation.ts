/** Nothing asks the brokers again and again without a pause, whatever goes wrong: they have others to serve. */
import type { CheckerFactory } from "./checker.js";

/** Twice what the busiest of many thousand scenarios needs; a loop without a pause asks many hundred times. */
const CALLS_PER_SECOND_MAX = 200;

export const brokersAreAskedInModeration: CheckerFactory = (world, report) => ({
  onEnd() {
    const { callsPerSecondMax } = world.kafka;
    if (callsPerSecondMax <= CALLS_PER_SECOND_MAX) return;
    report(`${callsPerSecondMax} requests in a second, without the fetches`);
  },
});
