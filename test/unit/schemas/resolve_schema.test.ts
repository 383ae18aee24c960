/** Twelve evolutions of our schemas, and what else writers come with: the right event, or the reason why there is none. */
import assert from "node:assert/strict";
import avsc from "avsc";
import fc from "fast-check";
import type { EventDecoder } from "../../../schemas/decode.js";
import type { Order } from "../../../schemas/events.js";
import { Malformed } from "../../../schemas/malformed.js";
import { resolveSchema } from "../../../schemas/resolve_schema.js";
import { type WriterSchema, writerType } from "../../../schemas/writer_schema.js";
import { arbitraryOrder } from "./arbitraries.js";

const AT_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const DATE_MS = Date.UTC(2026, 0, 1);
const ORDER: Order = {
  order_id: "o-1",
  order_date: DATE_MS,
  created_at: AT_MS,
  customer_id: "c-1",
  amount: 42,
};
const MILLIS = { type: "long", logicalType: "timestamp-millis" };

type Field = Record<string, unknown> & { readonly name: string };
const FIELDS: readonly Field[] = [
  { name: "order_id", type: "string" },
  { name: "order_date", type: MILLIS },
  { name: "created_at", type: MILLIS },
  { name: "customer_id", type: "string" },
  { name: "amount", type: "int" },
];

function recordOf(fields: readonly Field[], more: object = {}): object {
  return { type: "record", name: "Order", ...more, fields };
}

function withField(name: string, change: object): readonly Field[] {
  return FIELDS.map((field) => (field.name === name ? { ...field, ...change } : field));
}

function resolved(schema: object | string, references: readonly object[] = []): EventDecoder<Order> | string {
  const texts: WriterSchema = {
    schema: typeof schema === "string" ? schema : JSON.stringify(schema),
    references: references.map((each) => JSON.stringify(each)),
  };
  return resolveSchema("order", writerType(texts));
}

/** Written by avsc, with logical types as plain numbers. */
function bytesOf(schema: object, value: unknown, references: readonly object[] = []): Buffer {
  const registry = {};
  for (const reference of references) avsc.Type.forSchema(reference as never, { registry });
  return avsc.Type.forSchema(schema as never, { registry, wrapUnions: false }).toBuffer(value);
}

function read(schema: object, value: unknown, references: readonly object[] = []): Order | Malformed {
  const decode = resolved(schema, references);
  if (typeof decode === "string") assert.fail(decode);
  const bytes = bytesOf(schema, value, references);
  const around = Buffer.concat([Buffer.from([0xff]), bytes, Buffer.from([0x00])]);
  for (let length = 0; length < bytes.length; length++) {
    assert.ok(decode(bytes, 0, length) instanceof Malformed, `a prefix of ${length} bytes`);
  }
  return decode(around, 1, 1 + bytes.length);
}

function assertRefused(schema: object | string, reason: RegExp): void {
  const decode = resolved(schema);
  assert.equal(typeof decode, "string");
  assert.match(decode as string, reason);
}

function assertInvalid(result: unknown, field: string, what: RegExp): void {
  assert.ok(result instanceof Malformed, JSON.stringify(result));
  assert.equal(result.field, field);
  assert.match(result.message, what);
}

