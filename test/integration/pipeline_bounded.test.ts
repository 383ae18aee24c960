/**
 * The graph on topics that end, with few records placed by hand and outcomes written down by hand: the edges of the
 * rules, to the millisecond, in the order in which the log holds them. The oracle has to agree.
 */
import assert from "node:assert/strict";
import type { Figures } from "../../pipeline/report/figures.js";
import { encodeConfluent, encodeOrderAvro, encodeOrderJson } from "../../schemas/encode.js";
import type { Order, Payment } from "../../schemas/events.js";
import { anOrder, aPayment, type EventRecord, EventTopics, recordOf } from "../fixtures/event_topics.js";
import { kafkaFixture, mongodbFixture } from "../fixtures/services.js";
import { assertStateEmpty, balancedFigures, startRun, TestDatabase } from "../fixtures/test_run.js";

const T_MS = 60_000;
const D_MS = 5_000;
/** Times of these tests count from here, ms. */
const BASE_MS = Date.parse("2026-01-01T00:00:00Z");

const order = (id: string, atMs: number, fields?: Partial<Order>) => anOrder(id, BASE_MS + atMs, fields);
const payment = (id: string, orderId: string, atMs: number, fields?: Partial<Payment>) =>
  aPayment(id, orderId, BASE_MS + atMs, fields);

