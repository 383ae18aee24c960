/**
 * The faults of the job that this one replaces, one test each, on a stream with T = 2 s and D = 0.5 s. All share one
 * run; each has order ids of its own.
 */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { DirectRun } from "../../beam/runners/direct/direct_runner.js";
import { figuresOf } from "../../pipeline/report/figures.js";
import { anOrder, aPayment, EventTopics } from "../fixtures/event_topics.js";
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

describe("known faults of the job before", function () {
  this.timeout(60_000);
  const kafka = kafkaFixture();
  const mongodb = mongodbFixture();
  let topics: EventTopics;
  let database: TestDatabase;
  let run: DirectRun;

  before(async () => {
    topics = await EventTopics.create(kafka.bootstrap());
    database = await TestDatabase.open(mongodb.uri());
    run = startRun(kafka.bootstrap(), topics, database);
  });

  after(async () => {
    await run?.stop().catch(() => undefined);
    await Promise.all([topics?.close(), database?.close()]);
  });

  const joined = (order_id: string) => database.joined.countDocuments({ order_id });
  const unmatched = (order_id: string) => database.unmatched.countDocuments({ order_id });
  const duplicates = () => {
    const { orders, payments } = figuresOf(run.metrics);
    return orders.duplicates + payments.duplicates;
  };
  const stateIsEmpty = () => run.status().every(({ eventTimers }) => eventTimers === 0);

  it("1. a payment that arrives before its order is not dropped", async () => {
    const now = Date.now();
    await topics.sendEvents(aPayment("p1", "early", now));
    await until("the payment to wait", () => figuresOf(run.metrics).payments.pending === 1);
    await topics.sendEvents(anOrder("early", now + 20));
    await until("the pair", async () => (await joined("early")) === 1);
    assert.equal(await unmatched("early"), 0);
  });

  it("2. expiry needs no traffic, and follows event time", async () => {
    await until("silence", stateIsEmpty);
    const now = Date.now();
    // The younger in arrival is the older in event time, and expires first.
    await topics.sendEvents(anOrder("younger", now));
    await topics.sendEvents(anOrder("older", now - 1_500));
    const seenMs = new Map<string, number>();
    await until("both", async () => {
      // Looked at in this order, one that is seen first was there first.
      for (const id of ["younger", "older"]) {
        if (!seenMs.has(id) && (await unmatched(id)) > 0) seenMs.set(id, Date.now());
      }
      return seenMs.size === 2;
    });
    assert.ok(seenMs.get("older")! >= now - 1_500 + T_MS + D_MS);
    assert.ok(seenMs.get("younger")! >= now + T_MS + D_MS);
    assert.ok(seenMs.get("older")! <= seenMs.get("younger")!);
    assert.ok(seenMs.get("younger")! <= now + T_MS + D_MS + 5_000);
    const expiries = await database.unmatched.find({ order_id: { $in: ["younger", "older"] } }).toArray();
    for (const { created_at, expires_at } of expiries) assert.equal(+expires_at - +created_at, T_MS);
  });

  it("3. a duplicate cancels no expiry, and leaks no state", async () => {
    const before = duplicates();
    const order = anOrder("repeated", Date.now());
    await topics.sendEvents(order);
    await topics.sendEvents(order);
    await sleep(500);
    await topics.sendEvents(order);
    await until("the expiry", async () => (await unmatched("repeated")) === 1);
    await until("the state to be empty", stateIsEmpty);
    assertStateEmpty(run);
    assert.equal(duplicates() - before, 2);
    assert.equal(await unmatched("repeated"), 1);
  });

  it("4. a duplicate after the join does not revive the state, nor join twice", async () => {
    const before = duplicates();
    const now = Date.now();
    const order = anOrder("joined", now);
    const payment = aPayment("p4", "joined", now);
    await topics.sendEvents(order, payment);
    await until("the pair", async () => (await joined("joined")) === 1);
    await topics.sendEvents(order, payment);
    await topics.sendEvents(payment, order);
    await until("the duplicates", () => duplicates() - before === 4);
    await until("the state to be empty", stateIsEmpty);
    assertStateEmpty(run);
    assert.equal(await joined("joined"), 1);
    assert.equal(await unmatched("joined"), 0);
  });

  it("5. bad input becomes a dead letter with its reason, not a row of nulls", async () => {
    const text = Buffer.from('{"order_id": "bad", "amount": 1}');
    await topics.send({ topic: "orders", key: "bad", value: text, partition: 1 });
    await topics.send({ topic: "payments", key: "bad", value: Buffer.from("paid!"), partition: 2 });
    await until("both", async () => (await database.deadLetters.countDocuments()) === 2);
    const invalid = await database.deadLetters.findOne({ reason: "INVALID" });
    assert.equal(invalid?.topic, topics.orders);
    assert.equal(invalid?.partition, 1);
    assert.equal(invalid?.field, "order_date");
    assert.match(invalid?.message, /order_date/);
    assert.ok(text.equals(invalid?.value.value()));
    const undecodable = await database.deadLetters.findOne({ reason: "UNDECODABLE" });
    assert.equal(undecodable?.topic, topics.payments);
    assert.equal(undecodable?.partition, 2);
    assert.equal(await joined("bad"), 0);
  });

  it("6. rows are not doubled when everything is read and written again", async () => {
    await until("the state to be empty", stateIsEmpty);
    balancedFigures(run);
    await run.stop();
    await database.assertAsOracle(topics, T_MS, D_MS);
    const before = await database.contents();
    run = startRun(kafka.bootstrap(), topics, database, { isBounded: true });
    await run.finished;
    assert.deepEqual(await database.contents(), before);
    assert.equal(before.length, 7);
  });
});
