import assert from "node:assert/strict";
import { History, POINTS_MAX, quantile } from "../../../monitor/history.js";
import { NOW, observation, tally } from "./observations.js";

describe("history", () => {
  it("tells rates, and keeps a bounded time", () => {
    const history = new History();
    for (let second = 0; second < POINTS_MAX + 50; second++) {
      const total = tally(second * 100, second * 40);
      const recent = history.add(observation({ atMs: NOW + second * 1_000, total }));
      if (second > 10) assert.deepEqual([recent.ordersPerSecond, recent.joinedPerSecond], [100, 40]);
    }
    assert.equal(history.points.length, POINTS_MAX);
    const { orders, joined, lag } = history.points.at(-1)!;
    assert.deepEqual([orders, joined, lag], [100, 40, 0]);
  });

  it("tells latency of the last minute alone", () => {
    const history = new History();
    const at = (second: number, counts: number[]) =>
      history.add(
        observation({ atMs: NOW + second * 1_000, latency: { boundsMs: [10, 100], counts, sumMs: 0 } }),
      );
    at(0, [0, 0, 500]);
    at(30, [0, 0, 500]);
    assert.equal(at(61, [0, 0, 500]).p99Ms, null);
    assert.equal(at(62, [100, 0, 500]).p50Ms, 5);
  });
});

describe("a quantile", () => {
  it("lies within its bucket", () => {
    assert.equal(quantile([0, 0, 0], [10, 100], 0.5), null);
    assert.equal(quantile([10, 0, 0], [10, 100], 0.5), 5);
    assert.equal(quantile([10, 10, 0], [10, 100], 0.75), 55);
    assert.equal(quantile([0, 0, 4], [10, 100], 0.99), 100);
  });
});
