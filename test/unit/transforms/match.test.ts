import assert from "node:assert/strict";
import { expiryOf, isPair, isSameOrder, isSamePayment } from "../../../transforms/match.js";
import { order, payment } from "./join_stream.js";

describe("the match rule", () => {
  it("pairs an order and a payment of one id that lie no more than T apart", () => {
    for (const [apartMs, expected] of [
      [-11, false],
      [-10, true],
      [0, true],
      [10, true],
      [11, false],
    ] as const) {
      assert.equal(isPair(order({ created_at: 100 }), payment({ created_at: 100 + apartMs }), 10), expected);
    }
    assert.equal(isPair(order({ order_id: "a" }), payment({ order_id: "b" }), 10), false);
  });

  it("lets an event find a partner until its own time plus T", () => {
    assert.equal(expiryOf(order({ created_at: 100 }), 10), 110);
    assert.equal(expiryOf(payment({ created_at: -100 }), 10), -90);
  });

  it("calls an event the same only if every field is", () => {
    assert.ok(isSameOrder(order(), order()));
    assert.ok(isSamePayment(payment(), payment()));
    for (const field of Object.keys(order())) {
      const change = field.endsWith("_id") ? "another" : 99;
      assert.ok(!isSameOrder(order(), { ...order(), [field]: change }), field);
    }
    for (const field of Object.keys(payment())) {
      const change = field.endsWith("_id") ? "another" : 99;
      assert.ok(!isSamePayment(payment(), { ...payment(), [field]: change }), field);
    }
  });
});
