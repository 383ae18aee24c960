import assert from "node:assert/strict";
import type { CounterSource } from "../../../../beam/sdk/pipeline_run.js";
import { figuresOf } from "../../../../pipeline/report/figures.js";
import { imbalances, summaryOf, summaryText } from "../../../../pipeline/report/summary.js";

/** Counters by transform and name, as the runner keeps them. */
function metrics(counters: Readonly<Record<string, number>>): CounterSource {
  return {
    counter: (name, transform = "") =>
      Object.entries(counters)
        .filter(([key]) => key.startsWith(transform) && key.endsWith(`/${name}`))
        .reduce((sum, [, count]) => sum + count, 0),
  };
}

const COUNTERS = {
  "ReadOrders/ReadPartitions/process/records": 20,
  "ReadOrders/ReadPartitions/process/rejected": 3,
  "ReadPayments/ReadPartitions/process/records": 14,
  "ReadPayments/ReadPartitions/process/rejected": 1,
  "JoinOrdersPayments/joined": 9,
  "JoinOrdersPayments/joined_orders": 8,
  "JoinOrdersPayments/joined_payments": 9,
  "JoinOrdersPayments/unmatched_orders": 4,
  "JoinOrdersPayments/unmatched_payments": 2,
  "JoinOrdersPayments/duplicates_orders": 1,
  "JoinOrdersPayments/dead_letters_orders": 2,
  "JoinOrdersPayments/pending_orders": 2,
  "JoinOrdersPayments/pending_payments": 2,
  "WriteJoined/refused": 1,
  "WriteDeadLetters/INVALID": 4,
  "WriteDeadLetters/CONFLICT": 2,
  "WriteDeadLetters/SINK_REJECTED": 1,
};

describe("the summary", () => {
  it("counts what is in each collection, and what waits", () => {
    assert.deepEqual(summaryOf(figuresOf(metrics(COUNTERS)), 1234.6), {
      orders: 20,
      payments: 14,
      joined: 8,
      unmatched: 6,
      duplicates: 1,
      dead_letters: { INVALID: 4, CONFLICT: 2, SINK_REJECTED: 1 },
      pending: 4,
      duration_ms: 1235,
    });
  });

  it("is a table for a person", () => {
    const [header, orders, payments, , ...rest] = summaryText(figuresOf(metrics(COUNTERS)), 1500).split("\n");
    assert.deepEqual(header!.trim().split(/ {2,}/), [
      "read",
      "joined",
      "unmatched",
      "duplicates",
      "dead letters",
      "pending",
    ]);
    assert.deepEqual(orders!.split(/ +/), ["orders", "20", "8", "4", "1", "5", "2"]);
    assert.deepEqual(payments!.split(/ +/), ["payments", "14", "9", "2", "0", "1", "2"]);
    assert.equal(header!.length, orders!.length);
    assert.deepEqual(rest, [
      "8 joined and 6 unmatched in MongoDB",
      "7 dead letters: INVALID 4, CONFLICT 2, SINK_REJECTED 1",
      "34 events in 1.5 s",
    ]);
  });
});

describe("the books", () => {
  it("balance when each event is in exactly one place", () => {
    assert.deepEqual(imbalances(figuresOf(metrics(COUNTERS))), []);
  });

  for (const lost of [
    "JoinOrdersPayments/pending_orders",
    "JoinOrdersPayments/dead_letters_orders",
    "ReadOrders/ReadPartitions/process/rejected",
    "ReadOrders/ReadPartitions/process/records",
  ]) {
    it(`do not balance without ${lost}`, () => {
      const [sentence, ...others] = imbalances(figuresOf(metrics({ ...COUNTERS, [lost]: 0 })));
      assert.match(sentence!, /DO NOT BALANCE.*orders/);
      assert.deepEqual(others, []);
    });
  }
});
