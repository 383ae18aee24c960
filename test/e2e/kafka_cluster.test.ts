/** A cluster of two brokers, one of which goes and comes back under a running stream. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { DirectRun } from "../../beam/runners/direct/direct_runner.js";
import { type KafkaCluster, startKafkaCluster } from "../../services/index.js";
import { anOrder, aPayment, EventTopics, recordOf } from "../fixtures/event_topics.js";
import { kafkaFixture, mongodbFixture } from "../fixtures/services.js";
import { balancedFigures, D_MS, problemsOf, startRun, TestDatabase } from "../fixtures/test_run.js";
import { until } from "../fixtures/until.js";

/** Longer than it takes to find another leader. */
const TIMEOUT_MS = 8_000;
const SECOND = 1;
const PARTITIONS = 4;

describe("a Kafka cluster", function () {
  this.timeout(120_000);
  // Skips the suite where no Kafka can be had.
  kafkaFixture();
  const mongodb = mongodbFixture();
  let dataDir: string;
  let cluster: KafkaCluster;
  let topics: EventTopics | undefined;
  let database: TestDatabase | undefined;
  let run: DirectRun | undefined;
  let sent = 0;

  before(async () => {
    dataDir = mkdtempSync(join(tmpdir(), "order-payment-stream-cluster-"));
    cluster = await startKafkaCluster({ dataDir, brokers: 2 });
  });
  after(async () => {
    await cluster?.stop();
    rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 });
  });
  afterEach(async () => {
    await run?.stop().catch(() => undefined);
    run = undefined;
    await Promise.all([topics?.close(), database?.close()]);
  });

  /** A pair on each partition, which every second time lies elsewhere for the payment. */
  async function sendPairs(): Promise<void> {
    const now = Date.now();
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const id = `o-${sent++}`;
      await topics!.send(
        recordOf(anOrder(id, now), { partition }),
        recordOf(aPayment(`p-${id}`, id, now), { partition: (partition + sent) % PARTITIONS }),
      );
    }
  }

  const haveCome = (joined: number, unmatched = 0): Promise<boolean> =>
    until(
      `${joined} pairs and ${unmatched} unmatched`,
      async () => {
        const counts = await database!.counts();
        return counts[0] === joined && counts[1] === unmatched;
      },
      40_000,
    );

  it("is read on from the brokers that lead now, when leaders are killed, come back, and lead again", async () => {
    topics = await EventTopics.create(cluster.bootstrap, PARTITIONS, 2);
    database = await TestDatabase.open(mongodb.uri());
    run = startRun(cluster.bootstrap, topics, database, { timeoutMs: TIMEOUT_MS });
    sent = 0;
    await sendPairs();
    await haveCome(sent);
    const leaders = () => topics!.peer.leaders(topics!.payments);
    assert.deepEqual(new Set(await leaders()), new Set([1, 2]));

    const second = cluster.nodes[SECOND]!;
    await topics.send(recordOf(anOrder("across the outage", Date.now()), { partition: 0 }));
    await second.kill();
    await sendPairs();
    assert.deepEqual(new Set(await leaders()), new Set([1]));
    await topics.send(
      recordOf(aPayment("p-across", "across the outage", Date.now()), { partition: 3 }),
      recordOf(anOrder("unpaid", Date.now()), { partition: 1 }),
    );
    await haveCome(sent + 1);
    await until("the end of the problem", () => problemsOf(run!).length === 0);

    // The leaders move back while both brokers live.
    await second.start();
    await until("the former leaders", async () => new Set(await leaders()).size === 2, 40_000);
    await sendPairs();
    await haveCome(sent + 1, 1);
    await database.assertAsOracle(topics, TIMEOUT_MS, D_MS);
    balancedFigures(run);
  });

  it("lets nothing expire while some of its partitions have no leader, however long", async () => {
    topics = await EventTopics.create(cluster.bootstrap, PARTITIONS);
    database = await TestDatabase.open(mongodb.uri());
    const timeoutMs = 3_000;
    run = startRun(cluster.bootstrap, topics, database, { timeoutMs });
    sent = 0;
    await sendPairs();
    await haveCome(sent);
    const leaders = await topics.peer.leaders(topics.orders);
    assert.deepEqual(new Set(leaders), new Set([1, 2]));
    await topics.send(recordOf(anOrder("unpaid", Date.now()), { partition: leaders.indexOf(1) }));
    await until("the order", () => balancedFigures(run!).orders.pending === 1);
    const second = cluster.nodes[SECOND]!;
    await second.kill();
    await until("the problem", () => problemsOf(run!).some((problem) => problem.startsWith("Kafka: ")));
    await sleep(timeoutMs + D_MS + 2_000);
    assert.equal((await database.counts())[1], 0);
    assert.ok(problemsOf(run).length > 0);

    await second.start();
    await haveCome(sent, 1);
    await until("the end of the problem", () => problemsOf(run!).length === 0);
    await sendPairs();
    await haveCome(sent, 1);
    await database.assertAsOracle(topics, timeoutMs, D_MS);
    balancedFigures(run);
  });
});
