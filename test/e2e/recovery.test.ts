/**
 * `run --state_dir` and the servers that it lives on, killed again and again by SIGKILL: what comes out in the end is
 * what the oracle says. RECOVERY_KILLS=100 RECOVERY_ORDERS=110000 is the long form, by hand. When they are killed is drawn
 * from a seed, which a failure tells; RECOVERY_SEED draws the same again.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Summary } from "../../pipeline/report/summary.js";
import { Random } from "../../producers/random.js";
import { type LocalServer, startKafka, startMongodb } from "../../services/index.js";
import {
  BACKLOG_D_MS,
  BACKLOG_ORDERS,
  BACKLOG_T_MS,
  backlogEnvironment,
  backlogSummary,
  backlogTopics,
  runOnState,
} from "../fixtures/backlog.js";
import type { CommandLine, Ended } from "../fixtures/command_line.js";
import type { EventTopics } from "../fixtures/event_topics.js";
import { startOrSkip } from "../fixtures/services.js";
import { TestDatabase } from "../fixtures/test_run.js";
import { until } from "../fixtures/until.js";

/** Of each test, at least; seven are one of every kind. */
const KILLS = Number(process.env.RECOVERY_KILLS ?? 7);
const SEED = Number(process.env.RECOVERY_SEED ?? Date.now() % 1_000_000);
const ORDERS = Number(process.env.RECOVERY_ORDERS ?? BACKLOG_ORDERS);
/** Longer than a broker takes to be back, and whoever lost it to look again. */
const PROGRESS_MAX_MS = 120_000;

type ServerName = "Kafka" | "MongoDB";

/** A server comes back after a moment, with or without the run, which a signal ends. */
interface Disturbance {
  readonly server?: ServerName;
  readonly signal?: "SIGKILL" | "SIGTERM";
}

/** In turn. */
const DISTURBANCES: readonly Disturbance[] = [
  { signal: "SIGKILL" },
  { server: "Kafka", signal: "SIGKILL" },
  { server: "MongoDB" },
  { signal: "SIGTERM" },
  { server: "MongoDB", signal: "SIGKILL" },
  { server: "Kafka" },
];

describe("recovery", function () {
  this.timeout(120_000 + KILLS * 30_000 + ORDERS * 10);
  let folder: string;
  let servers: Readonly<Record<ServerName, LocalServer>>;
  let topics: EventTopics;
  let expected: Omit<Summary, "duration_ms">;
  let database: TestDatabase;
  let path: string;
  let run: CommandLine | undefined;
  const random = new Random();

  before("start servers of its own", async function () {
    folder = mkdtempSync(join(tmpdir(), "order-payment-stream-recovery-"));
    servers = await startOrSkip(this, async () => ({
      MongoDB: await startMongodb({ dataDir: join(folder, "mongodb"), backend: "file" }),
      Kafka: await startKafka({ dataDir: join(folder, "kafka") }),
    }));
    topics = await backlogTopics(servers.Kafka.address, {}, ORDERS);
    expected = backlogSummary(topics);
  });

  beforeEach(async () => {
    random.reseed(SEED, 0);
    database = await TestDatabase.open(servers.MongoDB.address);
    path = mkdtempSync(join(folder, "state-"));
  });

  afterEach(async function () {
    if (this.currentTest?.state === "failed") console.log(`      RECOVERY_SEED=${SEED}`);
    run?.kill("SIGKILL");
    await run?.ended;
    await database?.close();
  });

  after(async () => {
    await topics?.close();
    await servers?.Kafka.kill();
    await servers?.MongoDB.kill();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  function start(...args: readonly string[]): CommandLine {
    return runOnState(path, backlogEnvironment(servers.Kafka.address, topics, database), args);
  }

  /**
   * Starts a run and disturbs it, spread at random over most of its documents; each is killed once before half of them
   * are there. Returns the process that is left.
   */
  async function disturbed(...args: readonly string[]): Promise<CommandLine> {
    const startedMs = Date.now();
    const counts = { run: 0, Kafka: 0, MongoDB: 0 };
    let kills = 0;
    run = start(...args);
    for (let round = 0; kills < KILLS; round++) {
      const { server, signal } = DISTURBANCES[round % DISTURBANCES.length]!;
      const share = (kills + random.between(0, 999) / 1_000) / (KILLS + 2);
      const documents = await database.joined.estimatedDocumentCount();
      const wanted = Math.min(expected.joined, Math.max(documents + 1, share * expected.joined));
      try {
        await until(
          `${Math.ceil(wanted)} documents`,
          async () => run!.hasEnded || (await database.joined.estimatedDocumentCount()) >= wanted,
          PROGRESS_MAX_MS,
        );
      } catch (error) {
        throw new Error(`there are ${documents}, and its log ends:\n${run.stderr.slice(-4_000)}`, {
          cause: error,
        });
      }
      await sleep(random.between(0, 49));
      // A bounded run may be faster than whoever looks on: the rest of the kills has nothing to meet then.
      if (run.hasEnded) break;
      if (server !== undefined) {
        await servers[server].kill();
        counts[server]++;
        kills++;
        await sleep(random.between(0, 99));
      }
      if (signal !== undefined) {
        run.kill(signal);
        const ended: Ended = await run.ended;
        assert.equal(ended.code, signal === "SIGKILL" ? null : 0, run.stderr);
        if (signal === "SIGKILL") {
          counts.run++;
          kills++;
        }
      }
      if (server !== undefined) await servers[server].start();
      if (signal !== undefined) run = start(...args);
    }
    assert.ok(kills > 0, "it has ended before anything was killed");
    if (kills >= KILLS)
      for (const [name, count] of Object.entries(counts)) assert.ok(count > 0, `${name} was not killed`);
    if (process.env.RECOVERY_KILLS !== undefined) {
      const events = `${topics.log.length} events, ${Math.round((Date.now() - startedMs) / 1_000)} s`;
      console.log(`      ${events}: killed ${JSON.stringify(counts)}`);
    }
    return run;
  }

  async function assertAsExpected({ duration_ms, ...counts }: Summary): Promise<void> {
    await database.assertAsOracle(topics, BACKLOG_T_MS, BACKLOG_D_MS);
    assert.deepEqual(counts, expected);
  }

  it("carries a bounded run over kills of itself, of Kafka and of MongoDB, and its counts with it", async () => {
    run = await disturbed("--bounded", "--bundle_size=16");
    const summary = await run.summary();
    await assertAsExpected(summary);
    // It is over: the next one has nothing to read, and counts for itself.
    const again = await start("--bounded").summary();
    const { pending: _, ...total } = expected;
    assert.deepEqual(again.total, total);
    assert.deepEqual([again.orders, again.payments, again.joined, again.unmatched], [0, 0, 0, 0]);
    await database.assertAsOracle(topics, BACKLOG_T_MS, BACKLOG_D_MS);
  });

  it("carries a stream over kills of itself, of Kafka and of MongoDB, and over a stop", async () => {
    run = await disturbed("--bundle_size=16");
    await until(
      "every event to be somewhere",
      async () => {
        assert.equal(run!.hasEnded, false, run!.stderr);
        const [joined, unmatched] = await database.counts();
        return joined === expected.joined && unmatched === expected.unmatched;
      },
      PROGRESS_MAX_MS + 2 * ORDERS,
    );
    run.kill("SIGTERM");
    await assertAsExpected(await run.summary());
  });
});
