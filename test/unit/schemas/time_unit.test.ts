import assert from "node:assert/strict";
import { otherUnit } from "../../../schemas/time_unit.js";

describe("a time in another unit", () => {
  const time = Date.UTC(2026, 10, 8, 12);

  it("is told by its size", () => {
    const at = "it would be 2026-11-08T12:00:00.000Z";
    assert.equal(otherUnit(time / 1_000), `in seconds ${at}`);
    assert.equal(otherUnit(time * 1_000), `in microseconds ${at}`);
    assert.equal(otherUnit(time * 1_000_000), `in nanoseconds ${at}`);
  });

  it("is not seen in what can be meant", () => {
    for (const ms of [time, Date.UTC(2099, 0), Date.UTC(1990, 0), 0, -1, 8.64e15 * 1_000, Number.NaN]) {
      assert.equal(otherUnit(ms), "", String(ms));
    }
  });
});
