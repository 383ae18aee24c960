import assert from "node:assert/strict";
import { MALFORMED_VARIANTS, malformedValue } from "../../../producers/malformed_value.js";
import { decodeOrder, decodePayment } from "../../../schemas/decode.js";
import { Malformed } from "../../../schemas/malformed.js";

const order = { order_id: "o-1", order_date: 1e12, created_at: 1e12, customer_id: "c", amount: 7 };
const payment = { payment_id: "p-1", order_id: "o-1", payment_date: 1e12, created_at: 1e12, amount: 7 };

describe("malformedValue", () => {
  it("is refused in every variant, for both reasons and for many causes", () => {
    const reasons = new Set<string>();
    const messages = new Set<string>();
    for (let variant = 0; variant < MALFORMED_VARIANTS; variant++) {
      const orderBytes = malformedValue(order, variant);
      const paymentBytes = malformedValue(payment, variant);
      const results = [
        decodeOrder(orderBytes, 0, orderBytes.length),
        decodePayment(paymentBytes, 0, paymentBytes.length),
      ];
      for (const result of results) {
        assert.ok(result instanceof Malformed, `variant ${variant}: ${JSON.stringify(result)}`);
        reasons.add(result.reason);
        messages.add(result.message.replace("payment", "order"));
      }
    }
    assert.deepEqual([...reasons].sort(), ["INVALID", "UNDECODABLE"]);
    assert.ok(messages.size >= MALFORMED_VARIANTS, [...messages].join("\n"));
  });
});
