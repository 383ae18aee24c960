/** An exercise for whoever is on call: a fault is planted, and the sentence must name it, and nothing else. */
import assert from "node:assert/strict";
import { History } from "../../../monitor/history.js";
import type { Observation } from "../../../monitor/observation.js";
import { type State, stateOf } from "../../../monitor/state_sentence.js";
import { DISORDER_MS, NOW, observation, type partition, stage, tally } from "./observations.js";

/** What is said of it, after the same for some seconds. */
function said(changes: Partial<Observation>, before: Partial<Observation> = changes, seconds = 10): State {
  const history = new History();
  history.add({ ...observation(before), atMs: NOW - seconds * 1000 });
  const now = observation(changes);
  return stateOf(now, history.add(now));
}

function withPartition(changes: Parameters<typeof partition>[2], kind: "orders" | "payments" = "payments") {
  const { partitions } = observation();
  return partitions.map((one) => (one.kind === kind && one.partition === 2 ? { ...one, ...changes } : one));
}

describe("the sentence of state", () => {
  it("is healthy, with figures, when all is well", () => {
    const { level, sentence, others } = said({ total: tally(1_500, 1_200) }, { total: tally(1_000, 900) });
    assert.equal(level, "healthy");
    assert.equal(sentence, "healthy: 100 events and 30 pairs a second; event time is 30 s behind the clock");
    assert.deepEqual(others, []);
  });

  it("is healthy with a partition to which nobody writes: it goes on with the clock", () => {
    const { level, sentence } = said({ partitions: withPartition({ end: 0, position: 0, recordsRead: 0 }) });
    assert.equal(level, "healthy");
    assert.match(sentence, /nothing new to read/);
  });

  it("names one record that was poison, and stays healthy", () => {
    const poisoned = tally(1_500, 1_200, { dead_letters: { UNDECODABLE: 1 } });
    const { level, sentence } = said({ total: poisoned }, { total: tally(1_000, 900) });
    assert.equal(level, "healthy");
    assert.match(sentence, /1 dead letter in the last 10 s \(UNDECODABLE 1\)$/);
  });

  const faults: readonly [what: string, changes: Partial<Observation>, expected: RegExp, level?: string][] = [
    [
      "a partition that lags",
      {
        joinWatermarkMs: NOW - DISORDER_MS - 41_000,
        partitions: withPartition({ end: 13_000, isCaughtUp: false, watermark: NOW - DISORDER_MS - 41_000 }),
      },
      /^expiry is held by payments\/2, 41 s behind: 12,000 records are still to be read; reading goes on$/,
      "attention",
    ],
    [
      "a broker that does not answer",
      {
        joinWatermarkMs: NOW - DISORDER_MS - 41_000,
        partitions: withPartition({
          leader: 2,
          unansweredMs: 41_000,
          isCaughtUp: false,
          watermark: NOW - DISORDER_MS - 41_000,
        }),
      },
      /^expiry is held by payments\/2, 41 s behind: broker 2 does not answer$/,
      "trouble",
    ],
    [
      "a broker that has just gone, before anything is late",
      {
        partitions: withPartition({
          failure: { forMs: 1_500, message: "connect ECONNREFUSED 10.0.0.2:9092" },
        }),
      },
      /^payments\/2 cannot be read, for 1\.5 s: Kafka: connect ECONNREFUSED 10\.0\.0\.2:9092$/,
      "trouble",
    ],
    [
      "all of Kafka away",
      {
        partitions: observation().partitions.map((one) => ({
          ...one,
          failure: { forMs: 3_000, message: `no broker answers (${one.topic}[${one.partition}])` },
        })),
      },
      /^nothing can be read, for 3\.0 s: Kafka: no broker answers/,
      "trouble",
    ],
    [
      "an open transaction",
      {
        joinWatermarkMs: NOW - 120_000,
        partitions: withPartition({
          heldUp: { forMs: 90_000, writer: 'transactional.id "billing"' },
          isCaughtUp: false,
          watermark: NOW - 120_000,
        }),
      },
      /^expiry is held by payments\/2, 90 s behind: an open transaction of transactional\.id "billing" hides/,
      "trouble",
    ],
    [
      "MongoDB away",
      {
        servers: [
          {
            name: "MongoDB",
            address: "db:27017",
            problem: "connect ECONNREFUSED",
            forMs: 2_000,
            answerMs: 1,
          },
        ],
        problems: [
          { component: "MongoDB shop.pairs", problem: "accepts no documents", sinceMs: NOW - 1_000 },
        ],
      },
      /^nothing can be written, for 2\.0 s: MongoDB at db:27017: connect ECONNREFUSED$/,
      "trouble",
    ],
    [
      "MongoDB that hangs over an insert",
      { stages: [...observation().stages, stage("WriteUnmatched", { openFlushMs: 4_000 })] },
      /^MongoDB is slow: WriteUnmatched has waited 4\.0 s for its answer$/,
      "attention",
    ],
    [
      "a clock that is wrong",
      {
        problems: [
          { component: "clock", problem: "this machine is 90 s ahead of MongoDB", sinceMs: NOW - 5_000 },
        ],
      },
      /^clock, for 5\.0 s: this machine is 90 s ahead of MongoDB$/,
      "trouble",
    ],
    [
      "a clock that is wrong, once it holds expiry",
      {
        joinWatermarkMs: NOW - DISORDER_MS - 60_000,
        partitions: withPartition({ watermark: NOW - DISORDER_MS - 60_000 }),
        problems: [
          { component: "clock", problem: "this machine is 90 s ahead of MongoDB", sinceMs: NOW - 60_000 },
        ],
      },
      /^expiry is held by payments\/2, 60 s behind: this machine is 90 s ahead of MongoDB$/,
      "trouble",
    ],
    [
      "a disk on which no snapshot can be written",
      {
        problems: [
          { component: "state", problem: "no snapshot could be written: the disk is full", sinceMs: NOW },
        ],
      },
      /^state, for 0\.0 s: no snapshot could be written: the disk is full$/,
      "trouble",
    ],
    [
      "a full disk, which ends the run",
      {
        phase: "failed",
        doing: "the state in /var/lib/orders cannot be written: no space is left on the device",
      },
      /^the run has failed: the state in \/var\/lib\/orders cannot be written: no space is left/,
      "trouble",
    ],
    [
      "a disk that hangs over a commit",
      { commits: { ...observation().commits!, openMs: 3_000 } },
      /^the disk is slow: a commit to the state directory has taken 3\.0 s so far$/,
      "attention",
    ],
    [
      "a bucket that does not take checkpoints",
      { problems: [{ component: "checkpoints", problem: "gs://b/c: 403", sinceMs: NOW - 60_000 }] },
      /^checkpoints, for 60 s: gs:\/\/b\/c: 403$/,
      "attention",
    ],
    [
      "a look for partitions that nobody answers",
      {
        joinWatermarkMs: NOW - DISORDER_MS - 60_000,
        lookWatermarkMs: NOW - DISORDER_MS - 60_000,
      },
      /^expiry is 60 s behind: the search for new partitions is overdue/,
      "attention",
    ],
    [
      "a position that is lost",
      { partitions: withPartition({ error: "offset 17 is not there any more" }) },
      /^payments\/2 cannot be read, .*Kafka: offset 17 is not there any more$/,
      "trouble",
    ],
  ];
  for (const [what, changes, expected, level] of faults) {
    it(`names ${what}`, () => {
      const state = said(changes);
      assert.match(state.sentence, expected);
      assert.equal(state.level, level);
      assert.ok(state.others.every(({ text }) => text !== state.sentence));
    });
  }

  it("names many records that are poison", () => {
    const total = tally(1_500, 1_200, { dead_letters: { LATE: 200, INVALID: 3 } });
    const { level, sentence } = said({ total }, { total: tally(1_000, 900) });
    assert.equal(level, "attention");
    assert.equal(sentence, "20 % of what was read in the last 10 s became dead letters: LATE 200, INVALID 3");
  });

  it("names MongoDB where it is what the others wait for", () => {
    const stages = (ms: number) =>
      observation().stages.map((one) => ({
        ...one,
        ...(one.isSource && { blockedMs: 0.8 * ms }),
        ...(one.name === "WriteJoined" && { flushingMs: 0.95 * ms, pending: 5_000 }),
      }));
    const { level, sentence } = said({ stages: stages(10_000) }, { stages: stages(0) });
    assert.equal(level, "attention");
    assert.equal(
      sentence,
      "MongoDB is slow: WriteJoined waits for it 95 % of the time, and reading is held up 80 %",
    );
  });

  it("names books that do not balance, but not what is in flight", () => {
    const lost = tally(1_000, 900);
    const total = { ...lost, orders: { ...lost.orders, read: 1_007 } };
    const history = new History();
    let state: State | undefined;
    for (let second = 0; second <= 12; second++) {
      const now = observation({ total, atMs: NOW + second * 1_000, joinWatermarkMs: undefined });
      const recent = history.add(now);
      state = stateOf(now, recent);
      if (second < 10) assert.equal(state.level, "healthy", `after ${second} s`);
    }
    assert.match(state!.sentence, /^the books do not balance, for 1\d s: 7 events are nowhere$/);
  });

  it("says what a runner does not tell, and what a start is about", () => {
    assert.match(
      said({ runner: "flink", tellsFigures: false }).sentence,
      /^running on flink, which reports no figures/,
    );
    const total = { ...tally(1_000, 900), orders: { ...tally(0, 0).orders, read: 90_000 } };
    assert.match(
      said({ runner: "prism", total, joinWatermarkMs: undefined }).sentence,
      /^healthy: nothing new to read; 90,000 events are read and not joined yet$/,
    );
    const { level, sentence } = said({ phase: "starting", doing: "connecting to Kafka and MongoDB" });
    assert.deepEqual([level, sentence], ["starting", "starting: connecting to Kafka and MongoDB"]);
  });

  it("does not count what earlier runs have left as something that has just come", () => {
    const { sentence } = said(
      { total: tally(50_000, 40_000, { dead_letters: { LATE: 900 } }) },
      { phase: "starting", total: tally(0, 0) },
    );
    assert.doesNotMatch(sentence, /dead letter/);
  });
});
