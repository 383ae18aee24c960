/**
 * On a durable store no document is in a collection whose coming was not committed: when a process begins, there are no
 * more of a kind than the run, by its own committed counts, has given to the sinks.
 */
import { figuresOf } from "../../../pipeline/report/figures.js";
import type { Checker, CheckerFactory } from "./checker.js";
import { storedCollections } from "./stored_collections.js";

export const sinksWriteWhatIsCommitted: CheckerFactory = (world, report): Checker => ({
  onStart() {
    if (!world.isDurable || world.run === undefined) return;
    const { metrics } = world.run;
    const { orders, payments } = figuresOf(metrics);
    const { joined, unmatched, deadLetters } = storedCollections(world);
    const counts: readonly (readonly [string, number, number])[] = [
      ["pairs", joined.length, metrics.counter("joined")],
      ["unmatched events", unmatched.length, orders.unmatched + payments.unmatched],
      ["dead letters", deadLetters.length, orders.dead_letters + payments.dead_letters],
    ];
    for (const [what, stored, committed] of counts) {
      if (stored > committed) report(`${stored} ${what} are in MongoDB, and ${committed} are committed`);
    }
  },
});
