import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import avsc from "avsc";

function load(name: string): avsc.Type {
  const url = new URL(`../../../schemas/${name}.avsc`, import.meta.url);
  return avsc.Type.forSchema(JSON.parse(readFileSync(url, "utf8")));
}

describe("the schemas of what is written", () => {
  it("joined has exactly the fields of the contract, in order", () => {
    const { fields } = load("joined") as avsc.types.RecordType;
    assert.deepEqual(
      fields.map((field) => field.name),
      [
        "order_id",
        "order_date",
        "created_at",
        "customer_id",
        "order_amount",
        "payment_id",
        "payment_date",
        "payment_amount",
      ],
    );
  });

  it("unmatched holds an order or a payment", () => {
    const type = load("unmatched");
    const common = { expires_at: 900_000, order_id: "o", created_at: 0, amount: 1 };
    const order = { ...common, kind: "order", reason: "UNPAID", order_date: { long: 0 } };
    const orderOnly = { ...order, customer_id: { string: "c" }, payment_id: null, payment_date: null };
    assert.ok(type.isValid({ ...orderOnly, order_date: 0, customer_id: "c" }));
    const payment = { ...common, kind: "payment", reason: "NO_ORDER", payment_id: "p", payment_date: 0 };
    assert.ok(type.isValid(payment));
    assert.ok(!type.isValid({ ...payment, reason: "LATE" }));
  });

  it("dead_letter knows every reason and allows a record without key or value", () => {
    const type = load("dead_letter");
    const reasons = ["UNDECODABLE", "INVALID", "FUTURE_TIMESTAMP", "LATE", "CONFLICT", "NULL_VALUE"];
    for (const reason of [...reasons, "SINK_REJECTED"]) {
      const letter = { reason, message: "m", topic: "t", partition: 0, offset: 1, timestamp: 2 };
      assert.ok(type.isValid({ ...letter, key: null, value: null }), reason);
      assert.ok(type.isValid({ ...letter, key: Buffer.from("k"), value: Buffer.from([0xff]) }), reason);
    }
  });
});
