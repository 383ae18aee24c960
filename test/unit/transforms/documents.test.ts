import assert from "node:assert/strict";
import fc from "fast-check";
import type { Order, Payment } from "../../../schemas/events.js";
import { joinedDocument, unmatchedDocument } from "../../../transforms/documents.js";

const order: Order = {
  order_id: "o-1",
  order_date: 1_000,
  created_at: 2_000,
  customer_id: "c-1",
  amount: 30,
};
const payment: Payment = {
  payment_id: "p-1",
  order_id: "o-1",
  payment_date: 1_500,
  created_at: 2_500,
  amount: 29,
};

/** Texts that try to be mistaken for another's end, and numbers that try to be mistaken for a length. */
const text = fc
  .array(fc.constantFrom(":", "1", "2", "0", "-", "o", "order", "payment", "\u0000", "é", "😀", "\\", '"'), {
    maxLength: 4,
  })
  .map((parts) => parts.join(""));
const number = fc.oneof(fc.integer({ min: -2, max: 22 }), fc.integer({ min: -8.64e15, max: 8.64e15 }));
const orders: fc.Arbitrary<Order> = fc.record(
  {
    order_id: text,
    order_date: number,
    created_at: number,
    customer_id: text,
    amount: fc.integer({ min: -2, max: 22 }),
  },
  { noNullPrototype: true },
);
const payments: fc.Arbitrary<Payment> = fc.record(
  {
    payment_id: text,
    order_id: text,
    payment_date: number,
    created_at: number,
    amount: fc.integer({ min: -2, max: 22 }),
  },
  { noNullPrototype: true },
);

describe("joinedDocument", () => {
  it("has exactly the fields of the contract", () => {
    const { _id, ...fields } = joinedDocument(order, payment);
    assert.equal(_id, "o-1:p-1:c-1:1000:2000:30:1500:2500:29:3:3");
    assert.deepEqual(fields, {
      order_id: "o-1",
      order_date: new Date(1_000),
      created_at: new Date(2_000),
      customer_id: "c-1",
      order_amount: 30,
      payment_id: "p-1",
      payment_date: new Date(1_500),
      payment_amount: 29,
    });
  });

  it("gives another _id when any field of either event changes", () => {
    const { _id } = joinedDocument(order, payment);
    for (const field of Object.keys(order)) {
      assert.notEqual(joinedDocument(changed(order, field), payment)._id, _id, field);
    }
    for (const field of Object.keys(payment)) {
      if (field === "order_id") continue; // the same as the order's
      assert.notEqual(joinedDocument(order, changed(payment, field))._id, _id, field);
    }
  });

  it("can be read back from the _id alone, whatever the texts hold: so it is injective", () => {
    fc.assert(
      fc.property(orders, payments, (anyOrder, anyPayment) => {
        const pair = [anyOrder, { ...anyPayment, order_id: anyOrder.order_id }] as const;
        assert.deepEqual(readJoinedId(joinedDocument(...pair)._id), pair);
      }),
      { numRuns: 1_000 },
    );
  });

  it("keeps apart what joining with a separator would confuse", () => {
    const pairs: [Order, Payment][] = [
      [
        { ...order, order_id: "a:b" },
        { ...payment, payment_id: "c" },
      ],
      [
        { ...order, order_id: "a" },
        { ...payment, payment_id: "b:c" },
      ],
      [
        { ...order, order_id: "a", customer_id: "c" },
        { ...payment, payment_id: "b" },
      ],
      [
        { ...order, order_id: "a", customer_id: "" },
        { ...payment, payment_id: "b:c" },
      ],
    ];
    assert.equal(new Set(pairs.map(([o, p]) => joinedDocument(o, p)._id)).size, pairs.length);
  });
});

