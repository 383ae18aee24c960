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
    while (start.size < 1000) sizes.push(afterTurns(start, 4, start.size, 5));
    assert.deepEqual(sizes, [64, 128, 256, 512, 1000]);
    assert.equal(afterTurns(start, 10, 1000, 500), 1000);
  });

  it("stays where turns are slow, or brought little", () => {
    const start = new SlowStart(1000);
    assert.equal(afterTurns(start, 20, 64, 40), 64);
    assert.equal(afterTurns(start, 20, 10, 5), 64);
    assert.equal(afterTurns(start, 3, 64, 5), 64);
    assert.equal(afterTurns(start, 1, 64, 40), 64);
    assert.equal(afterTurns(start, 3, 64, 5), 64);
    assert.equal(afterTurns(start, 1, 64, 5), 128);
  });

  it("is never more than it may", () => {
    assert.equal(new SlowStart(10).size, 10);
  });
});
