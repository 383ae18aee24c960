import assert from "node:assert/strict";
import fc from "fast-check";
import { eventTypes } from "../../../schemas/avro_types.js";
import {
  decodeOrder,
  decodePayment,
  decoderByName,
  decodeValue,
  type EventDecoder,
} from "../../../schemas/decode.js";
import {
  encodeConfluent,
  encodeOrderAvro,
  encodeOrderJson,
  encodePaymentAvro,
  encodePaymentJson,
} from "../../../schemas/encode.js";
import type { Order, Payment } from "../../../schemas/events.js";
import { Malformed, type MalformedReason } from "../../../schemas/malformed.js";
import { arbitraryOrder, arbitraryPayment } from "./arbitraries.js";

const order: Order = {
  order_id: "o-1",
  order_date: Date.UTC(2026, 0, 1),
  created_at: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
  customer_id: "c-1",
  amount: 42,
};
const payment: Payment = {
  payment_id: "p-1",
  order_id: "o-1",
  payment_date: Date.UTC(2026, 0, 1),
  created_at: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
  amount: 42,
};
const orderHeader = eventTypes.order.header;

function whole<T>(decode: EventDecoder<T>, value: Buffer): T | Malformed {
  return decode(value, 0, value.length);
}

function assertMalformed(result: unknown, reason: MalformedReason, what: RegExp | string): void {
  assert.ok(result instanceof Malformed, `expected ${reason}, got ${JSON.stringify(result)}`);
  assert.equal(result.reason, reason, result.message);
  if (reason === "INVALID") assert.equal(result.field, what);
  else assert.match(result.message, what as RegExp);
  assert.ok(result.message.length < 400);
}

/** A zigzag varint of any width, canonical or not. */
function varint(value: bigint): Buffer {
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  const bytes: number[] = [];
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(rest)]);
}

function avroText(text: string | Buffer): Buffer {
  const bytes = Buffer.from(text as string);
  return Buffer.concat([varint(BigInt(bytes.length)), bytes]);
}

interface RawOrder {
  order_id: Buffer;
  order_date: Buffer;
  created_at: Buffer;
  customer_id: Buffer;
  amount: Buffer;
}

function rawOrder(change: Partial<RawOrder>): Buffer {
  const fields: RawOrder = {
    order_id: avroText("o-1"),
    order_date: varint(1n),
    created_at: varint(2n),
    customer_id: avroText("c"),
    amount: varint(3n),
  };
  return Buffer.concat([orderHeader, ...Object.values({ ...fields, ...change })]);
}

