/** User metrics, as the runner tells them when the job has ended. */
import assert from "node:assert/strict";
import { DoFn } from "../../../beam/sdk/do_fn.js";
import { parDo } from "../../../beam/sdk/graph.js";
import { counter, distribution, gauge } from "../../../beam/sdk/metrics.js";
import { registerDoFn } from "../../../beam/sdk/registry.js";
import type { ConformancePipeline, GraphUnderTest } from "../conformance_pipeline.js";
import { type Keyed, keyedNumbers, keyedStream } from "./keyed_numbers.js";

class Measure extends DoFn<Keyed, Record<string, never>> {
  static readonly urn = "conformance:dofn:measure:v1";
  override readonly outputs = {};
  override readonly metrics = { seen: counter(), sizes: distribution(), latest: gauge() };

  process({ value }: Keyed): void {
    this.metrics.seen.inc();
    this.metrics.sizes.update(value);
    this.metrics.latest.set(value);
  }
}
registerDoFn(Measure);

function measured(graph: GraphUnderTest): void {
  const numbers = keyedNumbers(
    graph,
    [3, 1, 4, 1, 5].map((value) => ["k", value] as const),
  );
  parDo("Measure", numbers, new Measure(null));
  graph.expectValues(
    numbers,
    [3, 1, 4, 1, 5].map((value) => ({ key: "k", value })),
  );
}

export const counts: ConformancePipeline = {
  feature: "metrics: counter",
  build: measured,
  checkMetrics: (metrics) => assert.equal(metrics.counters().get("Measure/seen"), 5),
};

export const tellsDistributions: ConformancePipeline = {
  feature: "metrics: distribution",
  build: measured,
  checkMetrics: (metrics) =>
    assert.deepEqual(metrics.distributions().get("Measure/sizes"), { count: 5, sum: 14, min: 1, max: 5 }),
};

export const tellsGauges: ConformancePipeline = {
  feature: "metrics: gauge",
  build: measured,
  checkMetrics: (metrics) => assert.ok([1, 3, 4, 5].includes(metrics.gauges().get("Measure/latest")!)),
};

export const addsUpOverBundles: ConformancePipeline = {
  feature: "metrics add up over bundles",
  build(graph) {
    const stream = keyedStream(graph);
    for (const value of [3, 1, 4]) stream.add([{ key: "k", value }, 0]).advanceWatermarkTo(0);
    const numbers = stream.read();
    parDo("Measure", numbers, new Measure(null));
    graph.expectValues(
      numbers,
      [3, 1, 4].map((value) => ({ key: "k", value })),
    );
  },
  checkMetrics(metrics) {
    assert.equal(metrics.counters().get("Measure/seen"), 3);
    assert.deepEqual(metrics.distributions().get("Measure/sizes"), { count: 3, sum: 8, min: 1, max: 4 });
  },
};
