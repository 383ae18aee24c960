/** Kafka and MongoDB go away under a running stream and come back. They are this suite's own. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { DirectRun } from "../../beam/runners/direct/direct_runner.js";
import { type LocalServer, startKafka, startMongodb } from "../../services/index.js";
import { anOrder, aPayment, EventTopics } from "../fixtures/event_topics.js";
import { kafkaFixture, mongodbFixture } from "../fixtures/services.js";
import { balancedFigures, D_MS, startRun, T_MS, TestDatabase } from "../fixtures/test_run.js";
import { until } from "../fixtures/until.js";

/** The file backend may lose what it wrote in the last 100 ms before it is killed. */
const UNSAFE_MS = 100;

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
    await sleep(2 * UNSAFE_MS);
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

  it("lets nothing expire while Kafka is away, and goes on when it is back", async () => {
    server = await startKafka({ dataDir });
    topics = await EventTopics.create(server.address);
    database = await TestDatabase.open(mongodb.uri());
    run = startRun(server.address, topics, database);
    const before = Date.now();
    await topics.sendEvents(anOrder("paid", before), aPayment("p", "paid", before));
    await until("the pair", async () => (await database!.joined.countDocuments()) === 1);
    await topics.sendEvents(anOrder("waiting", Date.now()));
    await until("the order", () => balancedFigures(run!).orders.waiting === 1);
    await server.kill();
    await sleep(T_MS + D_MS + 1_500);
    assert.deepEqual(await database.counts(), [1, 0, 0]);
    assert.equal(balancedFigures(run).orders.waiting, 1);

    await server.start();
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
    await until("the order", () => balancedFigures(run!).orders.waiting === 1);
    await server.kill();
    const startMs = Date.now();
    await run.stop();
    assert.ok(Date.now() - startMs < 5_000, `took ${Date.now() - startMs} ms`);
  });
});
