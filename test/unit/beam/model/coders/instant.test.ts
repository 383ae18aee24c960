import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader, ByteWriter } from "../../../../../beam/model/bytes.js";
import {
  instantFromWire,
  instantToWire,
  readInstant,
  writeInstant,
} from "../../../../../beam/model/coders/instant.js";
import { GLOBAL_WINDOW_MAX, MAX_TIMESTAMP, MIN_TIMESTAMP } from "../../../../../beam/model/timestamps.js";

function hexOf(timestamp: number): string {
  const out = new ByteWriter();
  writeInstant(timestamp, out);
  return out.toBytes().toString("hex");
}

describe("instant", () => {
  const cases: [number, string][] = [
    [0, "8000000000000000"],
    [1, "8000000000000001"],
    [-1, "7fffffffffffffff"],
    [-255, "7fffffffffffff01"],
    [256, "8000000000000100"],
    [1454293425000, "800001529aa49b68"],
    [-400000, "7ffffffffff9e580"],
    [2 ** 53 - 1, "801fffffffffffff"],
    [-(2 ** 53) + 1, "7fe0000000000001"],
    [2 ** 53, "8020000000000000"],
    [-(2 ** 53), "7fe0000000000000"],
    // The exact special instants of BeamConstants, which are no numbers.
    [MIN_TIMESTAMP, "7fdf3b645a1cac09"],
    [MAX_TIMESTAMP, "8020c49ba5e353f7"],
    [GLOBAL_WINDOW_MAX, "8020c49ba0bcf7f7"],
  ];
  for (const [timestamp, hex] of cases) {
    it(`writes ${timestamp} as ${hex}, and reads it back`, () => {
      assert.equal(hexOf(timestamp), hex);
      assert.equal(readInstant(new ByteReader(Buffer.from(hex, "hex"))), timestamp);
    });
  }

  it("sorts as bytes as it does in time", () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.maxSafeInteger(), (one, other) => {
        const order = hexOf(one + 0) < hexOf(other + 0);
        assert.equal(order, one < other);
      }),
    );
  });

  it("takes what lies beyond the special instants for those", () => {
    assert.equal(hexOf(MAX_TIMESTAMP * 2), hexOf(MAX_TIMESTAMP));
    assert.equal(hexOf(MIN_TIMESTAMP * 2), hexOf(MIN_TIMESTAMP));
    assert.equal(readInstant(new ByteReader(Buffer.alloc(8))), MIN_TIMESTAMP);
    assert.equal(readInstant(new ByteReader(Buffer.alloc(8, 0xff))), MAX_TIMESTAMP);
  });

  it("reads any other time beyond 2^53 as the nearest number, which is written as itself", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 2n ** 53n, max: 9223371950454700n }), (millis) => {
        const timestamp = instantFromWire(millis);
        const error = instantToWire(timestamp) - millis;
        assert.ok(error >= -1n && error <= 1n);
        assert.equal(instantFromWire(instantToWire(timestamp)), timestamp);
      }),
    );
  });

  it("refuses what is no whole number", () => {
    for (const wrong of [0.5, Number.NaN, Number.POSITIVE_INFINITY, "1", 1n, undefined]) {
      assert.throws(() => writeInstant(wrong as number, new ByteWriter()), TypeError, String(wrong));
    }
  });
});