describe("schemas that evolve", () => {
  it("1. fields that were added, with a default or none, are stepped over whatever they are", () => {
    const address = recordOf([{ name: "street", type: "string" }], { name: "Address" });
    const tree = recordOf([{ name: "left", type: ["null", "Tree"] }], { name: "Tree" });
    const added: Field[] = [
      { name: "currency", type: "string", default: "EUR" },
      { name: "flag", type: "boolean" },
      { name: "rate", type: "float" },
      { name: "price", type: "double" },
      { name: "raw", type: "bytes" },
      { name: "hash", type: { type: "fixed", name: "Hash", size: 4 } },
      { name: "colour", type: { type: "enum", name: "Colour", symbols: ["RED", "GREEN"] } },
      { name: "address", type: address },
      { name: "addresses", type: { type: "array", items: "Address" } },
      { name: "labels", type: { type: "map", values: ["null", "long"] } },
      { name: "tree", type: tree },
      { name: "exact", type: { type: "bytes", logicalType: "decimal", precision: 4, scale: 2 } },
      { name: "nothing", type: { type: "array", items: "null" } },
    ];
    const value = {
      ...ORDER,
      currency: "USD",
      flag: true,
      rate: 1.5,
      price: 2.5,
      raw: Buffer.from("raw"),
      hash: Buffer.from("hash"),
      colour: "GREEN",
      address: { street: "Main" },
      addresses: [{ street: "A" }, { street: "B" }],
      labels: { a: null, b: 2 ** 50 },
      tree: { left: { left: { left: null } } },
      exact: Buffer.from([1, 2]),
      nothing: [null, null, null],
    };
    assert.deepEqual(read(recordOf([...added, ...FIELDS]), value), ORDER);
    assert.deepEqual(read(recordOf([...FIELDS.slice(0, 2), ...added, ...FIELDS.slice(2)]), value), ORDER);
  });

  it("2. a field that was removed is named, for ours have no defaults", () => {
    for (const { name } of FIELDS) {
      assertRefused(recordOf(FIELDS.filter((field) => field.name !== name)), new RegExp(`no field ${name},`));
    }
  });

  it("3. fields in another order", () => {
    assert.deepEqual(read(recordOf([...FIELDS].reverse()), ORDER), ORDER);
  });

  it("4. a field that was renamed is found by the alias that the writer keeps for its old name", () => {
    const { customer_id, ...rest } = ORDER;
    const schema = recordOf(withField("customer_id", { name: "client", aliases: ["buyer", "customer_id"] }));
    assert.deepEqual(read(schema, { ...rest, client: customer_id }), ORDER);
    assertRefused(recordOf(withField("customer_id", { name: "client" })), /no field customer_id/);
  });

  it("5. promoted numbers and texts, and a long where it fits", () => {
    const seconds = recordOf(withField("created_at", { type: "int" }));
    assert.deepEqual(read(seconds, { ...ORDER, created_at: 2 ** 31 - 1 }), {
      ...ORDER,
      created_at: 2 ** 31 - 1,
    });
    const bytes = recordOf(withField("customer_id", { type: "bytes" }));
    assert.deepEqual(read(bytes, { ...ORDER, customer_id: Buffer.from("c-1") }), ORDER);
    const notUtf8 = read(bytes, { ...ORDER, customer_id: Buffer.from([0xff]) });
    assert.ok(notUtf8 instanceof Malformed && /customer_id is not valid UTF-8/.test(notUtf8.message));
    const long = recordOf(withField("amount", { type: "long" }));
    assert.deepEqual(read(long, ORDER), ORDER);
    const tooLarge = read(long, { ...ORDER, amount: 2 ** 31 });
    assert.ok(tooLarge instanceof Malformed && /amount is longer than 32 bits/.test(tooLarge.message));
    for (const type of ["float", "double", "string", "bytes", "boolean"]) {
      assertRefused(
        recordOf(withField("amount", { type })),
        new RegExp(`amount is a ${type} .*cannot be read as an int`),
      );
    }
    assertRefused(
      recordOf(withField("created_at", { type: "string" })),
      /created_at is a string .*as a time/,
    );
    assertRefused(recordOf(withField("order_id", { type: "long" })), /order_id is a long .*as a string/);
  });

  it("6. nullable fields: the value counts, and null is invalid", () => {
    const nullable = FIELDS.map((field) => ({ ...field, type: ["null", field.type], default: null }));
    assert.deepEqual(read(recordOf(nullable), ORDER), ORDER);
    for (const { name } of FIELDS) {
      assertInvalid(read(recordOf(nullable), { ...ORDER, [name]: null }), name, /is null/);
    }
    assertRefused(recordOf(withField("amount", { type: ["null", "double"] })), /amount is a double/);
  });

  it("7. another namespace, and another name", () => {
    const schema = recordOf(FIELDS, { name: "OrderEvent", namespace: "com.acme.shop" });
    assert.deepEqual(read(schema, ORDER), ORDER);
    assert.equal(resolved(schema), resolved(recordOf(FIELDS)), "our own reader reads it");
  });

  it("8. an enum that has grown, and one in a field's place", () => {
    const status = { type: "enum", name: "Status", symbols: ["NEW", "PAID", "SENT"], default: "NEW" };
    assert.deepEqual(
      read(recordOf([{ name: "status", type: status }, ...FIELDS]), { ...ORDER, status: "SENT" }),
      ORDER,
    );
    assertRefused(
      recordOf(withField("customer_id", { type: status })),
      /customer_id is an enum Status .*as a string/,
    );
  });

  it("9. a union whose branches stand in another order, or have become more", () => {
    const type = ["boolean", "string", "null", "long"];
    const schema = recordOf(withField("customer_id", { type }));
    assert.deepEqual(read(schema, ORDER), ORDER);
    assertInvalid(read(schema, { ...ORDER, customer_id: 7 }), "customer_id", /is a long .*as a string/);
    assertInvalid(read(schema, { ...ORDER, customer_id: null }), "customer_id", /is null/);
  });

  it("10. micros, nanos and dates are converted, and what is no time is refused", () => {
    const withTime = (logicalType: string | undefined, type = "long") =>
      recordOf(withField("created_at", { type: { type, ...(logicalType && { logicalType }) } }));
    for (const local of ["", "local-"]) {
      assert.deepEqual(read(withTime(`${local}timestamp-millis`), ORDER), ORDER);
      const micros = { ...ORDER, created_at: AT_MS * 1_000 + 999 };
      assert.deepEqual(read(withTime(`${local}timestamp-micros`), micros), ORDER);
    }
    assert.deepEqual(read(withTime("timestamp-micros"), { ...ORDER, created_at: -1 }), {
      ...ORDER,
      created_at: -1,
    });
    assert.deepEqual(read(withTime(undefined), ORDER), ORDER);
    const days = recordOf(withField("order_date", { type: { type: "int", logicalType: "date" } }));
    assert.deepEqual(read(days, { ...ORDER, order_date: DATE_MS / 86_400_000 }), ORDER);
    assertRefused(withTime("time-micros"), /created_at is a long \(time-micros\) .*as a time/);
    assertRefused(recordOf(withField("amount", { type: MILLIS })), /amount is a long \(timestamp-millis\)/);
  });

  it("10. nanos are exact, as far as a double alone would not be", () => {
    const nanos = recordOf(
      withField("created_at", { type: { type: "long", logicalType: "timestamp-nanos" } }),
    );
    const decode = resolved(nanos) as EventDecoder<Order>;
    const template = bytesOf(nanos, { ...ORDER, created_at: 0 });
    const at = template.indexOf(0, bytesOf(recordOf(FIELDS.slice(0, 2)), ORDER).length);
    for (const ms of [AT_MS, AT_MS + 1, -AT_MS, 0, 1, -1]) {
      for (const extra of [0n, 1n, 999_999n]) {
        const time = varint(BigInt(ms) * 1_000_000n + extra);
        const bytes = Buffer.concat([template.subarray(0, at), time, template.subarray(at + 1)]);
        assert.deepEqual(
          decode(bytes, 0, bytes.length),
          { ...ORDER, created_at: ms },
          `${ms} ms and ${extra} ns`,
        );
      }
    }
  });

  it("11. docs, properties and defaults that avsc would refuse", () => {
    const schema = {
      ...recordOf(withField("amount", { doc: "In cents", default: "none" }), {
        doc: "An order",
        "x-owner": "shop",
      }),
    };
    const decode = resolved(schema) as EventDecoder<Order>;
    const bytes = bytesOf(recordOf(FIELDS), ORDER);
    assert.deepEqual(decode(bytes, 0, bytes.length), ORDER);
  });

  it("12. records in records, by name and by reference", () => {
    const money = recordOf([{ name: "units", type: "long" }], { name: "Money", namespace: "com.acme" });
    const line = recordOf(
      [
        { name: "price", type: "com.acme.Money" },
        { name: "more", type: ["null", { type: "array", items: "com.acme.Line" }] },
      ],
      { name: "Line", namespace: "com.acme" },
    );
    const schema = recordOf([{ name: "line", type: "com.acme.Line" }, ...FIELDS], { namespace: "com.acme" });
    const value = { ...ORDER, line: { price: { units: 1 }, more: [{ price: { units: 2 }, more: null }] } };
    assert.deepEqual(read(schema, value, [money, line]), ORDER);
    assert.throws(() => resolved(schema, [money]), /undefined type name: com.acme.Line/);
  });

  it("a union of records is an event where its branch can be one", () => {
    const refund = recordOf([{ name: "why", type: "string" }], { name: "Refund" });
    const schema = [refund, recordOf(FIELDS)];
    const decode = resolved(schema) as EventDecoder<Order>;
    const order = Buffer.concat([varint(1n), bytesOf(recordOf(FIELDS), ORDER)]);
    assert.deepEqual(decode(order, 0, order.length), ORDER);
    const other = Buffer.concat([varint(0n), bytesOf(refund, { why: "late" })]);
    const result = decode(other, 0, other.length);
    assert.ok(result instanceof Malformed);
    assert.match(result.message, /is a record Refund: its schema has no field order_id/);
  });

  it("says what is no record, and what is no schema", () => {
    assertRefused('"string"', /is a string, not a record/);
    assertRefused("string", /is a string, not a record/);
    assert.throws(() => resolved("{"), /not JSON/);
    assert.throws(() => resolved({ type: "nonsense" }), /nonsense/);
  });

  it("reads what avsc's own resolver reads", () => {
    const reversed = recordOf([...FIELDS].reverse());
    const decode = resolved(reversed) as EventDecoder<Order>;
    const own = avsc.Type.forSchema(recordOf(FIELDS) as never);
    const writer = avsc.Type.forSchema(reversed as never);
    const resolver = own.createResolver(writer);
    fc.assert(
      fc.property(arbitraryOrder, (order) => {
        const bytes = writer.toBuffer(order);
        assert.deepEqual({ ...decode(bytes, 0, bytes.length) }, { ...own.fromBuffer(bytes, resolver) });
      }),
    );
  });

  it("ends on any bytes", () => {
    const tree = recordOf([{ name: "children", type: { type: "array", items: "Tree" } }], { name: "Tree" });
    const schema = recordOf([
      { name: "tree", type: tree },
      { name: "labels", type: { type: "map", values: "Tree" } },
      ...FIELDS,
    ]);
    const decode = resolved(schema) as EventDecoder<Order>;
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const buffer = Buffer.from(bytes);
        decode(buffer, 0, buffer.length);
      }),
      { numRuns: 2_000 },
    );
    // A list of links as deep as the value is long.
    const deep = Buffer.alloc(1_000_000, 2);
    const result = decode(deep, 0, deep.length);
    assert.ok(result instanceof Malformed && /more than 100 deep/.test(result.message));
  });
});

function varint(value: bigint): Buffer {
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  const bytes: number[] = [];
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(rest)]);
}