describe("decode Avro", () => {
  it("decodes what avsc decodes, from anywhere in a buffer", () => {
    const check = <T>(decode: EventDecoder<T>, kind: "order" | "payment", value: Buffer, event: T) => {
      const buffer = Buffer.concat([Buffer.from([0xff, 0x7b]), value, Buffer.from([0x00, 0xc3])]);
      const decoded = decode(buffer, 2, 2 + value.length);
      assert.deepEqual(decoded, event);
      const oracle = eventTypes[kind].type.fromBuffer(value.subarray(10));
      assert.deepEqual({ ...decoded }, { ...oracle });
      assert.deepEqual(Object.keys(decoded as object), Object.keys(oracle));
    };
    fc.assert(
      fc.property(arbitraryOrder, arbitraryPayment, (anyOrder, anyPayment) => {
        check(decodeOrder, "order", encodeOrderAvro(anyOrder), anyOrder);
        check(decodePayment, "payment", encodePaymentAvro(anyPayment), anyPayment);
      }),
      { numRuns: 500 },
    );
  });

  it("refuses every prefix of a value and every value with a byte more", () => {
    const value = encodeOrderAvro(order);
    for (let length = 0; length < value.length; length++) {
      const result = decodeOrder(value, 0, length);
      assert.ok(result instanceof Malformed && result.reason === "UNDECODABLE", `${length} bytes`);
    }
    // The end of the record counts, not the end of the buffer.
    const followed = Buffer.concat([value, value]);
    assert.deepEqual(decodeOrder(followed, 0, value.length), order);
    assertMalformed(decodeOrder(followed, 0, value.length + 1), "UNDECODABLE", /1 bytes follow/);
  });

  it("names an unknown fingerprint, and that of the other schema is unknown too", () => {
    const result = whole(decodeOrder, encodePaymentAvro(payment));
    assertMalformed(result, "UNDECODABLE", /4c5c7fdbcf64ab81 is unknown.*order.*6f29e504b6930c0b/);
    assertMalformed(
      whole(decodePayment, encodeOrderAvro(order)),
      "UNDECODABLE",
      /6f29e504b6930c0b is unknown/,
    );
    assertMalformed(whole(decodeOrder, orderHeader.subarray(0, 7)), "UNDECODABLE", /within its fingerprint/);
  });

  it("refuses strings that are not UTF-8, and lengths that cannot be", () => {
    const bytes = (...values: number[]) => avroText(Buffer.from(values));
    const notUtf8 = [
      [0xff],
      [0xc3],
      [0xc0, 0x80],
      [0xed, 0xa0, 0x80],
      [0xf5, 0x80, 0x80, 0x80],
      [0x41, 0xe2, 0x82],
    ];
    for (const text of notUtf8) {
      assertMalformed(
        whole(decodeOrder, rawOrder({ customer_id: bytes(...text) })),
        "UNDECODABLE",
        /customer_id is not valid UTF-8/,
      );
    }
    for (const length of [-1n, -(2n ** 63n), 1000n, 2n ** 31n, 2n ** 53n, 2n ** 63n - 1n]) {
      const value = rawOrder({ order_id: varint(length) });
      assertMalformed(whole(decodeOrder, value), "UNDECODABLE", /order_id has an impossible length/);
    }
    assert.deepEqual(
      (whole(decodeOrder, rawOrder({ customer_id: avroText("日本 €") })) as Order).customer_id,
      "日本 €",
    );
  });

  it("refuses integers wider than their type", () => {
    for (const amount of [2n ** 31n, -(2n ** 31n) - 1n, 2n ** 62n]) {
      assertMalformed(
        whole(decodeOrder, rawOrder({ amount: varint(amount) })),
        "UNDECODABLE",
        /amount .* 32 bits/,
      );
    }
    const eleven = Buffer.from([...Array(10).fill(0x80), 0x00]);
    const sixtyFive = Buffer.from([...Array(9).fill(0xff), 0x02]);
    for (const created_at of [eleven, sixtyFive]) {
      assertMalformed(whole(decodeOrder, rawOrder({ created_at })), "UNDECODABLE", /created_at .* 64 bits/);
    }
  });

  it("reads integers with needless groups, as other Avro readers do", () => {
    const value = rawOrder({
      amount: Buffer.from([0x86, 0x80, 0x00]),
      created_at: Buffer.from([0x84, 0x00]),
    });
    const result = whole(decodeOrder, value) as Order;
    assert.equal(result.amount, 3);
    assert.equal(result.created_at, 2);
  });

  it("refuses timestamps that no date can hold", () => {
    const limit = 8_640_000_000_000_000n;
    for (const field of ["order_date", "created_at"] as const) {
      for (const at of [limit + 1n, -limit - 1n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)]) {
        assertMalformed(whole(decodeOrder, rawOrder({ [field]: varint(at) })), "INVALID", field);
      }
      for (const at of [limit, -limit]) {
        assert.equal((whole(decodeOrder, rawOrder({ [field]: varint(at) })) as Order)[field], Number(at));
      }
    }
  });

  it("refuses empty ids but allows an empty customer", () => {
    assertMalformed(whole(decodeOrder, encodeOrderAvro({ ...order, order_id: "" })), "INVALID", "order_id");
    assertMalformed(
      whole(decodePayment, encodePaymentAvro({ ...payment, order_id: "" })),
      "INVALID",
      "order_id",
    );
    assertMalformed(
      whole(decodePayment, encodePaymentAvro({ ...payment, payment_id: "" })),
      "INVALID",
      "payment_id",
    );
    const anonymous = { ...order, customer_id: "" };
    assert.deepEqual(whole(decodeOrder, encodeOrderAvro(anonymous)), anonymous);
  });

  it("calls bytes undecodable before it calls their content invalid", () => {
    const value = encodeOrderAvro({ ...order, order_id: "" });
    assertMalformed(decodeOrder(value, 0, value.length - 1), "UNDECODABLE", /amount ends early/);
  });
});

