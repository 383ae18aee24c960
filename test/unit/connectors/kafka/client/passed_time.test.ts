import assert from "node:assert/strict";
import { PassedTime } from "../../../../../connectors/kafka/client/passed_time.js";

describe("passed time", () => {
  const clock = { shown: 5_000, measured: 10, now: () => clock.shown, elapsed: () => clock.measured };
  const pass = (measuredMs: number, shownMs: number): void => {
    clock.measured += measuredMs;
    clock.shown += shownMs;
  };

  it("goes on as it is measured, whatever the clock is corrected by or set back to", () => {
    const passed = new PassedTime(clock);
    const start = passed.now();
    pass(1_000, 1_030);
    assert.equal(passed.now() - start, 1_000);
    pass(1_000, -60_000);
    assert.equal(passed.now() - start, 2_000);
    pass(500, 500);
    assert.equal(passed.now() - start, 2_500);
  });

  it("counts the time that the machine slept", () => {
    const passed = new PassedTime(clock);
    const start = passed.now();
    pass(20, 6_020);
    assert.equal(passed.now() - start, 6_020);
    pass(10, 10);
    assert.equal(passed.now() - start, 6_030);
  });
});
