import assert from "node:assert/strict";
import { createRequire } from "node:module";
import fc from "fast-check";
import { crc32c } from "../../../../beam/platform/crc32c.js";

const kafkaJsCrc32c: (bytes: Buffer) => number = createRequire(import.meta.url)(
  "kafkajs/src/protocol/recordBatch/crc32C",
);

describe("crc32c", () => {
  it("gives the check value of the standard", () => {
    assert.equal(crc32c(Buffer.from("123456789"), 0, 9), 0xe3069283);
    assert.equal(crc32c(Buffer.alloc(0), 0, 0), 0);
  });

  it("goes on from the checksum of what comes before", () => {
    const bytes = Buffer.from("123456789");
    for (let cut = 0; cut <= 9; cut++) {
      assert.equal(crc32c(bytes, cut, 9, crc32c(bytes, 0, cut)), 0xe3069283);
    }
  });

  it("agrees with kafkajs on every slice", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(20), (bytes, start) => {
        const from = Math.min(start, bytes.length);
        assert.equal(
          crc32c(bytes, from, bytes.length),
          kafkaJsCrc32c(Buffer.from(bytes.subarray(from))) >>> 0,
        );
      }),
    );
  });
});
