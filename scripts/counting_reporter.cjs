// Mocha's spec reporter that also leaves its counts, what failed, and the skipped tests with their reasons, in a JSON file for
// run_tests.mjs. A test skips with a reason through test/fixtures/skip.ts.
const { writeFileSync } = require("node:fs");
const Mocha = require("mocha");

const LINES_OF_A_MESSAGE = 5;

class CountingReporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const skipped = [];
    const repeated = [];
    runner.on("pending", (test) => skipped.push({ title: test.fullTitle(), reason: reasonOf(test) }));
    runner.on("retry", (test, error) => {
      repeated.push({ title: test.fullTitle(), message: firstLines(error) });
    });
    runner.once("end", () => {
      const failed = this.failures.map((test) => ({
        title: test.fullTitle(),
        message: firstLines(test.err),
      }));
      const counts = { passed: this.stats.passes, failed, skipped, repeated };
      writeFileSync(process.env.TEST_COUNTS_FILE, JSON.stringify(counts));
    });
  }
}

function firstLines(error) {
  return String(error?.message ?? error)
    .split("\n")
    .slice(0, LINES_OF_A_MESSAGE)
    .join("\n");
}

function reasonOf(test) {
  for (let owner = test; owner; owner = owner.parent) {
    if (owner.skipReason) return owner.skipReason;
  }
  return "marked as skipped in its source";
}

module.exports = CountingReporter;
