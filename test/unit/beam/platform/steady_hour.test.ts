import assert from "node:assert/strict";
import { VirtualClock } from "../../../../beam/platform/clock.js";
import { SteadyHour } from "../../../../beam/platform/steady_hour.js";

const HOUR_MS = 3_600_000;

describe("SteadyHour", () => {
  let clock: VirtualClock;
  let hour: SteadyHour;
  const pass = (ms: number) => clock.advanceTo(clock.now() + ms);

  beforeEach(() => {
    clock = new VirtualClock(10 * HOUR_MS);
    hour = new SteadyHour(clock);
  });

  it("is the clock's, also while that is adjusted by little", () => {
    pass(5_000);
    assert.equal(hour.now(), clock.now());
    clock.jump(900);
    assert.equal(hour.now(), clock.now());
    pass(HOUR_MS);
    assert.equal(hour.now(), clock.now());
    assert.equal(hour.aheadMs, 0);
  });

  it("is not ahead because time passes between two looks at the clock", () => {
    class Ticking extends VirtualClock {
      override now(): number {
        this.jump(1);
        return super.now();
      }
    }
    hour = new SteadyHour(new Ticking(10 * HOUR_MS));
    assert.equal(hour.aheadMs, 0);
  });

  it("goes on at its own pace when the clock is set forward", () => {
    const before = hour.now();
    clock.jump(HOUR_MS);
    pass(2_000);
    assert.equal(hour.now(), before + 2_000);
    assert.equal(hour.aheadMs, HOUR_MS);
    pass(3_000);
    assert.equal(hour.now(), before + 5_000);
    clock.jump(-HOUR_MS);
    assert.equal(hour.now(), clock.now());
    assert.equal(hour.aheadMs, 0);
  });

  it("follows when the clock is set back: it was ahead, for all one knows", () => {
    clock.jump(-HOUR_MS);
    assert.equal(hour.now(), clock.now());
    pass(1_000);
    assert.equal(hour.now(), clock.now());
  });

  it("is at the latest what it was before the clock was set back", () => {
    const before = hour.latest();
    clock.jump(-HOUR_MS);
    pass(1_000);
    assert.equal(hour.latest(), before + 1_000);
    clock.jump(2 * HOUR_MS);
    assert.equal(hour.latest(), clock.now());
    pass(1_000);
    assert.equal(hour.latest(), clock.now());
  });

  it("believes a time that others have seen, and not beyond the clock", () => {
    const before = hour.now();
    clock.jump(HOUR_MS);
    hour.confirm(before - 1);
    assert.equal(hour.now(), before);
    hour.confirm(before + HOUR_MS / 2);
    assert.equal(hour.now(), before + HOUR_MS / 2);
    pass(10);
    assert.equal(hour.now(), before + HOUR_MS / 2 + 10);
    hour.confirm(before + 5 * HOUR_MS);
    assert.equal(hour.now(), clock.now());
    hour.confirm(before + 5 * HOUR_MS);
    assert.equal(hour.now(), clock.now());
  });
});
