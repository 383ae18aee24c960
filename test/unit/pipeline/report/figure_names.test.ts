/** One set of names of figures: what progress, summary, page, metrics, folders and the texts about them say. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { eventsMetricName, metricNames } from "../../../../monitor/metrics.js";
import { figuresOf } from "../../../../pipeline/report/figures.js";
import { progressBlock, progressFields } from "../../../../pipeline/report/progress.js";
import { summaryOf, summaryText } from "../../../../pipeline/report/summary.js";
import { RESULT_FOLDERS } from "../../../../pipeline/write_results.js";
import { KINDS, labelOf, PLACES } from "../../../../schemas/figures.js";
import { JoinOrdersPayments } from "../../../../transforms/join.js";

const FIGURES = figuresOf({ counter: () => 0 });
/** The contract of the summary. */
const NAMES = ["orders", "payments", "joined", "unmatched", "duplicates", "dead_letters", "pending"];
/** What figures were once called. */
const OTHER_NAMES = [/ops_(pairs|paired|waiting|expired)/, /^ {2}(pairs|waiting|expired) /m];

const textOf = (path: string): string =>
  readFileSync(new URL(`../../../../${path}`, import.meta.url), "utf8");

describe("the names of figures", () => {
  it("are the contract's", () => {
    assert.deepEqual([...KINDS, ...PLACES], NAMES);
  });

  it("are those of the summary's JSON, and of its table", () => {
    assert.deepEqual(Object.keys(summaryOf(FIGURES, 1)), [...NAMES, "duration_ms"]);
    const [header] = summaryText(FIGURES, 1).split("\n");
    assert.deepEqual(header!.trim().split(/ {2,}/), ["read", ...PLACES.map(labelOf)]);
  });

  it("are those of progress, as fields and as a block", () => {
    const progress = { ...FIGURES, eventsPerSecond: 0, watermarkLagMs: 0, problems: [] };
    assert.deepEqual(Object.keys(progressFields(progress)).slice(0, NAMES.length), NAMES);
    const labels = progressBlock(progress).map((line) => line.trim().split(/ {2,}/)[0]);
    for (const place of PLACES) if (place !== "duplicates") assert.ok(labels.includes(labelOf(place)), place);
  });

  it("are those of what the join counts", () => {
    const counted = Object.keys(new JoinOrdersPayments({ timeoutMs: 1 }).metrics);
    const ofBooks = PLACES.flatMap((place) => KINDS.map((kind) => `${place}_${kind}`));
    assert.deepEqual(counted.sort(), ["joined", ...ofBooks].sort());
  });

  it("are those of Prometheus's metrics", () => {
    for (const place of PLACES) assert.ok(metricNames().includes(eventsMetricName(place)), place);
    for (const name of ["joined", "dead_letters"])
      assert.ok(metricNames().includes(`ops_${name}_total`), name);
  });

  it("are those of the folders of results", () => {
    for (const folder of RESULT_FOLDERS) assert.ok(NAMES.includes(folder), folder);
  });

  for (const path of [
    "README.md",
    "docs/runbook.md",
    "deploy/prometheus/alerts.yaml",
    "deploy/grafana/order-payment-stream.json",
  ]) {
    it(`are those of ${path}`, () => {
      for (const other of OTHER_NAMES) assert.doesNotMatch(textOf(path), other);
    });
  }
});
