/** Ceiling: the join by hand, of bare_joiner.ts. */
import { runSubject } from "../subject.js";
import { BareJoin, partitionNames } from "./bare_joiner.js";
import { readToEnd } from "./kafkajs_reader.js";

/** Larger answers make the join no faster, and cost memory. */
const FETCH_PARTITION_MAX_BYTES = 1024 * 1024;

await runSubject(async (input) => {
  const { topics, expected, timeoutMs, outOfOrdernessMs } = input;
  const join = new BareJoin(partitionNames(input), timeoutMs, outOfOrdernessMs);
  const seconds = await readToEnd(input, FETCH_PARTITION_MAX_BYTES, {
    onBatch: (batch) => {
      if (batch.topic === topics.orders) join.addOrders(batch);
      else join.addPayments(batch);
    },
    onEnd: () => join.expireBefore(Number.POSITIVE_INFINITY),
  });
  return { events: expected.orders + expected.payments, seconds, counts: join.counts };
});
