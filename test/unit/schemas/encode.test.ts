import assert from "node:assert/strict";
import fc from "fast-check";
import { eventTypes } from "../../../schemas/avro_types.js";
import {
  encodeConfluent,
  encodeOrderAvro,
  encodeOrderJson,
  encodePaymentAvro,
  encodePaymentJson,
} from "../../../schemas/encode.js";
import type { Order, Payment } from "../../../schemas/events.js";
import { arbitraryOrder, arbitraryPayment } from "./arbitraries.js";

const order: Order = { order_id: "o-1", order_date: 0, created_at: 64, customer_id: "c", amount: -3 };
const payment: Payment = { payment_id: "p-1", order_id: "o-1", payment_date: -1, created_at: 1, amount: 5 };

describe("encode", () => {
  it("writes an order in single-object encoding", () => {
    const body = "066f2d31" + "00" + "8001" + "0263" + "05";
    assert.equal(encodeOrderAvro(order).toString("hex"), `c3010b0c93b604e5296f${body}`);
  });

  it("writes a payment in single-object encoding", () => {
    const body = "06702d31" + "066f2d31" + "01" + "02" + "0a";
    assert.equal(encodePaymentAvro(payment).toString("hex"), `c30181ab64cfdb7f5c4c${body}`);
  });

  it("writes JSON with ISO-8601 timestamps", () => {
    assert.deepEqual(JSON.parse(encodeOrderJson(order).toString()), {
      order_id: "o-1",
      order_date: "1970-01-01T00:00:00.000Z",
      created_at: "1970-01-01T00:00:00.064Z",
      customer_id: "c",
      amount: -3,
    });
    assert.deepEqual(JSON.parse(encodePaymentJson(payment).toString()), {
      payment_id: "p-1",
      order_id: "o-1",
      payment_date: "1969-12-31T23:59:59.999Z",
      created_at: "1970-01-01T00:00:00.001Z",
      amount: 5,
    });
  });

  it("writes Confluent frames", () => {
    const frame = encodeConfluent(0xfedcba98, "order", order);
    assert.equal(frame.subarray(0, 5).toString("hex"), "00fedcba98");
    assert.deepEqual(frame.subarray(5), eventTypes.order.type.toBuffer(order));
    assert.throws(() => encodeConfluent(-1, "order", order), RangeError);
    assert.throws(() => encodeConfluent(2 ** 32, "payment", payment), RangeError);
  });

  it("grows for long values and keeps earlier results intact", () => {
    const first = encodeOrderAvro(order);
    const copy = Buffer.from(first);
    const long = encodeOrderAvro({ ...order, customer_id: "x".repeat(10_000) });
    assert.equal(long.length, first.length + 10_000 + 1);
    assert.equal(long.subarray(0, 10).toString("hex"), "c3010b0c93b604e5296f");
    assert.deepEqual(first, copy);
  });

  it("agrees with avsc on every event", () => {
    fc.assert(
      fc.property(arbitraryOrder, arbitraryPayment, (anyOrder, anyPayment) => {
        assert.deepEqual(encodeOrderAvro(anyOrder).subarray(10), eventTypes.order.type.toBuffer(anyOrder));
        assert.deepEqual(
          encodePaymentAvro(anyPayment).subarray(10),
          eventTypes.payment.type.toBuffer(anyPayment),
        );
      }),
    );
  });

  it("refuses an event that does not fit the schema", () => {
    assert.throws(() => encodeOrderAvro({ ...order, amount: 1.5 }));
    assert.throws(() => encodeOrderAvro({ ...order, created_at: -(2 ** 52) - 1 }), RangeError);
    assert.throws(() => encodePaymentAvro({ ...payment, payment_date: 2 ** 53 }), RangeError);
    assert.throws(() => encodeOrderAvro({ ...order, order_id: undefined as unknown as string }));
  });
});
