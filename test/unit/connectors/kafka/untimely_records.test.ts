import assert from "node:assert/strict";
import { VirtualClock } from "../../../../beam/platform/clock.js";
import { Health } from "../../../../beam/platform/health.js";
import { TrustedClock } from "../../../../beam/platform/trusted_clock.js";
import { UntimelyRecords } from "../../../../connectors/kafka/untimely_records.js";

const MINUTE_MS = 60_000;

describe("UntimelyRecords", () => {
  let clock: VirtualClock;
  let health: Health;
  let records: UntimelyRecords;
  const pass = (ms: number) => clock.advanceTo(clock.now() + ms);
  /** Of orders[0], with the watermark as it should be. */
  const note = (count: number, late: number, future = 0, partition = 0) =>
    records.note(`orders[${partition}]`, count, late, future, clock.now() - 30_000);
  const problems = () => health.problems().map(({ component, problem }) => `${component}: ${problem}`);

  beforeEach(() => {
    clock = new VirtualClock(Date.UTC(2026, 0));
    health = new Health(clock);
    records = new UntimelyRecords(clock, new TrustedClock(clock), health);
  });

  it("tells of late records above a tenth, with the likely causes, and recovers a minute later", () => {
    note(100, 11);
    assert.match(
      problems()[0]!,
      /^late records: 11 of 100 records of orders\[0\] .*LATE.*MAX_OUT_OF_ORDERNESS.*clock of a producer/,
    );
    pass(MINUTE_MS);
    note(0, 0);
    assert.equal(problems().length, 1, "that minute was no better");
    note(100, 10);
    pass(MINUTE_MS);
    note(0, 0);
    assert.deepEqual(problems(), []);
  });

  it("recovers also when nothing comes any more", () => {
    note(100, 50);
    for (let i = 0; i < 3; i++) {
      pass(MINUTE_MS);
      note(0, 0);
    }
    assert.deepEqual(problems(), []);
  });

  it("says nothing of a tenth and less", () => {
    for (let i = 0; i < 10; i++) {
      note(100, 5, 5);
      pass(MINUTE_MS / 3);
    }
    assert.deepEqual(problems(), []);
  });

  it("takes few records for what they are at the end of the minute, or of the partition", () => {
    note(3, 0, 3);
    assert.deepEqual(problems(), []);
    pass(MINUTE_MS);
    note(0, 0);
    assert.match(problems()[0]!, /^records from the future: 3 of 3/);
    note(3, 3, 0, 1);
    records.end("orders[1]");
    assert.match(problems()[1]!, /^late records: 3 of 3 records of orders\[1\]/);
  });

  it("names the clock of this machine for records from the future", () => {
    note(20, 0, 20);
    assert.match(
      problems()[0]!,
      /FUTURE_TIMESTAMP.*clock of this machine, which shows 2026-01-01T00:00:00.000Z, may be behind/,
    );
    note(20, 0, 20, 1);
    note(20, 0, 20, 2);
    assert.match(problems()[0]!, /\(and 2 other partitions\)$/);
    assert.equal(problems().length, 1);
  });

  it("names a record from the future when the watermark is ahead of the clock", () => {
    records.note("orders[0]", 100, 90, 0, clock.now() + 60_000);
    assert.match(problems()[0]!, /a record from the future has moved it/);
  });
});
