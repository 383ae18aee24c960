/** What changes under a running stream without anything failing: the clock, the topics, the consumer group. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { DirectRun } from "../../beam/runners/direct/direct_runner.js";
import { anOrder, aPayment, EventTopics, recordOf } from "../fixtures/event_topics.js";
import { kafkaFixture, mongodbFixture, uniqueName } from "../fixtures/services.js";
import { SettableClock } from "../fixtures/settable_clock.js";
import { balancedFigures, D_MS, problemsOf, startRun, T_MS, TestDatabase } from "../fixtures/test_run.js";
import { until } from "../fixtures/until.js";

const HOUR_MS = 3_600_000;

describe("disturbances", function () {
  this.timeout(60_000);
  const kafka = kafkaFixture();
  const mongodb = mongodbFixture();
  let topics: EventTopics;
  let database: TestDatabase;
  let run: DirectRun | undefined;

  beforeEach(async () => {
    topics = await EventTopics.create(kafka.bootstrap());
    database = await TestDatabase.open(mongodb.uri());
  });

  afterEach(async () => {
    await run?.stop().catch(() => undefined);
    run = undefined;
    await Promise.all([topics?.close(), database?.close()]);
  });

  const haveCome = (joined: number, unmatched = 0): Promise<boolean> =>
    until(`${joined} pairs and ${unmatched} unmatched`, async () => {
      const counts = await database.counts();
      return counts[0] === joined && counts[1] === unmatched;
    });

  async function sendPair(id: string): Promise<void> {
    const now = Date.now();
    await topics.sendEvents(anOrder(id, now), aPayment(`p-${id}`, id, now));
  }

  it("a clock that is set forward expires nothing before its time", async () => {
    const clock = new SettableClock();
    run = startRun(kafka.bootstrap(), topics, database, { clock, timeoutMs: 5_000 });
    await sendPair("before");
    await haveCome(1);
    await topics.sendEvents(anOrder("waiting", Date.now()));
    await until("the order", () => balancedFigures(run!).orders.pending === 1);
    clock.aheadMs = HOUR_MS;
    await until("the report", () =>
      problemsOf(run!).some((problem) => /^clock: .*set forward by 60 min/.test(problem)),
    );
    await sleep(2_000);
    assert.deepEqual(await database.counts(), [1, 0, 0]);
    // Still in time.
    await topics.sendEvents(aPayment("late", "waiting", Date.now()));
    await haveCome(2);
    await sendPair("after");
    await haveCome(3);
    clock.aheadMs = 0;
    await until("the end of the report", () => problemsOf(run!).length === 0);
    await topics.sendEvents(anOrder("unpaid", Date.now()));
    await haveCome(3, 1);
    await database.assertAsOracle(topics, 5_000, D_MS);
    balancedFigures(run);
  });

  it("a clock that is set back makes no event one of the future, and keeps nobody from reading", async () => {
    const clock = new SettableClock();
    run = startRun(kafka.bootstrap(), topics, database, { clock });
    await sendPair("before");
    await haveCome(1);
    clock.aheadMs = -HOUR_MS;
    for (const id of ["a", "b", "c"]) {
      await sendPair(id);
      await sleep(300);
    }
    await haveCome(4);
    // Nobody knows then how late it is, until newer events tell; each partition of both topics needs one.
    await topics.sendEvents(anOrder("unpaid", Date.now()));
    await sleep(T_MS + D_MS);
    const now = Date.now();
    for (const partition of [0, 1, 2]) {
      await topics.send(
        recordOf(anOrder(`o-${partition}`, now + D_MS), { partition }),
        recordOf(aPayment(`p-${partition}`, `o-${partition}`, now + D_MS), { partition }),
      );
    }
    await haveCome(7, 1);
    await database.assertAsOracle(topics, T_MS, D_MS);
    balancedFigures(run);
  });

  it("partitions that are added are read from their beginning, and pair with the others", async () => {
    run = startRun(kafka.bootstrap(), topics, database, { timeoutMs: 5_000 });
    await sendPair("before");
    await haveCome(1);
    const now = Date.now();
    await topics.sendEvents(anOrder("across", now), anOrder("unpaid", now));
    await topics.peer.growTopic(topics.payments, 5);
    await topics.peer.growTopic(topics.orders, 4);
    await topics.send(
      recordOf(aPayment("p-across", "across", Date.now()), { partition: 4 }),
      recordOf(anOrder("new", Date.now()), { partition: 3 }),
      recordOf(aPayment("p-new", "new", Date.now()), { partition: 3 }),
    );
    await haveCome(3, 1);
    await database.assertAsOracle(topics, 5_000, D_MS);
    balancedFigures(run);
  });

  it("a consumer that joins our group takes nothing from us, and is reported", async () => {
    const groupId = uniqueName("group");
    run = startRun(kafka.bootstrap(), topics, database, { groupId, timeoutMs: 20_000 });
    await sendPair("before");
    await haveCome(1);
    const stranger = topics.peer.kafka.consumer({ groupId });
    try {
      await stranger.connect();
      await stranger.subscribe({ topics: [topics.orders, topics.payments], fromBeginning: true });
      const joined = new Promise((resolve) => stranger.on(stranger.events.GROUP_JOIN, resolve));
      await stranger.run({ autoCommit: false, eachMessage: async () => {} });
      await joined;
      await sendPair("meanwhile");
      await haveCome(2);
      await until("the report", () =>
        problemsOf(run!).some((problem) => problem.includes("have joined the group")),
      );
    } finally {
      await stranger.disconnect();
    }
    await sendPair("after");
    await haveCome(3);
    await until("the end of the report", () => problemsOf(run!).length === 0);
    const offsets = await topics.peer.admin.fetchOffsets({ groupId, topics: [topics.orders] });
    const sum = offsets[0]!.partitions.reduce((all, { offset }) => all + Math.max(0, Number(offset)), 0);
    assert.equal(sum, 3);
    await database.assertAsOracle(topics, 20_000, D_MS);
    balancedFigures(run);
  });
});
