import assert from "node:assert/strict";
import { runnerApi } from "../../../../../beam/model/apache_beam.js";
import { ByteWriter } from "../../../../../beam/model/bytes.js";
import { jobApi, metricsApi } from "../../../../../beam/runners/portable/job_api.js";
import { JobMetrics } from "../../../../../beam/runners/portable/job_metrics.js";

function counter(transform: string, name: string, value: number): metricsApi.MonitoringInfo {
  const out = new ByteWriter();
  out.writeVarint(value);
  return metricsApi.MonitoringInfo.create({
    urn: "beam:metric:user:sum_int64:v1",
    type: "beam:metrics:sum_int64:v1",
    labels: { PTRANSFORM: transform, NAMESPACE: "any", NAME: name },
    payload: out.buffer.subarray(0, out.length),
  });
}

describe("JobMetrics", () => {
  const transforms = {
    transform_1: { uniqueName: "ReadOrders/ReadPartitions" },
    transform_12: { uniqueName: "JoinOrdersPayments" },
  };
  let metrics: JobMetrics;

  beforeEach(() => {
    metrics = new JobMetrics(runnerApi.Pipeline.create({ components: { transforms } }));
  });

  it("knows steps by their names, also those that the runner expanded", () => {
    metrics.take(
      jobApi.MetricResults.create({
        committed: [
          counter("etransform_1_splitnsize", "records", 3),
          counter("transform_1", "records", 4),
          counter("transform_12", "pending_orders", -2),
          counter("stage-3", "records", 5),
        ],
      }),
    );
    assert.equal(metrics.counter("records", "ReadOrders"), 7);
    assert.equal(metrics.counter("records"), 12);
    assert.equal(metrics.counter("pending_orders", "JoinOrdersPayments"), -2);
    assert.equal(metrics.counter("orders", "JoinOrdersPayments"), 0);
  });

  it("takes what is attempted where nothing is called committed, and keeps what it has when it is told nothing", () => {
    assert.equal(metrics.isKnown, false);
    metrics.take(jobApi.MetricResults.create({ attempted: [counter("transform_1", "records", 3)] }));
    metrics.take(jobApi.MetricResults.create());
    assert.equal(metrics.counter("records"), 3);
    metrics.take(jobApi.MetricResults.create({ attempted: [counter("transform_1", "records", 9)] }));
    assert.equal(metrics.counter("records"), 9);
    assert.equal(metrics.isKnown, true);
  });
});
