import assert from "node:assert/strict";
import { MAX_TIMESTAMP, MIN_TIMESTAMP } from "../../../../beam/model/timestamps.js";
import type { StageStatus } from "../../../../beam/runners/direct/direct_runner.js";
import { fuse } from "../../../../beam/runners/direct/fusion.js";
import { protoOf } from "../../../../beam/sdk/collection.js";
import { buildPipeline } from "../../../../pipeline/graph.js";
import { figuresOf } from "../../../../pipeline/report/figures.js";
import { createLog } from "../../../../pipeline/report/log.js";
import {
  JOIN_STAGE,
  ProgressReport,
  problemText,
  progressBlock,
  progressFields,
  type Watched,
  watermarkLagMs,
} from "../../../../pipeline/report/progress.js";
import type { Terminal } from "../../../../pipeline/report/terminal.js";

const NOTHING = { ...figuresOf({ counter: () => 0 }), problems: [] };

function stage(name: string, inputWatermark: number): StageStatus {
  return {
    name,
    inputWatermark,
    outputWatermark: inputWatermark,
    pending: 0,
    eventTimers: 0,
    processingTimers: 0,
    elementsIn: 0,
    bundles: 0,
  };
}

describe("ProgressReport", () => {
  it("says that a runner tells nothing, in place of zeros", () => {
    let shown: readonly string[] = [];
    const terminal = {
      isTty: true,
      show: (lines: readonly string[]) => {
        shown = lines;
      },
      keep: () => undefined,
      write: () => undefined,
    } as unknown as Terminal;
    const metrics = { counter: () => 0, counters: () => new Map() };
    const run = { metrics, status: () => [], health: () => [] } as unknown as Watched;
    new ProgressReport(run, terminal, createLog("error", terminal)).stop();
    assert.deepEqual(shown, ["  figures        the runner reports none while the job runs"]);
  });

  it("does not take what a run before has read for what this one reads", () => {
    let shown: readonly string[] = [];
    const terminal = {
      isTty: true,
      show: (lines: readonly string[]) => {
        shown = lines;
      },
      keep: () => undefined,
      write: () => undefined,
    } as unknown as Terminal;
    const metrics = { counter: () => 1_000_000, counters: () => new Map([["x/records", 1_000_000]]) };
    const run = { metrics, status: () => [], health: () => [] } as unknown as Watched;
    new ProgressReport(run, terminal, createLog("error", terminal)).stop();
    assert.match(shown.find((line) => line.includes("events/s"))!, / 0$/);
  });
});

describe("watermarkLagMs", () => {
  const lagAt = (watermark: number) =>
    watermarkLagMs([stage("ReadOrders", 5), stage(`${JOIN_STAGE}/x`, watermark)], 10_000);

  it("is the distance of the join's event time from the clock", () => {
    assert.equal(lagAt(4_000), 6_000);
  });

  it("is not known before the first event and after the last", () => {
    assert.equal(lagAt(MIN_TIMESTAMP), undefined);
    assert.equal(lagAt(MAX_TIMESTAMP), undefined);
    assert.equal(watermarkLagMs([], 10_000), undefined);
  });

  it("looks at the stage that has the join", () => {
    const pipeline = buildPipeline({
      orderTopic: "orders",
      paymentTopic: "payments",
      isBounded: false,
      start: "earliest",
      groupId: undefined,
      timeoutMs: 1,
      maxOutOfOrdernessMs: 1,
      maxAheadOfClockMs: 1,
      database: "d",
      joinedCollection: "j",
      unmatchedCollection: "u",
      deadLetterCollection: "l",
    });
    const { stages, components } = fuse(protoOf(pipeline));
    const withJoin = stages.filter(({ transforms }) =>
      transforms.some((id) => components.transforms[id]!.uniqueName === "JoinOrdersPayments"),
    );
    assert.deepEqual(
      stages.filter(({ name }) => name.startsWith(JOIN_STAGE)),
      withJoin,
    );
  });
});

describe("progress", () => {
  it("shows every figure", () => {
    const lines = progressBlock({ ...NOTHING, eventsPerSecond: 1234.5, watermarkLagMs: 5_040 });
    assert.deepEqual(
      lines.map((line) => line.trim().split(/ {2,}/)),
      [
        ["read", "0 orders, 0 payments"],
        ["events/s", "1,235"],
        ["joined", "0"],
        ["pending", "0"],
        ["unmatched", "0"],
        ["dead letters", "0"],
        ["watermark lag", "5.0 s"],
      ],
    );
  });

  it("shows what is wrong, and since when", () => {
    const problem = { component: "Kafka", problem: "no broker answers", sinceMs: 10_000 };
    const problems = [problemText(problem, 22_400)];
    const figures = { ...NOTHING, problems, eventsPerSecond: 0, watermarkLagMs: 1 };
    assert.match(progressBlock(figures).at(-1)!, /PROBLEM +Kafka, for 12 s: no broker answers$/);
    assert.deepEqual(progressFields(figures).problems, problems);
    assert(!("problems" in progressFields({ ...figures, problems: [] })));
  });

  it("says nothing of a lag that is not known", () => {
    const figures = { ...NOTHING, eventsPerSecond: 0, watermarkLagMs: undefined };
    assert.match(progressBlock(figures).at(-1)!, /not known/);
    assert(!("watermarkLagMs" in progressFields(figures)));
  });
});
