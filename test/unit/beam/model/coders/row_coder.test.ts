import assert from "node:assert/strict";
import { CorruptBytesError } from "../../../../../beam/model/bytes.js";
import type { Context } from "../../../../../beam/model/coders/coder.js";
import { decodeFromBytes, encodeToBytes } from "../../../../../beam/model/coders/encode_to_bytes.js";
import { RowCoder } from "../../../../../beam/model/coders/row_coder.js";
import type { Field, FieldType } from "../../../../../beam/model/coders/schema.js";
import { schemaFromBytes, schemaToBytes } from "../../../../../beam/model/coders/schema.js";
import { WIDE_SCHEMA } from "./every_coder.js";

const coderOf = (...fields: Field[]) => new RowCoder({ fields });
const one = (type: FieldType) => coderOf({ name: "x", type });
const hex = (coder: RowCoder, row: Record<string, unknown>) =>
  encodeToBytes(coder, row, "nested").toString("hex");
const decode = (coder: RowCoder, text: string, context: Context = "nested") =>
  decodeFromBytes(coder, Buffer.from(text, "hex"), context);

const logical = (urn: string, representation: FieldType, argument?: number): FieldType => ({
  kind: "logical",
  urn: `beam:logical_type:${urn}:v1`,
  representation,
  ...(argument !== undefined && { argument }),
});

