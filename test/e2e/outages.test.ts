/** Kafka and MongoDB go away under a running stream and come back. They are this suite's own. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { DirectRun } from "../../beam/runners/direct/direct_runner.js";
import { figuresOf } from "../../pipeline/report/figures.js";
import { imbalances } from "../../pipeline/report/summary.js";
import { type LocalServer, startKafka, startMongodb } from "../../services/index.js";
import { anOrder, aPayment, EventTopics } from "../fixtures/event_topics.js";
import { kafkaFixture, mongodbFixture } from "../fixtures/services.js";
import { SlowProxy } from "../fixtures/slow_proxy.js";
import { balancedFigures, D_MS, problemsOf, startRun, T_MS, TestDatabase } from "../fixtures/test_run.js";
import { until } from "../fixtures/until.js";

/** Nothing expires in such a test. */
const LONG_MS = 600_000;
/** Pairs; far more than may be under way at once. */
const MANY = 20_000;

describe("outages", function () {
  this.timeout(90_000);
  const kafka = kafkaFixture();
  const mongodb = mongodbFixture();
  let dataDir: string;
  let server: LocalServer | undefined;
  let topics: EventTopics | undefined;
  let database: TestDatabase | undefined;
  let run: DirectRun | undefined;

  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), "order-payment-stream-outages-"));
  });

  afterEach(async () => {
    await run?.stop().catch(() => undefined);
    await Promise.all([topics?.close(), database?.close()]);
    await server?.stop();
    rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 });
    run = undefined;
  });

  it("waits for a MongoDB that hangs, and for one that is killed and comes back: nothing is lost or doubled", async () => {
    server = await startMongodb({ dataDir, backend: "file" });
    topics = await EventTopics.create(kafka.bootstrap());
    database = await TestDatabase.open(server.address);
    run = startRun(kafka.bootstrap(), topics, database);
    let sent = 0;
    /** Pairs, and an order in ten that nobody pays, over about a second. */
    const sendSome = async (): Promise<void> => {
      for (let i = 0; i < 10; i++) {
        const now = Date.now();
        const ids = Array.from({ length: 20 }, () => `o-${sent++}`);
        const orders = ids.map((id) => anOrder(id, now));
        const payments = ids.filter((_, n) => n % 10 !== 0).map((id) => aPayment(`p-${id}`, id, now));
        await topics!.sendEvents(...orders, ...payments);
        await sleep(80);
      }
    };
    const allPaired = () =>
      until("all pairs", async () => (await database!.joined.countDocuments()) === sent * 0.9);
    const allExpired = () =>
      until("all expiries", async () => (await database!.unmatched.countDocuments()) === sent * 0.1);

    await sendSome();
    await allPaired();
    process.kill(server.pid!, "SIGSTOP");
    try {
      await sendSome();
      await sleep(1_000);
    } finally {
      process.kill(server.pid!, "SIGCONT");
    }
    await allPaired();

    await allExpired();
    await server.kill();
    await sendSome();
    await sleep(T_MS);
    await server.start();
    await allPaired();
    await sendSome();
    await allPaired();
    await allExpired();
    await database.assertAsOracle(topics, T_MS, D_MS);
    balancedFigures(run);
  });

  it("reads no more than it can keep while MongoDB is away, says so, and catches up when it is back", async () => {
    server = await startMongodb({ dataDir, backend: "file" });
    topics = await EventTopics.create(kafka.bootstrap());
    database = await TestDatabase.open(server.address);
    // Much time, so that nothing but the end of the outage decides.
    run = startRun(kafka.bootstrap(), topics, database, { timeoutMs: LONG_MS });
    await topics.sendEvents(anOrder("before", Date.now()), aPayment("p-before", "before", Date.now()));
    await until("the pair", async () => (await database!.joined.countDocuments()) === 1);
    await server.kill();
    for (let i = 0; i < MANY; i += 500) {
      const now = Date.now();
      const ids = Array.from({ length: 500 }, (_, n) => `o-${i + n}`);
      const payments = ids.map((id) => aPayment(`p-${id}`, id, now));
      await topics.sendEvents(...ids.map((id) => anOrder(id, now)), ...payments);
    }
    await until("the problem", () => problemsOf(run!).some((problem) => problem.startsWith("MongoDB ")));
    const readOf = (): number => {
      const { orders, payments } = figuresOf(run!.metrics);
      return orders.read + payments.read;
    };
    await sleep(2_000);
    const read = readOf();
    await sleep(3_000);
    assert.equal(readOf(), read, "it goes on reading");
    assert.ok(read < MANY, `${read} of ${2 * MANY} events were read`);

    await server.start();
    await until("all pairs", async () => (await database!.joined.countDocuments()) === MANY + 1, 40_000);
    await until("the end of the problem", () => problemsOf(run!).length === 0);
    await database.assertAsOracle(topics, LONG_MS, D_MS);
    balancedFigures(run);
  });

  it("keeps to the pace of a MongoDB that is slow", async () => {
    database = await TestDatabase.open(mongodb.uri());
    const proxy = await SlowProxy.open(Number(new URL(mongodb.uri()).port));
    try {
      topics = await EventTopics.create(kafka.bootstrap());
      proxy.delayMs = 300;
      const mongodbUri = `mongodb://127.0.0.1:${proxy.port}`;
      run = startRun(kafka.bootstrap(), topics, database, { timeoutMs: LONG_MS, mongodbUri });
      for (let i = 0; i < 40; i++) {
        const now = Date.now();
        const ids = Array.from({ length: 50 }, (_, n) => `o-${i}-${n}`);
        const payments = ids.map((id) => aPayment(`p-${id}`, id, now));
        await topics.sendEvents(...ids.map((id) => anOrder(id, now)), ...payments);
        // Spread out, so that there are many writes however fast the events are read.
        await sleep(100);
      }
      await until("all pairs", async () => (await database!.joined.countDocuments()) === 2_000, 40_000);
      assert.ok(proxy.answers > 10, `${proxy.answers} answers came by the slow way`);
      await database.assertAsOracle(topics, LONG_MS, D_MS);
      // Documents are there before the answer that lets their bundle commit.
      await until("the books", () => imbalances(figuresOf(run!.metrics)).length === 0);
    } finally {
      await run?.stop().catch(() => undefined);
      await proxy.close();
    }
  });

  it("keeps documents that MongoDB refuses as dead letters, and writes the others", async () => {
    topics = await EventTopics.create(kafka.bootstrap());
    database = await TestDatabase.open(mongodb.uri());
    await database.joined.createIndex({ payment_amount: 1 }, { unique: true });
    run = startRun(kafka.bootstrap(), topics, database, { timeoutMs: LONG_MS });
    const now = Date.now();
    for (let i = 0; i < 30; i++) {
      const amount = i % 3 === 0 ? 7 : 100 + i;
      await topics.sendEvents(anOrder(`o-${i}`, now), aPayment(`p-${i}`, `o-${i}`, now, { amount }));
    }
    await until("all documents", async () => {
      const [joined, , deadLetters] = await database!.counts();
      return joined + deadLetters === 30;
    });
    assert.deepEqual(await database.counts(), [21, 0, 9]);
    for (const letter of await database.deadLetters.find().toArray()) {
      assert.deepEqual(
        [letter.reason, letter.code, letter.document.payment_amount],
        ["SINK_REJECTED", 11000, 7],
      );
    }
    assert.deepEqual(problemsOf(run), []);
    balancedFigures(run);
  });

  it("lets nothing expire while Kafka is away, and goes on when it is back", async () => {
    server = await startKafka({ dataDir });
    topics = await EventTopics.create(server.address);
    database = await TestDatabase.open(mongodb.uri());
    run = startRun(server.address, topics, database);
    const before = Date.now();
    await topics.sendEvents(anOrder("paid", before), aPayment("p", "paid", before));
    await until("the pair", async () => (await database!.joined.countDocuments()) === 1);
    await topics.sendEvents(anOrder("waiting", Date.now()));
    await until("the order", () => balancedFigures(run!).orders.pending === 1);
    process.kill(server.pid!, "SIGSTOP");
    await until("the problem", () => problemsOf(run!).some((problem) => /has not answered/.test(problem)));
    assert.deepEqual(await database.counts(), [1, 0, 0]);
    await server.kill();
    await until("the problem", () => problemsOf(run!).some((problem) => problem.startsWith("Kafka: ")));
    await sleep(T_MS + D_MS + 1_500);
    assert.deepEqual(await database.counts(), [1, 0, 0]);
    assert.equal(balancedFigures(run).orders.pending, 1);

    await server.start();
    await until("the end of the problem", () => problemsOf(run!).length === 0);
    const after = Date.now();
    await topics.sendEvents(anOrder("after", after), aPayment("q", "after", after));
    await until("the pair after", async () => (await database!.joined.countDocuments()) === 2);
    await until("the expiry", async () => (await database!.unmatched.countDocuments()) === 1);
    await database.assertAsOracle(topics, T_MS, D_MS);
    balancedFigures(run);
  });

  it("ends soon when it is told to while Kafka is away", async () => {
    server = await startKafka({ dataDir });
    topics = await EventTopics.create(server.address);
    database = await TestDatabase.open(mongodb.uri());
    run = startRun(server.address, topics, database, { groupId: "outage" });
    await topics.sendEvents(anOrder("waiting", Date.now()));
    await until("the order", () => balancedFigures(run!).orders.pending === 1);
    await server.kill();
    const startMs = Date.now();
    await run.stop();
    assert.ok(Date.now() - startMs < 5_000, `took ${Date.now() - startMs} ms`);
  });
});
