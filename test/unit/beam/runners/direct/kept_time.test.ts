import assert from "node:assert/strict";
import { VirtualClock } from "../../../../../beam/platform/clock.js";
import { TrustedClock } from "../../../../../beam/platform/trusted_clock.js";
import { KeptTime } from "../../../../../beam/runners/direct/kept_time.js";
import { MemoryStore } from "../../../../../beam/store/memory_store.js";

const HOUR_MS = 3_600_000;

describe("KeptTime", () => {
  it("has the next process go on from the last time, whatever its clock shows", () => {
    const store = new MemoryStore();
    const clock = new VirtualClock(100 * HOUR_MS);
    const kept = new KeptTime(new TrustedClock(clock), store);
    kept.save();
    clock.advanceTo(101 * HOUR_MS + 0.4);
    kept.save();
    const next = new TrustedClock(new VirtualClock(200 * HOUR_MS));
    new KeptTime(next, store);
    assert.equal(next.now(), 101 * HOUR_MS);
  });

  it("changes nothing where nothing is kept yet", () => {
    const clock = new TrustedClock(new VirtualClock(100 * HOUR_MS));
    new KeptTime(clock, new MemoryStore());
    assert.equal(clock.now(), 100 * HOUR_MS);
  });

  it("is written once a second at most", () => {
    const store = new MemoryStore();
    const clock = new VirtualClock(100 * HOUR_MS);
    const kept = new KeptTime(new TrustedClock(clock), store);
    kept.save();
    clock.advanceTo(100 * HOUR_MS + 999);
    kept.save();
    const next = new TrustedClock(new VirtualClock(0));
    new KeptTime(next, store);
    assert.equal(next.now(), 100 * HOUR_MS);
  });
});
