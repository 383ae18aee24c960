/**
 * Servers that stand still (SIGSTOP) under a running stream, for longer than any of the clients' own limits, and go on:
 * the run goes on, too. FREEZE_SECONDS=300 asks for one more, longer freeze of
 * each of them.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { DirectRun } from "../../beam/runners/direct/direct_runner.js";
import {
  createBucket,
  type LocalServer,
  startFakeGcs,
  startKafka,
  startMongodb,
} from "../../services/index.js";
import { CommandLine, environmentOf } from "../fixtures/command_line.js";
import { anOrder, aPayment, EventTopics } from "../fixtures/event_topics.js";
import { kafkaFixture, mongodbFixture } from "../fixtures/services.js";
import { balancedFigures, D_MS, problemsOf, startRun, TestDatabase } from "../fixtures/test_run.js";
import { until } from "../fixtures/until.js";

/** Nothing expires in such a test. */
const LONG_MS = 3_600_000;
const OPTIONS = { timeoutMs: LONG_MS, outageMaxMs: 900_000 };
const MORE = process.env.FREEZE_SECONDS === undefined ? [] : [Number(process.env.FREEZE_SECONDS)];

describe("a server that stands still", function () {
  this.timeout(120_000 + Math.max(0, ...MORE) * 2_000);
  const kafka = kafkaFixture();
  const mongodb = mongodbFixture();
  let dataDir: string;
  let server: LocalServer | undefined;
  let topics: EventTopics | undefined;
  let database: TestDatabase | undefined;
  let run: DirectRun | undefined;
  let sent = 0;

  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), "order-payment-stream-freezes-"));
    sent = 0;
  });

  afterEach(async () => {
    await run?.stop().catch(() => undefined);
    await Promise.all([topics?.close(), database?.close()]);
    await server?.stop();
    rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 });
    run = undefined;
    server = undefined;
  });

  async function sendPairs(count = 40): Promise<void> {
    const now = Date.now();
    const ids = Array.from({ length: count }, () => `o-${sent++}`);
    await topics!.sendEvents(
      ...ids.map((id) => anOrder(id, now)),
      ...ids.map((id) => aPayment(`p-${id}`, id, now)),
    );
  }

  const allPaired = () =>
    until("all pairs", async () => (await database!.joined.countDocuments()) === sent, 60_000);

  async function frozen(seconds: number, meanwhile: () => Promise<void>): Promise<void> {
    process.kill(server!.pid!, "SIGSTOP");
    try {
      await meanwhile();
      await sleep(seconds * 1_000);
    } finally {
      process.kill(server!.pid!, "SIGCONT");
    }
  }

  // After 10 to 20 s the driver's monitor gives the server up and interrupts what is under way.
  for (const seconds of [1, 25, ...MORE]) {
    it(`is waited for: MongoDB for ${seconds} s`, async () => {
      server = await startMongodb({ dataDir, backend: "memory" });
      topics = await EventTopics.create(kafka.bootstrap());
      database = await TestDatabase.open(server.address);
      run = startRun(kafka.bootstrap(), topics, database, OPTIONS);
      await sendPairs();
      await allPaired();
      await frozen(seconds, async () => {
        for (let i = 0; i < 5; i++) {
          await sendPairs();
          await sleep(100);
        }
      });
      await allPaired();
      await sendPairs();
      await allPaired();
      await database.assertAsOracle(topics, LONG_MS, D_MS);
      await until("the end of the problem", () => problemsOf(run!).length === 0);
      balancedFigures(run);
    });
  }

  for (const seconds of [1, 20, ...MORE]) {
    it(`is waited for: Kafka for ${seconds} s`, async () => {
      server = await startKafka({ dataDir });
      topics = await EventTopics.create(server.address);
      database = await TestDatabase.open(mongodb.uri());
      run = startRun(server.address, topics, database, OPTIONS);
      await sendPairs();
      await allPaired();
      await frozen(seconds, async () => {});
      await sendPairs();
      await allPaired();
      await database.assertAsOracle(topics, LONG_MS, D_MS);
      await until("the end of the problem", () => problemsOf(run!).length === 0);
      balancedFigures(run);
    });
  }

  it("ends the run when it stands still for longer than OUTAGE_MAX, and says so", async () => {
    server = await startMongodb({ dataDir, backend: "memory" });
    topics = await EventTopics.create(kafka.bootstrap());
    database = await TestDatabase.open(server.address);
    const command = new CommandLine(["run", "--runner=direct"], {
      ...environmentOf(kafka.bootstrap(), topics, database),
      OUTAGE_MAX: "3s",
    });
    await sendPairs();
    await allPaired();
    const startedMs = Date.now();
    await frozen(0, async () => {
      await sendPairs();
      const { code } = await command.ended;
      assert.equal(code, 1, command.stderr);
    });
    assert.ok(Date.now() - startedMs < 60_000, "in time");
    assert.match(
      command.stderr,
      /MongoDB at 127\.0\.0\.1:\d+ did not accept \d+ documents for .* within 3 s/,
    );
  });

  for (const seconds of [1, 8, ...MORE]) {
    it(`does not disturb the stream: Google Cloud Storage for ${seconds} s`, async () => {
      server = await startFakeGcs({ dataDir });
      const bucket = "freezes";
      await createBucket(server.address, bucket);
      topics = await EventTopics.create(kafka.bootstrap());
      database = await TestDatabase.open(mongodb.uri());
      const command = new CommandLine(["run", "--runner=direct", "--summary=json"], {
        ...environmentOf(kafka.bootstrap(), topics, database),
        STATE_DIR: join(dataDir, "state"),
        STATE_TIMEOUT_MINUTES: String(LONG_MS / 60_000),
        STORAGE_EMULATOR_HOST: server.address,
        GCS_CHECKPOINT_PATH: `gs://${bucket}/a`,
        CHECKPOINT_INTERVAL: "1s",
      });
      await sendPairs();
      await allPaired();
      await frozen(seconds, async () => {
        await sendPairs();
        await allPaired();
      });
      await sendPairs();
      await allPaired();
      command.kill("SIGTERM");
      const summary = await command.summary();
      assert.equal(summary.joined, sent);
      await database.assertAsOracle(topics, LONG_MS, D_MS);
    });
  }
});
