import assert from "node:assert/strict";
import { fuzz } from "./fuzz.js";

const DURATION_MS = 60_000;
/** The same each time, so that a change is judged by itself; `make fuzz` draws a new one. */
const SEED = 20_261_129;

describe("mutated records", function () {
  this.timeout(DURATION_MS * 5);

  it("end in exactly one place each, whatever they hold, and take no more and more memory", async () => {
    const { records, pairs, unmatched, duplicates, deadLetters } = await fuzz({
      seed: SEED,
      records: 1_000_000,
      durationMs: DURATION_MS,
    });
    // The test has tested something.
    assert.ok(records >= 20_000 && pairs > 0 && unmatched > 0 && duplicates > 0);
    for (const reason of ["UNDECODABLE", "INVALID", "NULL_VALUE", "CONFLICT"])
      assert.ok(deadLetters.has(reason), reason);
  });
});
