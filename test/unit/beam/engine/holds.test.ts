import assert from "node:assert/strict";
import fc from "fast-check";
import { Holds } from "../../../../beam/engine/holds.js";
import { MAX_TIMESTAMP } from "../../../../beam/model/timestamps.js";

describe("Holds", () => {
  it("equals a multiset, whatever is added and removed", () => {
    const step = fc.record({
      isAdd: fc.boolean(),
      timestamp: fc.integer({ min: -50, max: 5_000 }),
      pick: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const holds = new Holds();
        const model: number[] = [];
        for (const { isAdd, timestamp, pick } of steps) {
          if (isAdd || model.length === 0) {
            holds.add(timestamp);
            model.push(timestamp);
          } else {
            const [removed] = model.splice(pick % model.length, 1);
            holds.remove(removed!);
          }
          assert.equal(holds.min(), Math.min(MAX_TIMESTAMP, ...model));
          assert.equal(holds.size, new Set(model).size);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("knows a hold again that was given up and taken anew", () => {
    const holds = new Holds();
    holds.add(5);
    holds.remove(5);
    holds.add(7);
    holds.add(5);
    assert.equal(holds.min(), 5);
    holds.remove(5);
    assert.equal(holds.min(), 7);
  });

  it("refuses to give up what is not held", () => {
    assert.throws(() => new Holds().remove(1), /no hold at 1/);
  });

  it("forgets holds that are gone, also behind one that stays", () => {
    const holds = new Holds();
    holds.add(0);
    for (let i = 1; i <= 50_000; i++) {
      holds.add(i);
      holds.remove(i);
    }
    assert.equal(holds.min(), 0);
    assert.equal(holds.size, 1);
    assert.ok(holds.remembered <= 2_048, `${holds.remembered} entries for one hold`);
  });
});
