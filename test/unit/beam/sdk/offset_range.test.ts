import assert from "node:assert/strict";
import fc from "fast-check";
import { OffsetRangeTracker } from "../../../../beam/sdk/offset_range.js";

describe("OffsetRangeTracker", () => {
  it("hands out every offset once, to whoever holds its part, however it is split", () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("claim" as const), by: fc.integer({ min: 1, max: 3 }) }),
      fc.record({ kind: fc.constant("split" as const), by: fc.constantFrom(0, 0.1, 0.5, 0.99, 1) }),
    );
    fc.assert(
      fc.property(fc.nat(60), fc.array(step, { maxLength: 40 }), (size, steps) => {
        const waiting = [{ start: 100, end: 100 + size }];
        const claimed: number[] = [];
        const given: [number, number][] = [];
        while (waiting.length > 0) {
          const range = waiting.pop()!;
          const tracker = new OffsetRangeTracker(range);
          let at = range.start - 1;
          let attempted = at;
          for (const { kind, by } of steps.splice(0)) {
            if (kind === "split") {
              const split = tracker.trySplit(by);
              if (split === undefined) continue;
              assert.deepEqual(tracker.restriction, split.primary);
              assert.equal(split.primary.end, split.residual.start);
              assert.ok(split.residual.start < split.residual.end, "a residual holds work");
              assert.ok(split.residual.start > at, "what is claimed is kept");
              waiting.push(split.residual);
            } else {
              const next = at + by;
              attempted = next;
              if (!tracker.tryClaim(next)) break;
              claimed.push(next);
              at = next;
            }
          }
          // The rest, one by one.
          const { end } = tracker.restriction;
          given.push([range.start, end]);
          if (attempted < end - 1) tracker.tryClaim(end);
          tracker.checkDone();
        }
        given.sort((a, b) => a[0] - b[0]);
        const whole = given.filter(([start, end]) => start < end);
        for (let i = 1; i < whole.length; i++) assert.equal(whole[i]![0], whole[i - 1]![1]);
        if (size > 0) assert.deepEqual([whole[0]![0], whole.at(-1)![1]], [100, 100 + size]);
        assert.equal(new Set(claimed).size, claimed.length);
      }),
    );
  });

  it("keeps what is claimed, and a part of the rest", () => {
    const tracker = new OffsetRangeTracker({ start: 0, end: 100 });
    assert.ok(tracker.tryClaim(9));
    assert.deepEqual(tracker.progress(), { completed: 10, remaining: 90 });
    assert.deepEqual(tracker.trySplit(0.5), {
      primary: { start: 0, end: 55 },
      residual: { start: 55, end: 100 },
    });
    assert.deepEqual(tracker.trySplit(0), {
      primary: { start: 0, end: 10 },
      residual: { start: 10, end: 55 },
    });
    assert.equal(tracker.trySplit(0), undefined);
    assert.equal(tracker.tryClaim(10), false);
    tracker.checkDone();
  });

  it("splits an open range at about where it ends now", () => {
    const tracker = new OffsetRangeTracker({ start: 0, end: Number.POSITIVE_INFINITY }, () => 50);
    assert.ok(tracker.tryClaim(9));
    assert.deepEqual(tracker.progress(), { completed: 10, remaining: 40 });
    assert.deepEqual(tracker.trySplit(0.5)?.residual, { start: 30, end: Number.POSITIVE_INFINITY });
  });

  it("refuses to go back, and tells of work left", () => {
    const tracker = new OffsetRangeTracker({ start: 5, end: 10 });
    assert.ok(tracker.tryClaim(6));
    assert.throws(() => tracker.tryClaim(6), /offset 6 was claimed after 6: claims must grow/);
    assert.throws(() => tracker.checkDone(), /left \[7, 10\) of \[5, 10\)/);
    assert.equal(tracker.tryClaim(10), false);
    tracker.checkDone();
  });
});
