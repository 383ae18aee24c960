/** What is scraped keeps to Prometheus's conventions, and says what the observation says. */
import assert from "node:assert/strict";
import { createRegistry, LATENCY_METRIC, METRICS, metricNames } from "../../../monitor/metrics.js";
import { NOW, observation, partition } from "./observations.js";

/** As `promtool check metrics` has them. */
const UNITS = /_(seconds|bytes|records|events|elements|timers|lag_seconds|timestamp_seconds)(_total)?$/;

describe("metrics", () => {
  for (const { name, type, help, labels } of METRICS) {
    it(`${name} keeps to the conventions`, () => {
      assert.match(name, /^ops_[a-z][a-z0-9_]*$/);
      assert.equal(
        type === "counter",
        name.endsWith("_total"),
        "what only grows ends in _total, and nothing else",
      );
      assert.ok(help.endsWith("."));
      assert.doesNotMatch(name, /milli|_ms|minutes|_kb|_mb/, "base units");
      for (const label of labels)
        assert.match(label, /^(topic|partition|stage|kind|reason|server|component)$/);
    });
  }

  it("have units in their names where they have one", () => {
    const without = METRICS.map(({ name }) => name).filter((name) => !UNITS.test(name));
    assert.deepEqual(without, [
      "ops_records_read_total",
      "ops_partition_up",
      "ops_joined_total",
      "ops_dead_letters_total",
      "ops_commits_total",
      "ops_checkpoints_total",
      "ops_server_up",
      "ops_problems",
      "ops_run_up",
    ]);
  });

  it("are named once", () => assert.equal(new Set(metricNames()).size, metricNames().length));

  it("are of one moment, and read what the observation says", async () => {
    let looks = 0;
    const registry = createRegistry(() => {
      looks++;
      return observation({ partitions: [partition("orders", 3, { end: 1_017, watermark: NOW - 2_500 })] });
    });
    const text = await registry.metrics();
    registry.clear();
    assert.equal(looks, 1);
    const lines = text.split("\n");
    const has = (line: string) => assert.ok(lines.includes(line), `${line} is not in\n${text}`);
    has('ops_consumer_lag_records{topic="topic_of_orders",partition="3"} 17');
    has('ops_partition_watermark_lag_seconds{topic="topic_of_orders",partition="3"} 2.5');
    has('ops_pending_events{kind="payments"} 100');
    has("ops_expiry_lag_seconds 0");
    has("# TYPE ops_joined_total counter");
    has(`# TYPE ${LATENCY_METRIC} histogram`);
    has(`${LATENCY_METRIC}_bucket{le="0.01"} 90`);
    has(`${LATENCY_METRIC}_bucket{le="0.1"} 99`);
    has(`${LATENCY_METRIC}_bucket{le="+Inf"} 100`);
    has(`${LATENCY_METRIC}_sum 2`);
    has(`${LATENCY_METRIC}_count 100`);
    assert.match(text, /^process_cpu_seconds_total /m);
  });

  it("leave out what is not known", async () => {
    const registry = createRegistry(() =>
      observation({
        stages: [],
        partitions: [],
        joinWatermarkMs: undefined,
        tellsFigures: false,
        commits: undefined,
      }),
    );
    const text = await registry.metrics();
    registry.clear();
    for (const name of [
      "ops_expiry_lag_seconds",
      "ops_joined_total",
      "ops_watermark_lag_seconds",
      "ops_commits_total",
    ])
      assert.doesNotMatch(text, new RegExp(`^${name}[ {]`, "m"));
    assert.doesNotMatch(text, /NaN|undefined/);
  });
});