describe("decode JSON", () => {
  const json = (change: object) => Buffer.from(JSON.stringify({ ...orderJson, ...change }));
  const orderJson = {
    order_id: "o-1",
    order_date: "2026-01-01",
    created_at: "2026-01-02 03:04:05.678999",
    customer_id: "c-1",
    amount: 42,
  };

  it("reads back what encode writes", () => {
    fc.assert(
      fc.property(arbitraryOrder, arbitraryPayment, (anyOrder, anyPayment) => {
        assert.deepEqual(whole(decodeOrder, encodeOrderJson(anyOrder)), anyOrder);
        assert.deepEqual(whole(decodePayment, encodePaymentJson(anyPayment)), anyPayment);
      }),
    );
  });

  it("ignores other fields and decodes inside a larger buffer", () => {
    assert.deepEqual(whole(decodeOrder, json({ note: { deep: [1] }, __proto__: null })), order);
    const value = json({});
    const buffer = Buffer.concat([Buffer.from("xx"), value, Buffer.from("yy")]);
    assert.deepEqual(decodeOrder(buffer, 2, 2 + value.length), order);
    assert.deepEqual(Object.keys(whole(decodeOrder, json({}))), Object.keys(order));
  });

  it("names the first field that is missing, null or of the wrong type", () => {
    for (const field of Object.keys(orderJson)) {
      for (const value of [undefined, null, [], {}, true, field === "amount" ? "42" : 42]) {
        assertMalformed(whole(decodeOrder, json({ [field]: value })), "INVALID", field);
      }
    }
    for (const field of ["payment_id", "order_id", "payment_date", "created_at", "amount"]) {
      const value = Buffer.from(
        JSON.stringify({ ...JSON.parse(encodePaymentJson(payment).toString()), [field]: null }),
      );
      assertMalformed(whole(decodePayment, value), "INVALID", field);
    }
    assertMalformed(whole(decodeOrder, Buffer.from("{}")), "INVALID", "order_id");
  });

  it("takes only 32-bit integers for amounts", () => {
    for (const amount of [1.5, 2 ** 31, -(2 ** 31) - 1, 1e300]) {
      assertMalformed(whole(decodeOrder, json({ amount })), "INVALID", "amount");
    }
    const amountOf = (text: string) =>
      (whole(decodeOrder, Buffer.from(JSON.stringify(orderJson).replace("42", text))) as Order).amount;
    assert.equal(amountOf("-2147483648"), -(2 ** 31));
    assert.equal(amountOf("1e2"), 100);
    assert.ok(Object.is(amountOf("-0"), 0));
  });

  it("refuses empty ids, bad timestamps and lone surrogates as invalid", () => {
    assertMalformed(whole(decodeOrder, json({ order_id: "" })), "INVALID", "order_id");
    assertMalformed(
      whole(decodeOrder, json({ created_at: "2026-02-30T00:00:00Z" })),
      "INVALID",
      "created_at",
    );
    assertMalformed(whole(decodeOrder, json({ order_date: 1767225600000 })), "INVALID", "order_date");
    for (const customer_id of ["a\ud800", "\udc00", "\ude00\ud83d"]) {
      assertMalformed(whole(decodeOrder, json({ customer_id })), "INVALID", "customer_id");
    }
    assert.equal((whole(decodeOrder, json({ customer_id: "😀" })) as Order).customer_id, "😀");
  });

  it("calls what is no JSON object undecodable", () => {
    for (const text of ["{", "{]", '{"a":1}x', "{'a':1}", "{\u0000}"]) {
      assertMalformed(whole(decodeOrder, Buffer.from(text)), "UNDECODABLE", /not valid JSON/);
    }
    const broken = Buffer.concat([Buffer.from('{"order_id":"'), Buffer.from([0xff]), Buffer.from('"}')]);
    assertMalformed(whole(decodeOrder, broken), "UNDECODABLE", /UTF-8/);
    const deep = Buffer.from('{"a":'.repeat(100_000));
    assertMalformed(whole(decodeOrder, deep), "UNDECODABLE", /more than 100 deep/);
  });

  it("keeps messages short and well formed whatever the value holds", () => {
    const long = whole(
      decodeOrder,
      json({ created_at: `${"x".repeat(59)}😀${"y".repeat(10_000)}` }),
    ) as Malformed;
    assert.ok(long.message.length < 200);
    assert.doesNotMatch(long.message, /\p{Surrogate}/u);
  });
});