describe("unmatchedDocument", () => {
  it("is the order's own fields with kind, reason and expiry", () => {
    const { _id, ...fields } = unmatchedDocument("order", order, "UNPAID", 902_000);
    assert.equal(_id, "o-1:c-1:1000:2000:30:902000:3:order");
    assert.deepEqual(fields, {
      order_id: "o-1",
      order_date: new Date(1_000),
      created_at: new Date(2_000),
      customer_id: "c-1",
      amount: 30,
      kind: "order",
      reason: "UNPAID",
      expires_at: new Date(902_000),
    });
  });

  it("is the payment's own fields with kind, reason and expiry", () => {
    const { _id, ...fields } = unmatchedDocument("payment", payment, "NO_ORDER", 902_500);
    assert.equal(_id, "o-1:p-1:1500:2500:29:902500:3:payment");
    assert.deepEqual(fields, {
      payment_id: "p-1",
      order_id: "o-1",
      payment_date: new Date(1_500),
      created_at: new Date(2_500),
      amount: 29,
      kind: "payment",
      reason: "NO_ORDER",
      expires_at: new Date(902_500),
    });
  });

  it("can be read back from the _id alone, whatever the texts hold: so it is injective", () => {
    fc.assert(
      fc.property(orders, payments, number, (anyOrder, anyPayment, expiresAtMs) => {
        const orderId = unmatchedDocument("order", anyOrder, "UNPAID", expiresAtMs)._id;
        assert.deepEqual(readUnmatchedId(orderId), [anyOrder, expiresAtMs]);
        const paymentId = unmatchedDocument("payment", anyPayment, "NO_ORDER", expiresAtMs)._id;
        assert.deepEqual(readUnmatchedId(paymentId), [anyPayment, expiresAtMs]);
      }),
      { numRuns: 1_000 },
    );
  });

  it("holds an expiry beyond the last Date at the last Date, not at 1970", () => {
    const { expires_at } = unmatchedDocument(
      "order",
      { ...order, created_at: 8.64e15 },
      "UNPAID",
      8.64e15 + 1,
    );
    assert.equal(expires_at.getTime(), 8.64e15);
  });
});

/** Reads `count` parts from the right, where no part holds a colon. */
function splitRight(id: string, count: number): { head: string; parts: string[] } {
  const all = id.split(":");
  return { head: all.slice(0, -count).join(":"), parts: all.slice(-count) };
}

/** Cuts colon-separated texts of which all lengths but the last are known. */
function cutTexts(head: string, ...lengths: number[]): string[] {
  const texts: string[] = [];
  let at = 0;
  for (const length of lengths) {
    texts.push(head.slice(at, at + length));
    at += length + 1;
  }
  return [...texts, head.slice(at)];
}

function readJoinedId(id: string): [Order, Payment] {
  const { head, parts } = splitRight(id, 8);
  const numbers = parts.map(Number) as [number, number, number, number, number, number, number, number];
  const [order_date, createdAt, orderAmount, payment_date, paidAt, paymentAmount, ...lengths] = numbers;
  const [order_id, payment_id, customer_id] = cutTexts(head, ...lengths) as [string, string, string];
  return [
    { order_id, order_date, created_at: createdAt, customer_id, amount: orderAmount },
    { payment_id, order_id, payment_date, created_at: paidAt, amount: paymentAmount },
  ];
}

function readUnmatchedId(id: string): [Order | Payment, number] {
  const { head, parts } = splitRight(id, 6);
  const numbers = parts.map(Number) as [number, number, number, number, number, number];
  const [date, created_at, amount, expiresAtMs, length] = numbers;
  const [order_id, other] = cutTexts(head, length) as [string, string];
  const event =
    parts[5] === "order"
      ? { order_id, order_date: date, created_at, customer_id: other, amount }
      : { payment_id: other, order_id, payment_date: date, created_at, amount };
  return [event, expiresAtMs];
}

function changed<T extends object>(event: T, field: string): T {
  const value = (event as Record<string, unknown>)[field];
  return { ...event, [field]: typeof value === "number" ? value + 1 : `${value}x` };
}
