import assert from "node:assert/strict";
import type { Evidence } from "../../../../pipeline/explain/explanation.js";
import { verdictOf } from "../../../../pipeline/explain/verdict.js";

const NOON = Date.parse("2026-01-31T12:00:00Z");
const T_MS = 900_000;

const order = {
  kind: "order" as const,
  id: "o-1",
  createdAtMs: NOON,
  expiresAtMs: NOON + T_MS,
  isPaired: false,
  amount: 1,
};
const payment = {
  ...order,
  kind: "payment" as const,
  id: "p-1",
  createdAtMs: NOON + 60_000,
  expiresAtMs: NOON + T_MS + 60_000,
};
const letter = {
  id: "t:1:2:x",
  reason: "INVALID",
  message: "amount is missing",
  topic: "t",
  partition: 1,
  offset: "2",
  kind: null,
};

function evidence(changes: Partial<Evidence> = {}): Evidence {
  return {
    orderId: "o-1",
    atMs: NOON,
    timeoutMs: T_MS,
    stateFrom: "the running process",
    waiting: [],
    watermark: { atMs: NOON, heldBy: null },
    joined: [],
    unmatched: [],
    deadLetters: [],
    arrivals: null,
    notes: [],
    ...changes,
  };
}

describe("a verdict", () => {
  const cases: readonly [what: string, Partial<Evidence>, RegExp][] = [
    [
      "an order that waits, and what holds its expiry",
      { waiting: [order], watermark: { atMs: NOON + 300_000, heldBy: "payments/3" } },
      /^It is not paired yet: no payment for it has arrived\. It waits until event time has passed 2026-01-31T12:15:00.*Z, which is 10 min.* away: event time is .*, held by payments\/3\.$/,
    ],
    [
      "a payment that came before its order",
      { waiting: [payment] },
      /^It is not paired yet: payment p-1 arrived, but the order has not\./,
    ],
    [
      "two that are too far apart",
      { waiting: [order, { ...payment, createdAtMs: NOON + 2 * T_MS }] },
      /^It is not paired: order and payment p-1 are 30 min.* apart by created_at, and at most 15 min.* is allowed\./,
    ],
    [
      "a pair whose document is missing",
      { waiting: [{ ...order, isPaired: true }] },
      /^It was paired in state, but its document is not in the collection/,
    ],
    [
      "a pair whose document was refused",
      {
        waiting: [{ ...order, isPaired: true }],
        deadLetters: [{ ...letter, reason: "SINK_REJECTED", topic: null }],
      },
      /^It was paired, but the collection rejected its document: amount is missing$/,
    ],
    [
      "a pair",
      { joined: [{ paymentId: "p-1", createdAtMs: NOON, paymentDateMs: NOON, document: {} }] },
      /^It is paired with payment p-1\.$/,
    ],
    [
      "an order that nobody paid, because the payment was no event",
      {
        unmatched: [
          { kind: "order", reason: "UNPAID", id: "o-1", createdAtMs: NOON, expiresAtMs: NOON + T_MS },
        ],
        deadLetters: [letter],
      },
      /no payment for it had arrived \(UNPAID\); a record of it became a dead letter, INVALID: amount is missing\.$/,
    ],
    [
      "both unmatched",
      {
        unmatched: [
          { kind: "order", reason: "UNPAID", id: "o-1", createdAtMs: NOON, expiresAtMs: 0 },
          { kind: "payment", reason: "NO_ORDER", id: "p-1", createdAtMs: NOON + 2 * T_MS, expiresAtMs: 0 },
        ],
      },
      /^It is not paired: order and payment p-1 are 30 min.* apart/,
    ],
    [
      "one that is not read yet",
      {
        arrivals: [
          {
            kind: "order",
            topic: "t",
            partition: 1,
            offset: 9,
            timestampMs: NOON,
            createdAtMs: NOON,
            id: "o-1",
            problem: null,
            isRead: false,
          },
        ],
      },
      /^It is in Kafka, at t\[1\], offset 9, and has not been read yet\.$/,
    ],
    [
      "nothing",
      { arrivals: [] },
      /^Nothing is known of it: .* in the collections, the state and the topics\.$/,
    ],
  ];
  for (const [what, changes, expected] of cases) {
    it(`tells of ${what}`, () => assert.match(verdictOf(evidence(changes)), expected));
  }
});