describe("decode other formats", () => {
  it("recognises Confluent frames", () => {
    const result = whole(decodeOrder, encodeConfluent(1234, "order", order));
    assertMalformed(
      result,
      "UNDECODABLE",
      /^Confluent frame with schema id 1234, and no schema registry is configured$/,
    );
    assertMalformed(whole(decodeOrder, Buffer.from([0, 0, 0])), "UNDECODABLE", /ends within its schema id/);
  });

  it("refuses everything else", () => {
    assertMalformed(whole(decodeOrder, Buffer.alloc(0)), "UNDECODABLE", /empty/);
    for (const text of ["hello", " {}", "[]", '"a"', "null"]) {
      assertMalformed(whole(decodeOrder, Buffer.from(text)), "UNDECODABLE", /neither Avro nor JSON/);
    }
    assertMalformed(whole(decodeOrder, Buffer.from([0xc3, 0x02, 1, 2, 3])), "UNDECODABLE", /byte 0xc3/);
    assertMalformed(whole(decodeOrder, Buffer.from([0xc3])), "UNDECODABLE", /byte 0xc3/);
  });

  it("reports a null value as such", () => {
    assertMalformed(decodeValue(decodeOrder, null), "NULL_VALUE", /no value/);
    assert.deepEqual(decodeValue(decodeOrder, encodeOrderAvro(order)), order);
  });

  it("finds decoders by name", () => {
    assert.equal(decoderByName("order"), decodeOrder);
    assert.equal(decoderByName("payment"), decodePayment);
    assert.throws(() => decoderByName("refund" as string), /"refund".*order, payment/);
    assert.throws(() => decoderByName("constructor" as string), TypeError);
  });
});

describe("decode never throws", () => {
  const isExpected = (result: unknown): boolean =>
    result instanceof Malformed
      ? (result.reason === "UNDECODABLE") === (result.field === undefined) && result.message !== ""
      : typeof (result as Order).order_id === "string";

  it("on random bytes, alone or behind a header that is known", () => {
    const tail = fc.uint8Array({ maxLength: 80 });
    const heads = ["", "{", '{"order_id":"', "\u0000"].map((text) => Buffer.from(text));
    const head = fc.constantFrom(...heads, orderHeader, eventTypes.payment.header, Buffer.from([0xc3, 1]));
    fc.assert(
      fc.property(head, tail, (start, rest) => {
        const value = Buffer.concat([start, rest]);
        assert.ok(isExpected(whole(decodeOrder, value)));
        assert.ok(isExpected(whole(decodePayment, value)));
      }),
      { numRuns: 5000 },
    );
  });

  it("on values with some bytes changed", () => {
    const changes = fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { minLength: 1, maxLength: 4 });
    const encoders = fc.constantFrom(encodeOrderAvro, encodeOrderJson);
    fc.assert(
      fc.property(arbitraryOrder, encoders, changes, (anyOrder, encode, bytes) => {
        const value = encode(anyOrder);
        for (const [at, byte] of bytes) value[at % value.length] = byte;
        assert.ok(isExpected(whole(decodeOrder, value)));
      }),
      { numRuns: 3000 },
    );
  });

  it("on any JSON object", () => {
    const field = fc.constantFrom(
      "order_id",
      "order_date",
      "created_at",
      "customer_id",
      "amount",
      "__proto__",
    );
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.string({ unit: "binary" }),
      fc.constant("2026-01-01"),
    );
    fc.assert(
      fc.property(fc.dictionary(field, value), (object) => {
        assert.ok(isExpected(whole(decodeOrder, Buffer.from(JSON.stringify(object)))));
      }),
      { numRuns: 2000 },
    );
  });
});
