import assert from "node:assert/strict";
import type { Timer } from "../../../beam/sdk/timer.js";
import { createdAtOf, expiredBefore, isExpired, setExpiryTimer } from "../../../transforms/expiry.js";
import { order } from "./join_stream.js";

describe("the timer rule", () => {
  const event = order({ created_at: 100 });

  it("ends an event's time when the watermark has passed its expiry, not when it has reached it", () => {
    assert.equal(isExpired(event, 110, 10), false);
    assert.equal(isExpired(event, 111, 10), true);
  });

  it("sets a timer just behind the expiry, one for all events of a millisecond", () => {
    const { timer, calls } = recordingTimer();
    setExpiryTimer(timer, event, 10);
    setExpiryTimer(timer, event, 10);
    setExpiryTimer(timer, order({ created_at: 101 }), 10);
    assert.deepEqual(calls, [
      [111, "100"],
      [111, "100"],
      [112, "101"],
    ]);
  });

  it("knows whose timer fired; one without a tag may be anybody's", () => {
    assert.equal(createdAtOf("100"), 100);
    assert.equal(createdAtOf(""), undefined);
  });

  it("ends with a timer what has expired by then, and nothing else", () => {
    assert.equal(event.created_at < expiredBefore(110, 10), false);
    assert.equal(event.created_at < expiredBefore(111, 10), true);
  });

  it("agrees with itself for a T that is no whole number of milliseconds", () => {
    const { timer, calls } = recordingTimer();
    setExpiryTimer(timer, event, 10.4);
    const fireAt = Math.ceil(calls[0]![0]);
    assert.ok(event.created_at < expiredBefore(fireAt, 10.4));
    assert.ok(isExpired(event, fireAt, 10.4));
  });
});

function recordingTimer() {
  const calls: [number, string | undefined][] = [];
  const timer: Timer = {
    set: (fireAt, tag) => void calls.push([fireAt, tag]),
    clear: () => assert.fail("an expiry is never called off"),
  };
  return { timer, calls };
}
