import assert from "node:assert/strict";
import { SlowStart } from "../../../../beam/engine/slow_start.js";

describe("SlowStart", () => {
  function afterTurns(start: SlowStart, count: number, brought: number, tookMs: number): number {
    for (let i = 0; i < count; i++) {
      start.brought(brought);
      start.endTurn(tookMs);
    }
    return start.size;
  }

  it("comes to the whole size by full and quick turns", () => {
    const start = new SlowStart(1000);
    const sizes = [start.size];
    while (start.size < 1000) sizes.push(afterTurns(start, 1, start.size, 10));
    assert.deepEqual(sizes, [64, 128, 256, 512, 1000]);
    assert.equal(afterTurns(start, 10, 1000, 500), 1000);
  });

  it("stays where a turn twice as large would take too long, or turns brought little", () => {
    const start = new SlowStart(1000);
    assert.equal(afterTurns(start, 20, 64, 21), 64);
    assert.equal(afterTurns(start, 20, 10, 5), 64);
    assert.equal(afterTurns(start, 1, 64, 5), 128);
    assert.equal(afterTurns(start, 3, 128, 11), 128);
    assert.equal(afterTurns(start, 1, 128, 21), 128);
    assert.equal(afterTurns(start, 3, 128, 11), 128);
    assert.equal(afterTurns(start, 1, 128, 11), 256);
  });

  it("is never more than it may", () => {
    assert.equal(new SlowStart(10).size, 10);
  });
});
