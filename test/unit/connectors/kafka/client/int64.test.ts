import assert from "node:assert/strict";
import fc from "fast-check";
import { readInt64, writeInt64 } from "../../../../../connectors/kafka/client/int64.js";

describe("64-bit numbers", () => {
  it("are the bytes that a BigInt gives, and are read back, wherever they lie", () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.nat(5), (value, at) => {
        const buffer = Buffer.alloc(16);
        assert.equal(writeInt64(value, buffer, at), at + 8);
        assert.equal(buffer.readBigInt64BE(at), BigInt(value));
        assert.equal(readInt64(buffer, at), value);
      }),
    );
  });
});
