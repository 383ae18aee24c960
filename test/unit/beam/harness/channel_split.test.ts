import assert from "node:assert/strict";
import { cutsOf } from "../../../../beam/harness/channel_split.js";

const request = (fractionOfRemainder: number, estimatedElements: number, allowedPoints: number[] = []) => ({
  fractionOfRemainder,
  estimatedElements,
  allowedPoints,
});
const open = { stop: Number.POSITIVE_INFINITY };

describe("the cut of a channel", () => {
  it("takes its share of what is left behind the element that is done", () => {
    assert.deepEqual(cutsOf({ index: 3, progress: 1, ...open }, request(0.5, 10)), [
      { kind: "channel", stop: 7 },
    ]);
    assert.deepEqual(cutsOf({ index: -1, progress: 1, ...open }, request(0.5, 4)), [
      { kind: "channel", stop: 2 },
    ]);
  });

  it("leaves the element in progress where it cannot be cut", () => {
    assert.deepEqual(cutsOf({ index: 0, progress: 1, ...open }, request(0, 4)), [
      { kind: "channel", stop: 1 },
    ]);
  });

  it("lies in the element in progress when that is where the share ends", () => {
    const [first, second] = cutsOf({ index: 0, progress: 0.5, ...open }, request(0, 4));
    assert.deepEqual(first, { kind: "element", fraction: 0 });
    assert.deepEqual(second, { kind: "channel", stop: 1 });
    assert.deepEqual(cutsOf({ index: 0, progress: 0.5, ...open }, request(0.5, 1)), [
      { kind: "element", fraction: 0.5 },
    ]);
  });

  it("keeps to the points that are allowed", () => {
    assert.deepEqual(cutsOf({ index: 0, progress: 1, ...open }, request(0.5, 10, [2, 8])), [
      { kind: "channel", stop: 8 },
    ]);
    assert.deepEqual(cutsOf({ index: 5, progress: 0.5, ...open }, request(0, 10, [2, 5])), []);
  });

  it("is never behind an earlier one", () => {
    assert.deepEqual(cutsOf({ index: 3, progress: 1, stop: 4 }, request(0.5, 10)), []);
    assert.deepEqual(cutsOf({ index: 3, progress: 1, stop: 6 }, request(0.9, 10)), []);
  });

  it("is none where nothing is left", () => {
    assert.deepEqual(cutsOf({ index: 9, progress: 1, ...open }, request(0.5, 10)), []);
  });
});
