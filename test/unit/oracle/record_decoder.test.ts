/**
 * Two decoders written apart from each other, the product's and the oracle's, must agree on every value. Where they
 * do not, one of them has misread the contract.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeOrder, decodePayment, decodeValue } from "../../../schemas/decode.js";
import {
  encodeConfluent,
  encodeOrderAvro,
  encodeOrderJson,
  encodePaymentAvro,
  encodePaymentJson,
} from "../../../schemas/encode.js";
import type { Order, Payment } from "../../../schemas/events.js";
import { Malformed } from "../../../schemas/malformed.js";
import { decodeOrderRecord, decodePaymentRecord, isoTimestampMs } from "../../oracle/record_decoder.js";

const order: Order = {
  order_id: "o-1",
  order_date: 1_700_000_000_000,
  created_at: 1_700_000_000_123,
  customer_id: "ç",
  amount: -7,
};
const payment: Payment = {
  payment_id: "p-1",
  order_id: "o-1",
  payment_date: 1_700_000_000_000,
  created_at: 1_700_000_000_123,
  amount: 2 ** 31 - 1,
};

const orderFields = {
  order_id: "o",
  order_date: "2026-01-02",
  created_at: "2026-01-02",
  customer_id: "",
  amount: 1,
};

describe("the oracle's decoder", () => {
  it("reads both formats of both events", () => {
    assert.deepEqual(decodeOrderRecord(encodeOrderAvro(order)), { event: order });
    assert.deepEqual(decodeOrderRecord(encodeOrderJson(order)), { event: order });
    assert.deepEqual(decodePaymentRecord(encodePaymentAvro(payment)), { event: payment });
    assert.deepEqual(decodePaymentRecord(encodePaymentJson(payment)), { event: payment });
  });

  const faults: [string, Buffer | null, string][] = [
    ["null", null, "NULL_VALUE"],
    ["an empty value", Buffer.alloc(0), "UNDECODABLE"],
    ["text", Buffer.from("hello"), "UNDECODABLE"],
    ["a JSON array", Buffer.from("[1]"), "UNDECODABLE"],
    ["JSON after a blank", Buffer.from(" {}"), "UNDECODABLE"],
    ["half a JSON object", Buffer.from('{"order_id":'), "UNDECODABLE"],
    ["a Confluent frame without a registry", encodeConfluent(7, "order", order), "UNDECODABLE"],
    ["the fingerprint of the other event", encodePaymentAvro(payment), "UNDECODABLE"],
    ["a body that ends early", encodeOrderAvro(order).subarray(0, -1), "UNDECODABLE"],
    ["a body with a byte behind it", Buffer.concat([encodeOrderAvro(order), Buffer.alloc(1)]), "UNDECODABLE"],
    ["an empty order_id in Avro", encodeOrderAvro({ ...order, order_id: "" }), "INVALID"],
    ["a timestamp that no Date holds", avroOrder(8_640_000_000_000_001n, 1n), "INVALID"],
    ["an amount that is no int in Avro", avroOrder(0n, 1n << 31n), "UNDECODABLE"],
    ["a number of 65 bits", avroOrder(0n, 0n, Buffer.from("ffffffffffffffffff02", "hex")), "UNDECODABLE"],
    ["a number of 11 bytes", avroOrder(0n, 0n, Buffer.from("8080808080808080808000", "hex")), "UNDECODABLE"],
    ["an empty order_id in JSON", json({ order_id: "" }), "INVALID"],
    ["a missing field", json({ customer_id: undefined }), "INVALID"],
    ["a null field", json({ customer_id: null }), "INVALID"],
    ["a fraction as amount", json({ amount: 1.5 }), "INVALID"],
    ["an amount above int32", json({ amount: 2 ** 31 }), "INVALID"],
    ["an amount as text", json({ amount: "1" }), "INVALID"],
    ["a timestamp as a number", json({ created_at: 5 }), "INVALID"],
    ["a day that does not exist", json({ order_date: "2026-02-30" }), "INVALID"],
    ["a lone surrogate", Buffer.from(JSON.stringify({ ...orderFields, order_id: "\ud800" })), "INVALID"],
  ];
  for (const [what, value, fault] of faults) {
    it(`calls ${what} ${fault}, as the product does`, () => {
      assert.deepEqual(decodeOrderRecord(value), { fault });
      assertAgree(value);
    });
  }

  it("reads a number with more bytes than it needs, as the product does", () => {
    const value = avroOrder(0n, 0n, Buffer.from("8280808000", "hex"));
    assert.equal("event" in decodeOrderRecord(value), true);
    assertAgree(value);
  });

  it("reads timestamps of many shapes", () => {
    const at = Date.UTC(2026, 0, 2, 3, 4, 5);
    const shapes: [string, number | undefined][] = [
      ["2026-01-02T03:04:05", at],
      ["2026-01-02 03:04:05", at],
      ["2026-01-02T03:04:05Z", at],
      ["2026-01-02T05:04:05+02:00", at],
      ["2026-01-02T05:04:05+0200", at],
      ["2026-01-02T05:04:05+02", at],
      ["2026-01-01T22:34:05-04:30", at],
      ["2026-01-02T03:04:05.9", at + 900],
      ["2026-01-02T03:04:05,123999999", at + 123],
      ["2026-01-02", Date.UTC(2026, 0, 2)],
      ["2024-02-29", Date.UTC(2024, 1, 29)],
      ["1969-12-31T23:59:59.999999", -1],
      ["0099-01-01", new Date("0099-01-01T00:00:00Z").getTime()],
      ["2026-02-29", undefined],
      ["2026-13-01", undefined],
      ["2026-01-02T25:00:00", undefined],
      ["2026-01-02T03:04:60", undefined],
      ["yesterday", undefined],
      ["", undefined],
    ];
    for (const [text, expected] of shapes) {
      assert.equal(isoTimestampMs(text), expected, text);
      assertAgree(json({ created_at: text }));
    }
  });

  it("agrees with the product on values with bytes changed, cut or added", () => {
    const seeds = [
      encodeOrderAvro(order),
      encodeOrderJson(order),
      encodePaymentAvro(payment),
      encodePaymentJson(payment),
    ];
    const damaged = fc
      .tuple(
        fc.constantFrom(...seeds),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
        fc.nat(200),
      )
      .map(([seed, changes, length]) => {
        const value = Buffer.from(seed.subarray(0, length));
        for (const [at, byte] of changes) if (value.length > 0) value[at % value.length] = byte;
        return value;
      });
    fc.assert(
      fc.property(damaged, (value) => assertAgree(value)),
      { numRuns: 3_000 },
    );
  });
});

/** An order whose numbers need not be possible. */
function avroOrder(createdAtMs: bigint, amount: bigint, orderDate = avroLong(0n)): Buffer {
  const text = Buffer.from([2, 0x61]);
  const header = encodeOrderAvro(order).subarray(0, 10);
  return Buffer.concat([header, text, orderDate, avroLong(createdAtMs), text, avroLong(amount)]);
}

/** Zig-zag, then seven bits a byte, lowest first. */
function avroLong(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(rest)]);
}

function json(change: Record<string, unknown>): Buffer {
  return Buffer.from(JSON.stringify({ ...orderFields, ...change }));
}

function assertAgree(value: Buffer | null): void {
  const shown = value === null ? "null" : `${value.toString("hex")} = ${value.toString("latin1")}`;
  assert.deepEqual(decodeOrderRecord(value), productAnswer(decodeValue(decodeOrder, value)), shown);
  assert.deepEqual(decodePaymentRecord(value), productAnswer(decodeValue(decodePayment, value)), shown);
}

function productAnswer<T>(answer: T | Malformed): unknown {
  return answer instanceof Malformed ? { fault: answer.reason } : { event: answer };
}
