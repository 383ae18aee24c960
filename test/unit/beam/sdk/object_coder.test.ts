import assert from "node:assert/strict";
import { ByteReader, ByteWriter } from "../../../../beam/model/bytes.js";
import { RowCoder } from "../../../../beam/model/coders/row_coder.js";
import { schemaToBytes } from "../../../../beam/model/coders/schema.js";
import * as coders from "../../../../beam/sdk/coders.js";
import type { ValueOf } from "../../../../beam/sdk/do_fn.js";
import { objectFromJson } from "../../../../beam/sdk/object_json.js";

const order = coders.object({
  id: "string",
  at: "timestamp",
  total: "double",
  number: "int",
  big: "bigint",
  paid: "bool",
  raw: "bytes?",
  coupon: "string?",
  lines: [{ sku: "string", count: "int?" }],
  address: { city: "string" },
});
type Order = ValueOf<typeof order>;

const whole: Order = {
  id: "o-1",
  at: 1_700_000_000_123,
  total: 12.5,
  number: 2 ** 40,
  big: 2n ** 62n,
  paid: true,
  raw: Buffer.from("raw"),
  coupon: null,
  lines: [
    { sku: "a", count: 3 },
    { sku: "b", count: null },
  ],
  address: { city: "Bern" },
};

describe("objects by the description of their fields", () => {
  it("come back as they were, also from the coder that a worker makes of the schema", () => {
    const onWorker = RowCoder.fromPayload(schemaToBytes(order.schema));
    for (const coder of [order, onWorker]) {
      const out = new ByteWriter(64);
      order.encode(whole, out, "outer");
      const back = coder.decode(new ByteReader(out.view()), "outer") as Order;
      assert.deepEqual({ ...back, raw: Buffer.from(back.raw!) }, whole);
      assert.equal(typeof back.number, "number");
    }
  });

  it("are described by names that there are", () => {
    assert.throws(() => coders.object({ at: "time" as "timestamp" }), {
      name: "TypeError",
      message:
        /^coders\.object: the field "at" is described by "time"; expected one of string, int, .*timestamp, /,
    });
    assert.throws(() => coders.object({ a: { b: [] as never } }), /the field "a\.b" is described by \[\]/);
    assert.throws(() => coders.object({}), /it has no fields/);
  });
});

describe("objects read from JSON", () => {
  const read = objectFromJson(order.schema);
  const json = {
    id: "o-1",
    at: "2023-11-14T22:13:20.123Z",
    total: 12.5,
    number: 2 ** 40,
    big: String(2n ** 62n),
    paid: true,
    raw: "cmF3",
    lines: [{ sku: "a", count: 3 }, { sku: "b" }],
    address: { city: "Bern", street: "left out" },
    unknown: 1,
  };

  it("have their fields checked, and others left out", () => {
    const back = read(JSON.parse(JSON.stringify(json))) as Order;
    assert.deepEqual({ ...back, raw: Buffer.from(back.raw!) }, whole);
  });

  it("may give times in milliseconds, and as ISO 8601, UTC where they say no offset", () => {
    const at = (time: unknown) => (read({ ...json, at: time }) as Order).at;
    assert.equal(at(5), 5);
    assert.equal(at("2026-01-31"), Date.UTC(2026, 0, 31));
    assert.equal(at("2026-01-31T12:00:00"), Date.UTC(2026, 0, 31, 12));
    assert.equal(at("2026-01-31T12:00:00+02:00"), Date.UTC(2026, 0, 31, 10));
    for (const wrong of [
      "2026-02-30T12:00:00Z",
      "2026-13-01",
      "yesterday",
      "2026-01-31 12:00",
      1.5,
      null,
      true,
    ]) {
      assert.throws(
        () => at(wrong),
        /"at" is .* not a time in ISO 8601, or whole milliseconds/,
        String(wrong),
      );
    }
  });

  for (const [field, value, message] of [
    ["id", 7, '"id" is a number, not a text'],
    ["id", undefined, 'it has no "id", which must be a text'],
    ["number", 1.5, '"number" is a number, not a whole number within 53 bits'],
    ["number", 2 ** 53, '"number" is a number, not a whole number within 53 bits'],
    ["big", "1".repeat(19), undefined],
    [
      "big",
      "9".repeat(19),
      '"big" is a string, not a whole number of 64 bits, as text where it is beyond 53',
    ],
    ["paid", "yes", '"paid" is a string, not true or false'],
    ["raw", "%", '"raw" is a string, not base64'],
    ["lines", {}, '"lines" is an object, not an array'],
    ["lines", [{ sku: 1 }], '"lines[].sku" is a number, not a text'],
    ["address", null, '"address" is null, not an object'],
    ["address", {}, 'it has no "address.city", which must be a text'],
  ] as const) {
    it(`${message === undefined ? "take" : "refuse"} ${field}: ${JSON.stringify(value)}`, () => {
      const call = () => read({ ...json, [field]: value });
      if (message === undefined) assert.doesNotThrow(call);
      else assert.throws(call, { name: "TypeError", message });
    });
  }

  it("are objects, and have no fields that they inherit", () => {
    for (const wrong of [null, [], "text", 1])
      assert.throws(() => read(wrong), /^TypeError: it is .* not an object$/);
    const inherited = objectFromJson(coders.object({ toString: "string?" }).schema);
    assert.deepEqual(inherited({}), { toString: null });
  });
});
