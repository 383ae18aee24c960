/**
 * The product streaming, on the clock, with T = 2 s and D = 0.5 s: what happens while nothing happens. One run serves
 * all tests of a suite; each has order ids of its own.
 */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { Document } from "mongodb";
import type { DirectRun } from "../../beam/runners/direct/direct_runner.js";
import { partitionOf } from "../../producers/partitioner.js";
import { CommandLine, environmentOf } from "../fixtures/command_line.js";
import { anOrder, aPayment, EventTopics, recordOf } from "../fixtures/event_topics.js";
import { lagging } from "../fixtures/lagging_client.js";
import { kafkaFixture, mongodbFixture } from "../fixtures/services.js";
import {
  assertStateEmpty,
  balancedFigures,
  D_MS,
  startRun,
  T_MS,
  TestDatabase,
} from "../fixtures/test_run.js";
import { until } from "../fixtures/until.js";

/** What an idle poll, a commit and a busy machine may add. */
const SLACK_MS = 5_000;

describe("streaming", function () {
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

  const pairOf = (order_id: string): Promise<Document | undefined> =>
    until(`the pair of ${order_id}`, async () => (await database.joined.findOne({ order_id })) ?? undefined);

  const expiredOf = (order_id: string): Promise<Document | undefined> =>
    until(
      `the expiry of ${order_id}`,
      async () => (await database.unmatched.findOne({ order_id })) ?? undefined,
    );

  /** A pair on each partition of both topics, so that each has held records and is read. */
  async function warmUp(): Promise<void> {
    const now = Date.now();
    const ids = [0, 1, 2].map((partition) => keyOn(partition));
    await topics.sendEvents(
      ...ids.map((id) => anOrder(id, now)),
      ...ids.map((id) => aPayment(`p-${id}`, id, now)),
    );
    for (const id of ids) await pairOf(id);
  }

  it("gives results while the source runs", async () => {
    run = startRun(kafka.bootstrap(), topics, database);
    await warmUp();
    for (const id of ["a", "b", "c"]) {
      await topics.sendEvents(anOrder(id, Date.now()));
      const sentMs = Date.now();
      await topics.sendEvents(aPayment(`p-${id}`, id, Date.now()));
      await pairOf(id);
      assert.ok(Date.now() - sentMs < 2_000, `took ${Date.now() - sentMs} ms`);
    }
  });

  it("expires an unpaid order after T with both topics silent, and no sooner", async () => {
    run = startRun(kafka.bootstrap(), topics, database);
    await warmUp();
    const createdMs = Date.now();
    await topics.sendEvents(anOrder("unpaid", createdMs), aPayment("p", "no order", createdMs));
    const order = await expiredOf("unpaid");
    const tookMs = Date.now() - createdMs;
    assert.ok(tookMs >= T_MS + D_MS, `expired after ${tookMs} ms`);
    assert.ok(tookMs <= T_MS + D_MS + SLACK_MS, `expired after ${tookMs} ms`);
    assert.deepEqual(
      [order?.kind, order?.reason, order?.expires_at],
      ["order", "UNPAID", new Date(createdMs + T_MS)],
    );
    const payment = await expiredOf("no order");
    assert.deepEqual([payment?.kind, payment?.reason], ["payment", "NO_ORDER"]);
    await until("the state to be empty", () => run!.status().every(({ eventTimers }) => eventTimers === 0));
    assertStateEmpty(run);
    await database.assertAsOracle(topics, T_MS, D_MS);
    balancedFigures(run);
  });

  it("expires it though partitions never held a record", async () => {
    run = startRun(kafka.bootstrap(), topics, database);
    const createdMs = Date.now();
    await topics.sendEvents(anOrder("alone", createdMs));
    await expiredOf("alone");
    assert.ok(Date.now() - createdMs >= T_MS + D_MS);
    assert.ok(Date.now() - createdMs <= T_MS + D_MS + SLACK_MS);
  });

  it("does not expire a paid order, nor pair it twice, when its time is over", async () => {
    run = startRun(kafka.bootstrap(), topics, database);
    const now = Date.now();
    await topics.sendEvents(anOrder("paid", now), aPayment("p", "paid", now));
    await pairOf("paid");
    await until("the state to be empty", () => run!.status().every(({ eventTimers }) => eventTimers === 0));
    assertStateEmpty(run);
    assert.deepEqual(await database.counts(), [1, 0, 0]);
  });

  it("never overtakes a partition that lags: its payments still find their orders", async () => {
    let isHeld = true;
    const partition = 1;
    run = startRun(kafka.bootstrap(), topics, database, {
      wrapClient: (client) => lagging(client, partition, () => isHeld, topics.payments),
    });
    const createdMs = Date.now();
    const ids = Array.from({ length: 50 }, (_, i) => keyOn(partition, i));
    const waiting = keyOn(0);
    // The orders are read at once; their payments lie in a partition that does not get on. Everything else does.
    await topics.sendEvents(...ids.map((id) => anOrder(id, createdMs)), anOrder(waiting, createdMs));
    await topics.sendEvents(...ids.map((id, i) => aPayment(`p-${id}`, id, createdMs + i * 40)));
    await until("the orders", () => balancedFigures(run!).orders.read === 51);
    await sleep(T_MS + D_MS + 1_500);
    assert.deepEqual(await database.counts(), [0, 0, 0]);
    isHeld = false;
    for (const id of ids) await pairOf(id);
    await expiredOf(waiting);
    await database.assertAsOracle(topics, T_MS, D_MS);
  });

  it("takes disorder within D, on a partition that has been silent", async () => {
    run = startRun(kafka.bootstrap(), topics, database);
    await warmUp();
    const createdMs = Date.now();
    await topics.sendEvents(anOrder("a", createdMs), anOrder("b", createdMs - D_MS + 100));
    await topics.sendEvents(aPayment("p", "b", createdMs - D_MS + 101), aPayment("q", "a", createdMs + 50));
    await pairOf("a");
    await pairOf("b");
    assert.deepEqual(await database.deadLetters.countDocuments(), 0);
  });

  it("keeps an event from the future as a dead letter, and lets it expire nobody's order", async () => {
    run = startRun(kafka.bootstrap(), topics, database);
    const now = Date.now();
    const id = keyOn(0);
    await topics.sendEvents(anOrder(id, now));
    await topics.send(recordOf(anOrder("future", now + 600_000), { partition: 0 }));
    await until("the dead letter", async () => (await database.deadLetters.countDocuments()) === 1);
    const [letter] = await database.deadLetters.find().toArray();
    assert.deepEqual([letter?.reason, letter?.field], ["FUTURE_TIMESTAMP", "created_at"]);
    assert.equal(await database.unmatched.countDocuments(), 0);
    await topics.sendEvents(aPayment("p", id, now + 10));
    await pairOf(id);
    assert.deepEqual(await database.counts(), [1, 0, 1]);
  });

  it("keeps an event that comes after its expiry as a dead letter", async () => {
    run = startRun(kafka.bootstrap(), topics, database);
    await warmUp();
    await topics.sendEvents(anOrder("late", Date.now() - T_MS - D_MS - 60_000));
    const letter = await until(
      "the dead letter",
      async () => (await database.deadLetters.findOne({ reason: "LATE" })) ?? undefined,
    );
    assert.equal(String(letter.key), "late");
  });

  describe("ended by SIGTERM", () => {
    /** A run that has read an order which nobody pays. */
    async function started(drain: "keep" | "expire"): Promise<CommandLine> {
      const command = new CommandLine(["run", `--drain=${drain}`, "--summary=json"], {
        ...environmentOf(kafka.bootstrap(), topics, database),
        STATE_TIMEOUT_MINUTES: "15",
      });
      const now = Date.now();
      await topics.send(
        ...[anOrder("unpaid", now), anOrder("paid", now), aPayment("p", "paid", now)].map((event) =>
          recordOf(event, { partition: 0 }),
        ),
      );
      await pairOf("paid");
      return command;
    }

    it("keeps what waits, says so, and exits with 0", async () => {
      const command = await started("keep");
      command.kill("SIGTERM");
      const { duration_ms, ...counts } = await command.summary();
      assert.deepEqual(counts, {
        orders: 2,
        payments: 1,
        joined: 1,
        unmatched: 0,
        duplicates: 0,
        dead_letters: {},
        pending: 1,
      });
      assert.deepEqual(await database.counts(), [1, 0, 0]);
      assert.ok(duration_ms > 0);
    });

    it("with --drain=expire, expires it first", async () => {
      const command = await started("expire");
      command.kill("SIGTERM");
      const { unmatched, pending, joined } = await command.summary();
      assert.deepEqual({ unmatched, pending, joined }, { unmatched: 1, pending: 0, joined: 1 });
      assert.deepEqual(await database.counts(), [1, 1, 0]);
      assert.equal((await database.unmatched.findOne())?.order_id, "unpaid");
    });
  });
});

/** An order id whose records lie in this partition of three. */
function keyOn(partition: number, number = 0): string {
  for (let i = 0; ; i++) {
    const key = `o-${partition}-${number}-${i}`;
    if (partitionOf(Buffer.from(key), 3) === partition) return key;
  }
}
