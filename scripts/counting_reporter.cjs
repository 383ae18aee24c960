// Mocha's spec reporter that also leaves its counts, and the skipped tests with their reasons, in a JSON file for
// run_tests.mjs. A test skips with a reason through test/fixtures/skip.ts.
const { writeFileSync } = require("node:fs");
const Mocha = require("mocha");

class CountingReporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const skipped = [];
    runner.on("pending", (test) => skipped.push({ title: test.fullTitle(), reason: reasonOf(test) }));
    runner.once("end", () => {
      const { passes, failures } = this.stats;
      const counts = { passed: passes, failed: failures, skipped };
      writeFileSync(process.env.TEST_COUNTS_FILE, JSON.stringify(counts));
    });
  }
}

function reasonOf(test) {
  for (let owner = test; owner; owner = owner.parent) {
    if (owner.skipReason) return owner.skipReason;
  }
  return "marked as skipped in its source";
}

module.exports = CountingReporter;