describe("RowCoder", () => {
  it("writes integers in as many bytes as Java and Python do", () => {
    assert.equal(hex(one({ kind: "byte" }), { x: -1 }), "0100ff");
    assert.equal(hex(one({ kind: "int16" }), { x: -2 }), "0100fffe");
    assert.equal(hex(one({ kind: "int32" }), { x: -1 }), "0100ffffffff0f");
    assert.equal(hex(one({ kind: "int64" }), { x: -1n }), "0100ffffffffffffffffff01");
  });

  it("reads an int32 that was written in 64 bits, and refuses one beyond", () => {
    assert.deepEqual(decode(one({ kind: "int32" }), "0100ffffffffffffffffff01"), { x: -1 });
    assert.throws(() => decode(one({ kind: "int32" }), "01008080808010"), CorruptBytesError);
  });

  it("refuses numbers out of range, and names the type", () => {
    assert.throws(() => hex(one({ kind: "byte" }), { x: 128 }), /row byte coder writes .* -128 to 127/);
    assert.throws(() => hex(one({ kind: "int16" }), { x: 0.5 }), /row int16/);
    assert.throws(() => hex(one({ kind: "int32" }), { x: 2 ** 31 }), /row int32/);
    assert.throws(() => hex(one({ kind: "int64" }), { x: 1 }), /not a number/);
  });

  it("numbers the null bits by encoding position", () => {
    const fields = Array.from({ length: 10 }, (_, i) => ({
      name: `f${i}`,
      type: { kind: "bytes", nullable: true } as const,
      encodingPosition: 9 - i,
    }));
    // The example of beam_runner_api.proto, from the last field to the first.
    const empty = Buffer.alloc(0);
    const values = [null, empty, empty, empty, null, empty, empty, null, empty, null].reverse();
    const row = Object.fromEntries(values.map((value, i) => [`f${i}`, value]));
    assert.equal(hex(coderOf(...fields), row), `0a02${"9102"}${"00".repeat(6)}`);
    assert.deepEqual(decode(coderOf(...fields), `0a02${"9102"}${"00".repeat(6)}`), row);
  });

  it("reads null bits that are cut after the last set one, as Java writes them", () => {
    const names = Array.from({ length: 10 }, (_, i) => `f${i}`);
    const coder = coderOf(
      ...names.map((name) => ({ name, type: { kind: "boolean", nullable: true } as const })),
    );
    const row = decode(coder, `0a0101${"01".repeat(9)}`);
    assert.deepEqual(row, Object.fromEntries(names.map((name, i) => [name, i === 0 ? null : true])));
  });

  it("takes an absent property for null, and refuses null where it is not allowed", () => {
    assert.equal(hex(one({ kind: "string", nullable: true }), {}), "010101");
    assert.throws(() => hex(one({ kind: "string" }), {}), /field "x"/);
    assert.throws(() => decode(one({ kind: "string" }), "010101"), CorruptBytesError);
  });

  it("reads a row of an older schema, and one of a newer schema where its end is known", () => {
    const coder = coderOf(
      { name: "a", type: { kind: "boolean" } },
      { name: "b", type: { kind: "string", nullable: true } },
    );
    assert.deepEqual(decode(coder, "010001"), { a: true, b: null });
    assert.deepEqual(decode(coder, "030001016281828384", "outer"), { a: true, b: "b" });
    assert.throws(() => decode(coder, "030001016281828384", "nested"), CorruptBytesError);
    assert.throws(() => decode(coder, "0000"), CorruptBytesError);
  });

  it("gives rows their properties in the order of the schema", () => {
    const coder = coderOf(
      { name: "b", type: { kind: "boolean" }, encodingPosition: 1 },
      { name: "a", type: { kind: "boolean" }, encodingPosition: 0 },
    );
    assert.equal(JSON.stringify(decode(coder, "02000100")), '{"b":false,"a":true}');
  });

  it("refuses a schema with doubled names or positions, or a name that is no property", () => {
    const type = { kind: "boolean" } as const;
    assert.throws(() => coderOf({ name: "x", type }, { name: "x", type }), /two row fields/);
    assert.throws(() => one({ kind: "row", schema: { fields: [{ name: "__proto__", type }] } }), /__proto__/);
    for (const position of [0, 2, -1, undefined]) {
      const second = { name: "y", type, ...(position !== undefined && { encodingPosition: position }) };
      assert.throws(() => coderOf({ name: "x", type, encodingPosition: 0 }, second), /encoding position/);
    }
  });

  it("is deterministic as its fields are", () => {
    assert.equal(one({ kind: "array", element: { kind: "string", nullable: true } }).isDeterministic, true);
    assert.equal(one({ kind: "array", element: { kind: "double" } }).isDeterministic, false);
    assert.equal(
      one({ kind: "map", key: { kind: "string" }, value: { kind: "string" } }).isDeterministic,
      false,
    );
    assert.equal(
      one({ kind: "row", schema: { fields: [{ name: "f", type: { kind: "float" } }] } }).isDeterministic,
      false,
    );
  });

  it("gives its schema back through the payload", () => {
    const bytes = schemaToBytes(WIDE_SCHEMA);
    assert.deepEqual(schemaToBytes(schemaFromBytes(bytes)), bytes);
    const proto = RowCoder.fromPayload(bytes).toProto({ getCoderId: () => "" });
    assert.deepEqual(proto.spec, { urn: "beam:coder:row:v1", payload: bytes });
  });

  it("refuses a payload that is no schema, or has a type without a form", () => {
    assert.throws(() => schemaFromBytes(Buffer.from("ffff", "hex")), CorruptBytesError);
    const untyped = Buffer.from("0a030a0178", "hex");
    assert.throws(() => schemaFromBytes(untyped), /row field "x" has a type that is not supported/);
  });

  describe("with logical types", () => {
    it("pads fixed lengths and refuses greater ones", () => {
      const char = one(logical("fixed_char", { kind: "string" }, 3));
      assert.equal(hex(char, { x: "a" }), "010003612020");
      assert.deepEqual(decode(char, "01000161"), { x: "a  " });
      assert.throws(() => hex(char, { x: "abcd" }), /length up to 3/);
      assert.throws(() => decode(char, "01000461626364"), CorruptBytesError);
      const bytes = one(logical("fixed_bytes", { kind: "bytes" }, 2));
      assert.equal(hex(bytes, { x: Buffer.from([1]) }), "0100020100");
      assert.throws(
        () => hex(one(logical("var_bytes", { kind: "bytes" }, 2)), { x: Buffer.alloc(3) }),
        TypeError,
      );
    });

    it("needs the length where the type has one", () => {
      assert.throws(() => one(logical("var_char", { kind: "string" })), /needs an int32 argument/);
    });

    it("writes decimals in the shortest two's complement", () => {
      const coder = one(logical("decimal", { kind: "bytes" }));
      const cases: [bigint, number, string][] = [
        [0n, 0, "000100"],
        [127n, 0, "00017f"],
        [128n, 0, "00020080"],
        [-128n, 0, "000180"],
        [-129n, 0, "0002ff7f"],
        [-1n, 2, "0201ff"],
        [31415n, 4, "04027ab7"],
        [1n, -3, "fdffffff0f0101"],
      ];
      for (const [unscaled, scale, expected] of cases) {
        assert.equal(hex(coder, { x: { unscaled, scale } }), `0100${expected}`);
        assert.deepEqual(decode(coder, `0100${expected}`), { x: { unscaled, scale } });
      }
      assert.throws(() => hex(coder, { x: { unscaled: 1n << 40_000n, scale: 0 } }), /4096 bytes/);
      assert.throws(() => decode(coder, "01000000"), CorruptBytesError);
    });

    it("refuses subseconds of a second or more", () => {
      const representation: FieldType = {
        kind: "row",
        schema: {
          fields: [
            { name: "seconds", type: { kind: "int64" } },
            { name: "subseconds", type: { kind: "int16" } },
          ],
        },
      };
      const coder = one(logical("timestamp", representation, 3));
      assert.deepEqual(decode(coder, "010002000503e7"), { x: { seconds: 5n, subseconds: 999 } });
      assert.throws(() => decode(coder, "010002000503e8"), CorruptBytesError);
      assert.throws(() => hex(coder, { x: { seconds: 5n, subseconds: -1 } }), TypeError);
    });

    it("carries one that it does not know as its representation", () => {
      const coder = one(logical("of_somebody_else", { kind: "int32" }));
      assert.deepEqual(decode(coder, hex(coder, { x: 5 })), { x: 5 });
    });
  });
});
