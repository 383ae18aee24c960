import assert from "node:assert/strict";
import { type ScenarioMessage, scenario } from "../../../producers/scenario.js";
import { type ScheduleOptions, scenarioOptions, schedule } from "../../../producers/schedule.js";
import { DEFAULT_SHARES, messagesPerOrder } from "../../../producers/shares.js";

const NOW_MS = Date.UTC(2026, 5, 1);
const message = { arrivalMs: NOW_MS + 1234 } as ScenarioMessage;

function plan(change: Partial<ScheduleOptions>) {
  return schedule({ which: "all", count: 1000, rate: 0, ...change }, NOW_MS);
}

describe("schedule", () => {
  it("follows the wall clock when a rate is given", () => {
    const { startMs, eventRatePerSecond, dueMs } = plan({ rate: 500, count: Number.POSITIVE_INFINITY });
    assert.equal(startMs, NOW_MS);
    assert.equal(eventRatePerSecond, 500 / messagesPerOrder(DEFAULT_SHARES, "all"));
    assert.equal(dueMs!(message, 99), NOW_MS + 1234);
  });

  it("keeps one topic in step with the other", () => {
    assert.equal(plan({ rate: 500, which: "orders" }).eventRatePerSecond, 500);
    assert.equal(plan({ rate: 500, which: "payments" }).eventRatePerSecond, 500);
  });

  it("sends evenly when event time has its own start", () => {
    const { startMs, dueMs } = plan({ rate: 500, startMs: 1000 });
    assert.equal(startMs, 1000);
    assert.equal(dueMs!(message, 99), NOW_MS + 198);
  });

  it("sends at once when there is no rate, with every event in the past", () => {
    const timing = plan({ count: 5000 });
    assert.equal(timing.dueMs, undefined);
    const options = scenarioOptions({ seed: 1, which: "all", count: 5000, rate: 0 }, timing);
    for (const { arrivalMs } of scenario(options)) assert.ok(arrivalMs < NOW_MS);
    assert.deepEqual(plan({ startMs: 5 }), { startMs: 5, eventRatePerSecond: 1000 });
    assert.equal(plan({ count: Number.POSITIVE_INFINITY }).startMs, NOW_MS);
  });

  it("lets the pace of event time be chosen", () => {
    for (const change of [{}, { rate: 5 }, { startMs: 1 }, { rate: 5, startMs: 1 }]) {
      assert.equal(plan({ ...change, eventRatePerSecond: 77 }).eventRatePerSecond, 77);
    }
  });

  it("refuses an impossible rate", () => {
    assert.throws(() => plan({ rate: -1 }), /rate is -1/);
    assert.throws(() => plan({ rate: Number.NaN }), RangeError);
  });
});
