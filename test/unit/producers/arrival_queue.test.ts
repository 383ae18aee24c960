import assert from "node:assert/strict";
import fc from "fast-check";
import { ArrivalQueue } from "../../../producers/arrival_queue.js";

describe("ArrivalQueue", () => {
  it("gives a stable sort by arrival, however pushes and pops alternate", () => {
    const operation = fc.option(fc.nat(8), { nil: undefined });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
        const queue = new ArrivalQueue<{ arrivalMs: number; rank: number }>();
        const model: { arrivalMs: number; rank: number }[] = [];
        operations.forEach((arrivalMs, rank) => {
          if (arrivalMs === undefined) {
            assert.equal(queue.nextArrivalMs, model[0]?.arrivalMs ?? Number.POSITIVE_INFINITY);
            assert.equal(queue.pop(), model.shift());
          } else {
            const item = { arrivalMs, rank };
            queue.push(item);
            model.push(item);
            model.sort((one, other) => one.arrivalMs - other.arrivalMs || one.rank - other.rank);
          }
          assert.equal(queue.size, model.length);
        });
      }),
    );
  });
});
