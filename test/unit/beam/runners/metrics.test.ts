import assert from "node:assert/strict";
import { RunMetrics, takeReport } from "../../../../beam/runners/direct/metrics.js";
import { counter, distribution, gauge, type MetricCell } from "../../../../beam/sdk/metrics.js";

const named = (cell: MetricCell) => ({ transform: "Step", namespace: "Fn", name: "m", cell });

describe("RunMetrics", () => {
  it("adds what each bundle counted, and readies the cells for the next", () => {
    const metrics = new RunMetrics();
    const [count, sizes] = [counter(), distribution()];
    for (const value of [5, 7]) {
      count.inc(value);
      sizes.update(value);
      metrics.take(takeReport([named(count)]));
      metrics.take(takeReport([{ ...named(sizes), name: "sizes" }]));
    }
    metrics.take(takeReport([named(count)]));
    metrics.take(takeReport([{ ...named(sizes), name: "sizes" }]));
    assert.equal(metrics.counter("m"), 12);
    assert.deepEqual(metrics.distributions().get("Step/sizes"), { count: 2, sum: 12, min: 5, max: 7 });
  });

  it("keeps the latest value of a gauge, whichever instance of a DoFn told it", () => {
    const metrics = new RunMetrics();
    const [first, second] = [gauge(), gauge()];
    first.set(1);
    metrics.take(takeReport([named(first)]));
    second.set(2);
    metrics.take(takeReport([named(second)]));
    // A bundle of the first instance that says nothing.
    metrics.take(takeReport([named(first)]));
    assert.equal(metrics.gauges().get("Step/m"), 2);
  });
});
