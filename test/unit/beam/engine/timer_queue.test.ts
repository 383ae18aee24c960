import assert from "node:assert/strict";
import fc from "fast-check";
import { TimerQueue } from "../../../../beam/engine/timer_queue.js";
import { GLOBAL_WINDOW_MAX, MAX_TIMESTAMP, MIN_TIMESTAMP } from "../../../../beam/model/timestamps.js";

const times = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: -5_000, max: 20_000 }) },
  { weight: 2, arbitrary: fc.constantFrom(-1_024, -1, 0, 1_023, 1_024, 1_025, 2_048) },
  { weight: 1, arbitrary: fc.constantFrom(MIN_TIMESTAMP, GLOBAL_WINDOW_MAX, MAX_TIMESTAMP) },
);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("insert" as const), time: times }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("pop" as const), time: times }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("clear" as const), time: times }) },
);

describe("TimerQueue", () => {
  it("equals a sorted list, whatever is inserted and popped", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const queue = new TimerQueue();
        let model: { time: number; reference: number }[] = [];
        let reference = 0;
        for (const { kind, time } of steps) {
          if (kind === "insert") {
            queue.insert(time, reference);
            model.push({ time, reference: reference++ });
          } else if (kind === "clear") {
            queue.clear();
            model = [];
          } else {
            const earliest = Math.min(MAX_TIMESTAMP, ...model.map((entry) => entry.time));
            const isDue = model.some((entry) => entry.time <= time);
            assert.equal(queue.hasDue(time), isDue);
            assert.equal(queue.earliestUpTo(time), Math.min(time, earliest));
            assert.equal(queue.nextTime(), earliest);
            const due = queue.dueTime(time);
            assert.equal(due, isDue ? earliest : undefined);
            const popped = due === undefined ? -1 : queue.take();
            // Of several entries with one time, any may come first.
            if (isDue) {
              assert.equal(model.find((entry) => entry.reference === popped)?.time, earliest);
              model = model.filter((entry) => entry.reference !== popped);
            }
          }
          assert.equal(queue.size, model.length);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("gives everything back in order under rising limits", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(100_000), { maxLength: 500 }), (inserted) => {
        const queue = new TimerQueue();
        inserted.forEach((time, reference) => {
          queue.insert(time, reference);
        });
        const popped: number[] = [];
        for (let limit = 0; limit <= 100_000; limit += 777) {
          while (queue.dueTime(limit) !== undefined) {
            const at = queue.take();
            assert.ok(inserted[at]! <= limit);
            popped.push(inserted[at]!);
          }
        }
        while (queue.dueTime(100_000) !== undefined) popped.push(inserted[queue.take()]!);
        assert.deepEqual(
          popped,
          [...inserted].sort((a, b) => a - b),
        );
      }),
      { numRuns: 50 },
    );
  });
});
