import assert from "node:assert/strict";
import avsc from "avsc";
import { eventTypes } from "../../../schemas/avro_types.js";
import { canonicalForm, crc64Avro, fingerprintOf } from "../../../schemas/fingerprint.js";

describe("fingerprint", () => {
  it("gives the values of Avro's own schema tests", () => {
    const vectors: [string, bigint][] = [
      ['"null"', 0x63dd24e7cc258f8an],
      ['"int"', 0x7275d51a3f395c8fn],
      ['"float"', 0x4d7c02cb3ea8d790n],
      ['"long"', 0xd054e14493f41db7n],
      ['"double"', 0x8e7535c032ab957en],
      ['"bytes"', 0x4fc016dac3201965n],
      ['"string"', 0x8f014872634503c7n],
      ['"boolean"', 0x9f42fc78a4d4f764n],
    ];
    for (const [schema, expected] of vectors) {
      assert.equal(crc64Avro(Buffer.from(schema)), expected, schema);
      assert.equal(fingerprintOf(avsc.Type.forSchema(JSON.parse(schema))), expected, schema);
    }
  });

  it("is that of the empty fingerprint for no bytes", () => {
    assert.equal(crc64Avro(Buffer.alloc(0)), 0xc15d213aa4d7a795n);
  });

  it("does not change with docs, logical types, defaults or order of attributes", () => {
    const plain = avsc.Type.forSchema({
      type: "record",
      name: "A",
      fields: [{ name: "at", type: "long" }],
    });
    const decorated = avsc.Type.forSchema({
      fields: [
        { doc: "when", type: { logicalType: "timestamp-millis", type: "long" }, name: "at", default: 0 },
      ],
      doc: "a record",
      name: "A",
      type: "record",
    } as avsc.Schema);
    assert.equal(
      canonicalForm(decorated),
      '{"name":"A","type":"record","fields":[{"name":"at","type":"long"}]}',
    );
    assert.equal(fingerprintOf(decorated), fingerprintOf(plain));
  });

  // Computed with another implementation (fastavro 1.13); a change here orphans every value already in Kafka.
  it("pins the fingerprints of the event schemas", () => {
    assert.equal(eventTypes.order.fingerprint, 0x6f29e504b6930c0bn);
    assert.equal(eventTypes.payment.fingerprint, 0x4c5c7fdbcf64ab81n);
    assert.equal(eventTypes.order.header.toString("hex"), "c3010b0c93b604e5296f");
  });
});
