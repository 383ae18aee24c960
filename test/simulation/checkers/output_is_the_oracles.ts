/** As long as disorder stays within D, the collections hold what the semantics say, whatever went wrong on the way. */
import { compareWithMongo } from "../../oracle/compare_with_mongo.js";
import { oracle } from "../../oracle/oracle.js";
import { START_MS } from "../scenario.js";
import { type Checker, type CheckerFactory, COLLECTIONS } from "./checker.js";
import { asDatabase, storedCollections } from "./stored_collections.js";

export const outputIsTheOracles: CheckerFactory = (world, report): Checker => ({
  async onEnd() {
    const { timeoutMs, isWithinBound, earlierRuns = [] } = world.scenario;
    if (!isWithinBound) return;
    // Within the bound of the smallest D, it is of no consequence which it was.
    const outOfOrdernessMs = Math.min(...[world.scenario, ...earlierRuns].map((run) => run.outOfOrdernessMs));
    const options = { timeoutMs, outOfOrdernessMs, nowMs: START_MS };
    const expected = oracle(world.records(), options);
    if (expected.beyondBound > 0)
      report(`${expected.beyondBound} events are beyond the bound: a wrong scenario`);
    const topics = { orders: "orders", payments: "payments" };
    const database = asDatabase(storedCollections(world));
    for (const line of await compareWithMongo(database, expected, { ...COLLECTIONS, topics })) report(line);
  },
});
