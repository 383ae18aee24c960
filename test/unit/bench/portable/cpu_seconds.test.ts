import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { cpuSecondsOf } from "../../../../bench/portable/cpu_seconds.js";

const BURNED_SECONDS = 0.3;

describe("cpuSecondsOf", () => {
  before(function () {
    if (!existsSync("/proc/self/stat")) this.skip();
  });

  it("counts what a process has started, also when that has ended", () => {
    const before = cpuSecondsOf(process.pid)!;
    const burn = `while (process.cpuUsage().user + process.cpuUsage().system < ${BURNED_SECONDS * 1e6});`;
    execFileSync(process.execPath, ["-e", burn]);
    assert.ok(cpuSecondsOf(process.pid)! - before >= BURNED_SECONDS - 0.05);
  });

  it("counts no other process", () => {
    assert.equal(cpuSecondsOf(2 ** 30), 0);
  });
});