describe("pipeline on bounded topics", function () {
  this.timeout(60_000);
  const kafka = kafkaFixture();
  const mongodb = mongodbFixture();
  let topics: EventTopics;
  let database: TestDatabase;

  beforeEach(async () => {
    [topics, database] = await Promise.all([
      EventTopics.create(kafka.bootstrap()),
      TestDatabase.open(mongodb.uri()),
    ]);
  });

  afterEach(async () => {
    await Promise.all([topics?.close(), database?.close()]);
  });

  /** Writes the records, runs to their end, and holds the collections against the oracle. */
  const outcome = (...records: (EventRecord | Order | Payment)[]): Promise<Figures> => outcomeOf(records);

  async function outcomeOf(
    records: readonly (EventRecord | Order | Payment)[],
    { beyondBound = 0, ...options }: { beyondBound?: number; maxAheadOfClockMs?: null } = {},
  ): Promise<Figures> {
    await topics.send(...records.map((record) => ("topic" in record ? record : recordOf(record))));
    const run = startRun(kafka.bootstrap(), topics, database, {
      isBounded: true,
      timeoutMs: T_MS,
      maxOutOfOrdernessMs: D_MS,
      ...options,
    });
    await run.finished;
    assertStateEmpty(run);
    const nowMs = options.maxAheadOfClockMs === null ? undefined : Date.now();
    await database.assertAsOracle(topics, T_MS, D_MS, beyondBound, nowMs);
    return balancedFigures(run);
  }

  const pairs = async (): Promise<string[]> =>
    (await database.joined.find().toArray()).map((pair) => `${pair.order_id} ${pair.payment_id}`).sort();

  const unmatched = async (): Promise<string[]> =>
    (await database.unmatched.find().toArray())
      .map(({ kind, reason, order_id }) => `${kind} ${order_id} ${reason}`)
      .sort();

  const reasons = async (): Promise<string[]> =>
    (await database.deadLetters.find().toArray()).map(({ reason }) => reason as string).sort();

  it("pairs up to T apart, in both directions and to the millisecond", async () => {
    await outcome(
      payment("before, just", "a", 0),
      payment("before, too early", "b", 0),
      order("a", T_MS),
      order("b", T_MS + 1),
      order("c", T_MS + 2),
      order("d", T_MS + 2),
      payment("after, just", "c", 2 * T_MS + 2),
      payment("after, too late", "d", 2 * T_MS + 3),
    );
    assert.deepEqual(await pairs(), ["a before, just", "c after, just"]);
    assert.deepEqual(await unmatched(), [
      "order b UNPAID",
      "order d UNPAID",
      "payment b NO_ORDER",
      "payment d NO_ORDER",
    ]);
    const expired = await database.unmatched.findOne({ kind: "order", order_id: "b" });
    assert.deepEqual(expired?.expires_at, new Date(BASE_MS + 2 * T_MS + 1));
    assert.deepEqual(expired?.created_at, new Date(BASE_MS + T_MS + 1));
  });

  it("pairs each payment of an order, whichever came first", async () => {
    await outcome(
      payment("p1", "a", 0),
      order("a", 1_000),
      payment("p2", "a", 2_000),
      payment("p3", "a", 2_000),
      payment("p4", "a", 1_000 + T_MS),
    );
    assert.deepEqual(await pairs(), ["a p1", "a p2", "a p3", "a p4"]);
    assert.deepEqual(await unmatched(), []);
    const document = await database.joined.findOne({ payment_id: "p2" });
    assert.deepEqual(Object.keys(document!).sort(), [
      "_id",
      "created_at",
      "customer_id",
      "order_amount",
      "order_date",
      "order_id",
      "payment_amount",
      "payment_date",
      "payment_id",
    ]);
    assert.deepEqual(document!.created_at, new Date(BASE_MS + 1_000), "the order's");
  });

  it("takes an event until the watermark of its own partition has passed its expiry", async () => {
    const partition = 0;
    await outcomeOf(
      [
        recordOf(order("newest", T_MS + D_MS), { partition }),
        recordOf(order("at expiry", 0), { partition }),
        recordOf(order("behind", -1), { partition }),
        // The other partition has come further still, which is no concern of partition 0.
        recordOf(order("far ahead", 100 * T_MS), { partition: 1 }),
        recordOf(order("at expiry as well", 0), { partition }),
      ],
      { beyondBound: 2 },
    );
    assert.deepEqual(await reasons(), ["LATE"]);
    const late = await database.deadLetters.findOne({ reason: "LATE" });
    assert.equal(String(late?.key), "behind");
    assert.deepEqual(await unmatched(), [
      "order at expiry UNPAID",
      "order at expiry as well UNPAID",
      "order far ahead UNPAID",
      "order newest UNPAID",
    ]);
  });

  it("drops what repeats an event in state, near and far, and refuses what contradicts it", async () => {
    const figures = await outcome(
      order("a", 0),
      order("a", 0),
      order("a", 0, { amount: 7 }),
      payment("p", "a", 1_000),
      payment("p", "a", 1_000),
      payment("p", "a", 1_000, { amount: 7 }),
      order("other", T_MS),
      order("a", 0),
      payment("p", "a", 1_000),
    );
    assert.equal(figures.orders.duplicates + figures.payments.duplicates, 4);
    assert.deepEqual(figures.dead_letters, { CONFLICT: 2 });
    assert.deepEqual(await pairs(), ["a p"]);
    const conflict = await database.deadLetters.findOne({ kind: "order" });
    assert.equal(conflict?.first.amount, 100);
    assert.equal(conflict?.event.amount, 7);
  });

  it("reads Avro and JSON side by side", async () => {
    const iso = (ms: number) => new Date(BASE_MS + ms).toISOString();
    await outcome(
      recordOf(order("a", 0), { json: true }),
      recordOf(payment("p1", "a", 10)),
      recordOf(order("b", 0)),
      recordOf(payment("p2", "b", 10), { json: true }),
      {
        topic: "orders",
        key: "c",
        value: Buffer.from(
          JSON.stringify({
            order_id: "c",
            // Without an offset it is UTC.
            order_date: iso(0).replace("Z", ""),
            created_at: iso(0).replace("Z", "+00:00"),
            customer_id: "Zoë",
            amount: -1,
          }),
        ),
      },
    );
    assert.deepEqual(await pairs(), ["a p1", "b p2"]);
    const written = await database.unmatched.findOne({ order_id: "c" });
    assert.deepEqual(
      [written?.order_date, written?.created_at, written?.customer_id, written?.amount],
      [new Date(BASE_MS), new Date(BASE_MS), "Zoë", -1],
    );
  });

  it("keeps each record that is no event as a dead letter, as it was received", async () => {
    const good = order("a", 0);
    const avro = encodeOrderAvro(good);
    const json = encodeOrderJson(good).toString();
    const bad = (value: Buffer | null): EventRecord => ({
      topic: "orders",
      key: "a",
      value,
      timestampMs: BASE_MS,
    });
    const figures = await outcome(
      bad(avro.subarray(0, -1)),
      bad(Buffer.concat([avro, Buffer.from([0])])),
      bad(encodeConfluent(1, "order", good)),
      bad(Buffer.from([1, 2, 3])),
      bad(Buffer.alloc(0)),
      bad(Buffer.from(json.slice(0, -1))),
      bad(Buffer.from(json.replace('"a"', '""'))),
      bad(Buffer.from(json.replace("100", '"100"'))),
      bad(null),
      good,
    );
    assert.deepEqual(figures.dead_letters, { UNDECODABLE: 6, INVALID: 2, NULL_VALUE: 1 });
    const fields = await database.deadLetters.distinct("field");
    assert.deepEqual(fields.sort(), ["amount", "order_id"]);
    assert.deepEqual(await unmatched(), ["order a UNPAID"]);
  });

  it("refuses times far ahead of the clock, and lets them make no other event late", async () => {
    const figures = await outcome(order("a", 0), order("far", 90 * 365 * 86_400_000), order("b", 0));
    assert.deepEqual(figures.dead_letters, { FUTURE_TIMESTAMP: 1 });
    assert.deepEqual(await unmatched(), ["order a UNPAID", "order b UNPAID"]);
  });

  it("takes them where that is off", async () => {
    await outcomeOf([order("a", 0), payment("p", "b", 10 * 365 * 86_400_000)], { maxAheadOfClockMs: null });
    assert.deepEqual(await reasons(), []);
  });

  it("says nothing about empty topics", async () => {
    const figures = await outcome();
    assert.equal(figures.orders.read + figures.payments.read, 0);
    assert.deepEqual(await database.counts(), [0, 0, 0]);
  });

  it("counts each event in one place, also where both of one order_id lie in different partitions", async () => {
    const figures = await outcome(
      recordOf(order("a", 0), { partition: 0 }),
      recordOf(payment("p1", "a", 1_000), { partition: 1 }),
      recordOf(payment("p2", "a", 2_000), { partition: 2 }),
    );
    assert.deepEqual(await pairs(), ["a p1", "a p2"]);
    assert.equal(figures.orders.joined, 1);
    assert.equal(figures.payments.joined, 2);
  });

  it("goes by the order_id in the value, whatever the key", async () => {
    await outcome(
      recordOf(order("a", 0), { key: null }),
      recordOf(payment("p", "a", 1), { key: "b" }),
      recordOf(order("b", 2), { key: "a" }),
      { topic: "payments", key: null, value: null },
    );
    assert.deepEqual(await pairs(), ["a p"]);
    assert.deepEqual(await unmatched(), ["order b UNPAID"]);
    assert.deepEqual(await reasons(), ["NULL_VALUE"]);
  });

  it("keeps a document that its collection refuses as a dead letter", async () => {
    // A rule that somebody has made: no two pairs of one amount.
    await database.joined.createIndex({ payment_amount: 1 }, { unique: true });
    await topics.sendEvents(
      order("a", 0),
      order("b", 1),
      payment("p1", "a", 2, { amount: 7 }),
      payment("p2", "b", 3, { amount: 7 }),
      payment("p3", "b", 4, { amount: 8 }),
    );
    const run = startRun(kafka.bootstrap(), topics, database, { isBounded: true, timeoutMs: T_MS });
    await run.finished;
    assert.deepEqual(await database.counts(), [2, 0, 1]);
    const [letter] = await database.deadLetters.find().toArray();
    assert.deepEqual(
      [letter?.reason, letter?.collection, letter?.code, letter?.document.payment_amount],
      ["SINK_REJECTED", database.joined.collectionName, 11000, 7],
    );
    const { joined, dead_letters } = balancedFigures(run);
    assert.equal(joined, 2);
    assert.deepEqual(dead_letters, { SINK_REJECTED: 1 });
  });
});
