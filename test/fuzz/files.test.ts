import assert from "node:assert/strict";
import { fuzzFiles } from "./fuzzed_files.js";

/** The same each time; `make fuzz-files` draws a new one, and reads 100,000. */
const SEED = 20_261_129;

describe("mutated files", function () {
  this.timeout(120_000);

  it("come to an end, are told of, and take no more and more memory", async () => {
    const { files, records, reports } = await fuzzFiles({ seed: SEED, files: 5_000, durationMs: 15_000 });
    assert.ok(
      files >= 300 && records > 0 && reports > 0,
      `${files} files, ${records} records, ${reports} reports`,
    );
  });
});
