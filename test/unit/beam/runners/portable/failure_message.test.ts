import assert from "node:assert/strict";
import { failureMessage } from "../../../../../beam/runners/portable/failure_message.js";

describe("the message of a failed job", () => {
  it("is one of a worker as it is, without its stack", () => {
    const text =
      "stage-004 bundle failed: Error: JoinOrdersPayments: no such key\n    at process (join.ts:1:2)\n    at run (x.ts:3:4)";
    assert.equal(failureMessage(text), "stage-004 bundle failed: Error: JoinOrdersPayments: no such key");
  });

  it("is the outermost of Java's and the innermost cause", () => {
    const frames = Array.from(
      { length: 60 },
      (_, i) => `\tat org.apache.flink.Task.run(Task.java:${i})`,
    ).join("\n");
    const text = [
      "org.apache.beam.sdk.util.UserCodeException: the job did not finish",
      frames,
      "Caused by: java.util.concurrent.ExecutionException: wrapped",
      frames,
      "\t... 42 more",
      "Caused by: java.lang.RuntimeException: Error received from SDK harness for instruction 7: Error: broken",
      "    at process (join.ts:1:2)",
      frames,
    ].join("\n");
    assert.equal(
      failureMessage(text),
      "UserCodeException: the job did not finish\ncaused by RuntimeException: Error received from SDK harness for instruction 7: Error: broken",
    );
  });

  it("is the error below a stack of Python's", () => {
    const text = [
      "Traceback (most recent call last):",
      '  File "/beam/portable_runner.py", line 1, in run',
      "    self.result = self._invoke_runner()",
      "                  ^^^^^^^^^^^^^^^^^^^^^",
      '  File "/beam/fn_runner.py", line 2, in run_stages',
      "    raise RuntimeError(result.error)",
      "RuntimeError: Error: broken",
      "    at process (join.ts:1:2)",
    ].join("\n");
    assert.equal(failureMessage(text), "RuntimeError: Error: broken");
  });

  it("says once what both say", () => {
    assert.equal(failureMessage("a: b\nCaused by: b"), "a: b");
  });

  it("is the last of Python's, with what stands before", () => {
    const frames =
      'Traceback (most recent call last):\n  File "a.py", line 1, in run\n    task()\n    ^^^^\n';
    const text = `bundle 1 failed:${frames}ValueError: x\n\nDuring handling of …\n\n${frames}ValueError: x [while running 'A']\n`;
    assert.equal(failureMessage(text), "bundle 1 failed:\nValueError: x [while running 'A']");
  });

  it("has an end", () => {
    const text = Array.from({ length: 1_000 }, (_, i) => `line ${i} ${"x".repeat(1_000)}`).join("\n");
    assert.ok(failureMessage(text).length < 2_100);
  });

  it("loses nothing of what is no stack", () => {
    assert.equal(failureMessage("plain"), "plain");
    assert.equal(failureMessage(""), "");
  });
});
