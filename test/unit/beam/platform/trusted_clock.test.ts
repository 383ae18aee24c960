import assert from "node:assert/strict";
import { VirtualClock } from "../../../../beam/platform/clock.js";
import { TrustedClock } from "../../../../beam/platform/trusted_clock.js";

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const START_MS = 1_000 * HOUR_MS;

describe("TrustedClock", () => {
  let machine: VirtualClock;
  /** The true time. */
  let trueMs: number;
  let trusted: TrustedClock;
  const pass = (ms: number): void => {
    trueMs += ms;
    machine.advanceTo(machine.now() + ms);
  };
  /** MongoDB's clock answers, `aheadMs` wrong. */
  const hear = (aheadMs = 0): void => trusted.hear(trueMs + aheadMs, trueMs + aheadMs + 2);
  const isNear = (actual: number, expected: number, withinMs: number): void =>
    assert.ok(Math.abs(actual - expected) <= withinMs, `${actual - expected} ms apart`);

  beforeEach(() => {
    machine = new VirtualClock(START_MS);
    trueMs = START_MS;
    trusted = new TrustedClock(machine);
  });

  it("gives whole milliseconds, whatever fractions the clocks have", () => {
    for (const ms of [0.3, 1.1, 0.25, 999.999]) {
      pass(ms);
      machine.jump(1_100.5);
      trusted.confirm(trueMs + 0.5);
      trusted.hear(trueMs + 0.1, trueMs + 0.7);
      for (const time of [trusted.now(), trusted.latest()]) assert.ok(Number.isInteger(time), String(time));
    }
  });

  it("is the machine's as long as nobody sets that", () => {
    pass(HOUR_MS);
    assert.equal(trusted.now(), trueMs);
    assert.equal(trusted.latest(), trueMs);
    hear();
    assert.equal(trusted.now(), trueMs);
    assert.equal(trusted.problem(), undefined);
  });

  for (const byMs of [1_100, 20 * SECOND_MS, HOUR_MS, 365 * 24 * HOUR_MS]) {
    for (const sign of [1, -1]) {
      it(`goes on as it did when the clock is set by ${sign * byMs} ms`, () => {
        hear();
        machine.jump(sign * byMs);
        pass(10 * SECOND_MS);
        isNear(trusted.now(), trueMs, 10);
        hear();
        pass(10 * SECOND_MS);
        isNear(trusted.now(), trueMs, 20);
        isNear(trusted.latest(), trueMs, 20);
        const problem = trusted.problem();
        if (byMs <= 30 * SECOND_MS) assert.equal(problem, undefined);
        else assert.match(problem!, sign > 0 ? /was set forward by/ : /behind the time that has passed/);
        machine.jump(-sign * byMs);
        assert.equal(trusted.problem(), undefined);
      });
    }
  }

  it("follows a clock that drifts, and a little step, slowly", () => {
    machine.jump(500);
    pass(100 * SECOND_MS);
    isNear(trusted.now(), trueMs + 100, 1);
    pass(1_000 * SECOND_MS);
    isNear(trusted.now(), machine.now(), 1);
    machine.jump(-700);
    pass(100 * SECOND_MS);
    isNear(trusted.now(), machine.now() + 600, 1);
  });

  it("follows no clock beyond the witness", () => {
    hear();
    machine.jump(20 * SECOND_MS);
    for (let i = 0; i < 100; i++) {
      pass(MINUTE_MS);
      hear();
    }
    isNear(trusted.now(), trueMs, 3);
  });

  it("believes a record, and not beyond the clocks", () => {
    machine.jump(HOUR_MS);
    trusted.confirm(trueMs + HOUR_MS / 2);
    assert.equal(trusted.now(), trueMs + HOUR_MS / 2);
    pass(10);
    assert.equal(trusted.now(), trueMs + HOUR_MS / 2);
    trusted.confirm(trueMs + 5 * HOUR_MS);
    assert.equal(trusted.now(), trueMs + HOUR_MS);
    trusted.confirm(trueMs);
    assert.equal(trusted.now(), trueMs + HOUR_MS);
  });

  it("catches up after a pause that was not measured, when the witness agrees", () => {
    // The process stood still, and the measure of time with it.
    machine.jump(HOUR_MS);
    trueMs += HOUR_MS;
    isNear(trusted.now(), trueMs - HOUR_MS, 1);
    assert.equal(trusted.latest(), machine.now());
    hear();
    isNear(trusted.now(), trueMs, 1);
    assert.equal(trusted.problem(), undefined);
  });

  it("is at the latest what any clock shows while they do not agree", () => {
    machine.jump(-10 * MINUTE_MS);
    trusted = new TrustedClock(machine);
    isNear(trusted.latest(), trueMs - 10 * MINUTE_MS, 0);
    hear();
    isNear(trusted.latest(), trueMs, 2);
  });

  describe("at the start", () => {
    for (const aheadMs of [HOUR_MS, -HOUR_MS]) {
      it(`stands still when the witness is ${aheadMs} ms ahead, until the clocks agree`, () => {
        hear(aheadMs);
        const stands = trusted.now();
        isNear(stands, Math.min(trueMs, trueMs + aheadMs), 0);
        pass(10 * MINUTE_MS);
        assert.equal(trusted.now(), stands);
        assert.match(
          trusted.problem()!,
          new RegExp(`clock is 60 min ${aheadMs > 0 ? "ahead of" : "behind"} the clock of this machine`),
        );
        hear(aheadMs);
        assert.equal(trusted.now(), stands);
        hear();
        isNear(trusted.now(), trueMs, 0);
        assert.equal(trusted.problem(), undefined);
        pass(MINUTE_MS);
        isNear(trusted.now(), trueMs, 0);
      });

      it(`lets a record settle it when this machine's clock is ${aheadMs} ms ahead`, () => {
        machine.jump(aheadMs);
        trusted = new TrustedClock(machine);
        hear();
        pass(MINUTE_MS);
        trusted.confirm(trueMs - HOUR_MS * 2);
        assert.notEqual(trusted.problem(), undefined);
        trusted.confirm(trueMs);
        isNear(trusted.now(), trueMs, 1);
        pass(MINUTE_MS);
        hear();
        isNear(trusted.now(), trueMs, 100);
        // This machine's clock is wrong all the same.
        assert.notEqual(trusted.problem(), undefined);
      });
    }

    it("lets a record show that it is the witness that is wrong, for good", () => {
      hear(-HOUR_MS);
      trusted.confirm(trueMs);
      isNear(trusted.now(), trueMs, 1);
      for (let i = 0; i < 5; i++) {
        pass(MINUTE_MS);
        hear(-HOUR_MS);
        isNear(trusted.now(), trueMs, 1);
      }
      assert.match(trusted.problem()!, /behind what records show/);
      hear();
      assert.equal(trusted.problem(), undefined);
    });

    it("is the earlier of two clocks that are near", () => {
      hear(-20 * SECOND_MS);
      isNear(trusted.now(), trueMs - 20 * SECOND_MS, 0);
    });
  });

  it("stands still under way when the witness is set and nothing else is", () => {
    hear();
    pass(MINUTE_MS);
    hear(-HOUR_MS);
    const stands = trusted.now();
    pass(MINUTE_MS);
    assert.equal(trusted.now(), stands);
    trusted.confirm(trueMs);
    isNear(trusted.now(), trueMs, 0);
    pass(MINUTE_MS);
    hear(-HOUR_MS);
    pass(MINUTE_MS);
    isNear(trusted.now(), trueMs, 0);
  });

  describe("after a restart", () => {
    const STOP_MS = 2 * HOUR_MS;
    let lastMs: number;
    const restart = (aheadMs: number): void => {
      lastMs = trusted.now();
      trueMs += STOP_MS;
      machine = new VirtualClock(trueMs + aheadMs);
      trusted = new TrustedClock(machine);
    };

    it("goes on at once when the witness agrees, in whichever order they are heard", () => {
      restart(0);
      trusted.resume(lastMs);
      hear();
      isNear(trusted.now(), trueMs, 0);
      restart(0);
      hear();
      trusted.resume(lastMs);
      isNear(trusted.now(), trueMs, 0);
      assert.equal(trusted.problem(), undefined);
    });

    it("goes on from the last time when nobody confirms the leap, until a record does", () => {
      restart(0);
      trusted.resume(lastMs);
      pass(MINUTE_MS);
      assert.equal(trusted.now(), lastMs + MINUTE_MS);
      assert.match(trusted.problem()!, /set forward by 120 min|set forward by 2.0 h/);
      trusted.confirm(trueMs - 5);
      isNear(trusted.now(), trueMs, 5);
      assert.equal(trusted.problem(), undefined);
    });

    it("does not follow a clock that was set forward meanwhile", () => {
      for (const aheadMs of [1_100, 20 * SECOND_MS, HOUR_MS]) {
        restart(aheadMs);
        hear();
        trusted.resume(lastMs);
        isNear(trusted.now(), trueMs, 0);
        pass(MINUTE_MS);
        isNear(trusted.now(), trueMs, 100);
      }
    });

    it("believes the witness when the clock shows less than it did before", () => {
      restart(-3 * HOUR_MS);
      hear();
      trusted.resume(lastMs);
      isNear(trusted.now(), trueMs, 2);
      pass(MINUTE_MS);
      isNear(trusted.now(), trueMs, 100);
      assert.match(trusted.problem()!, /3.0 h behind the time that has passed/);
    });

    it("comes back when the time before was wrong", () => {
      machine.jump(HOUR_MS);
      trusted = new TrustedClock(machine);
      lastMs = trusted.now();
      machine = new VirtualClock(trueMs);
      trusted = new TrustedClock(machine);
      trusted.resume(lastMs);
      hear();
      isNear(trusted.now(), trueMs, 0);
    });

    it("believes this machine's clock when it is told to", () => {
      restart(HOUR_MS);
      trusted = new TrustedClock(machine, { skewMaxMs: null });
      trusted.resume(lastMs);
      hear();
      assert.equal(trusted.now(), machine.now());
      assert.equal(trusted.problem(), undefined);
    });
  });
});
