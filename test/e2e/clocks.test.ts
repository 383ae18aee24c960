/**
 * The program under a clock that somebody sets: by fractions, seconds and hours, under a run and across restarts. The
 * brokers and MongoDB have the true time.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CommandLine, environmentOf } from "../fixtures/command_line.js";
import { anOrder, aPayment, EventTopics } from "../fixtures/event_topics.js";
import { kafkaFixture, mongodbFixture } from "../fixtures/services.js";
import { TestDatabase } from "../fixtures/test_run.js";
import { until } from "../fixtures/until.js";

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const FAKED_CLOCK = new URL("../fixtures/faked_clock.mjs", import.meta.url);
/** Long enough for what a test does before an expiry. */
const LONG_T_MS = 10 * MINUTE_MS;
const D_MS = 1_000;
/** What a busy machine may need beyond the time of an expiry. */
const SLACK_MS = 15_000;
/** For a process to start and to read. */
const START_MAX_MS = 60_000;

describe("a clock that is set", function () {
  this.timeout(180_000);
  const kafka = kafkaFixture();
  const mongodb = mongodbFixture();
  let topics: EventTopics;
  let database: TestDatabase;
  let folder: string;
  let run: CommandLine | undefined;

  beforeEach(async () => {
    topics = await EventTopics.create(kafka.bootstrap());
    database = await TestDatabase.open(mongodb.uri());
    folder = mkdtempSync(join(tmpdir(), "clocks-"));
  });

  afterEach(async () => {
    run?.kill("SIGKILL");
    await run?.ended;
    run = undefined;
    await Promise.all([topics?.close(), database?.close()]);
    rmSync(folder, { recursive: true, force: true });
  });

  function setClock(aheadMs: number): void {
    writeFileSync(join(folder, "clock"), String(aheadMs));
  }

  function start(
    timeoutMs: number,
    environment: Record<string, string> = {},
    ...args: string[]
  ): CommandLine {
    run = new CommandLine(["run", "--summary=json", ...args], {
      ...environmentOf(kafka.bootstrap(), topics, database),
      NODE_OPTIONS: `--import ${FAKED_CLOCK.href}`,
      FAKED_CLOCK: join(folder, "clock"),
      STATE_DIR: join(folder, "state"),
      STATE_TIMEOUT_MINUTES: String(timeoutMs / MINUTE_MS),
      MAX_OUT_OF_ORDERNESS: `${D_MS}ms`,
      ...environment,
    });
    return run;
  }

  async function stop(): Promise<void> {
    run!.kill("SIGTERM");
    await run!.summary();
  }

  const counts = (expected: readonly number[]): Promise<unknown> =>
    until(
      `${expected} documents`,
      async () => {
        if (run?.hasEnded) throw new Error(`the run has ended:\n${run.stderr}`);
        return String(await database.counts()) === String(expected);
      },
      START_MAX_MS,
    );

  /** The quiet partitions have been looked at, and the waiting events are in state. */
  const waiting = (count: number): Promise<unknown> =>
    until(
      `${count} waiting`,
      () => {
        if (run!.hasEnded) throw new Error(`the run has ended:\n${run!.stderr}`);
        return new RegExp(`"pending":${count}\\b`).test(run!.stderr);
      },
      START_MAX_MS,
    );

  const problem = (pattern: RegExp): Promise<unknown> =>
    until(`a problem such as ${pattern}`, () => pattern.test(run!.stderr), START_MAX_MS);

  for (const aheadMs of [1_100, 1_100.7, 20_000.25, HOUR_MS, -1_100, -20_000, -HOUR_MS]) {
    it(`by ${aheadMs} ms under a run ends nothing, expires nothing early, and holds up no expiry`, async () => {
      const timeoutMs = 6_000;
      start(timeoutMs);
      const first = Date.now();
      await topics.sendEvents(anOrder("first", first), aPayment("p-first", "first", first));
      await counts([1, 0, 0]);
      const created = Date.now();
      await topics.sendEvents(anOrder("unpaid", created), anOrder("paid", created));
      setClock(aheadMs);
      if (Math.abs(aheadMs) >= HOUR_MS) await problem(/"component":"clock"/);
      await sleep(2_000);
      assert.deepEqual(await database.counts(), [1, 0, 0]);
      await topics.sendEvents(aPayment("p-paid", "paid", created + 10));
      await counts([2, 0, 0]);
      await counts([2, 1, 0]);
      const tookMs = Date.now() - created;
      assert.ok(tookMs >= timeoutMs + D_MS / 2, `expired after ${tookMs} ms`);
      assert.ok(tookMs <= timeoutMs + D_MS + SLACK_MS, `expired after ${tookMs} ms`);
      await database.assertAsOracle(topics, timeoutMs, D_MS);
      await stop();
    });
  }

  for (const aheadMs of [HOUR_MS, -HOUR_MS]) {
    it(`by ${aheadMs} ms while the program is stopped expires nothing of what it goes on with`, async () => {
      start(LONG_T_MS);
      const created = Date.now();
      const ids = Array.from({ length: 50 }, (_, i) => `o${i}`);
      await topics.sendEvents(...ids.map((id) => anOrder(id, created)));
      await waiting(50);
      await stop();
      setClock(aheadMs);
      start(LONG_T_MS);
      await waiting(50);
      await sleep(2_000);
      assert.deepEqual(await database.counts(), [0, 0, 0]);
      await topics.sendEvents(...ids.map((id) => aPayment(`p-${id}`, id, created + 1)));
      await counts([50, 0, 0]);
      await stop();
    });
  }

  it("is no obstacle to a stop that was long: what has expired meanwhile expires", async () => {
    const timeoutMs = 30_000;
    start(timeoutMs, { CLOCK_SKEW_MAX: "1s" });
    await topics.sendEvents(anOrder("unpaid", Date.now()));
    await waiting(1);
    await stop();
    await sleep(timeoutMs + D_MS + 2_000);
    start(timeoutMs, { CLOCK_SKEW_MAX: "1s" });
    await counts([0, 1, 0]);
    await stop();
  });

  it("an hour ahead from the first has quiet partitions stand still, until a record or the user says who is right", async () => {
    const timeoutMs = 3_000;
    setClock(HOUR_MS);
    start(timeoutMs);
    await problem(/MongoDB's clock is 60 min behind the clock of this machine/);
    await topics.sendEvents(anOrder("a", Date.now()));
    await counts([0, 1, 0]);
    const order = await database.unmatched.findOne();
    assert.ok(Date.now() >= Number(order?.expires_at), "not before its time");
    await stop();
    start(timeoutMs, { CLOCK_SKEW_MAX: "off" });
    await topics.sendEvents(anOrder("b", Date.now() + HOUR_MS - MINUTE_MS));
    await counts([0, 2, 0]);
    await stop();
  });

  it("ten minutes behind refuses no event while MongoDB tells the time, and names the clock where it does not", async () => {
    setClock(-10 * MINUTE_MS);
    const now = Date.now();
    const events = Array.from({ length: 30 }, (_, i) => anOrder(`o${i}`, now + i));
    await topics.sendEvents(...events);
    start(LONG_T_MS, {}, "--bounded");
    assert.equal((await run!.summary()).unmatched, 30);
    rmSync(join(folder, "state"), { recursive: true });
    start(LONG_T_MS, { CLOCK_SKEW_MAX: "off" }, "--bounded");
    const { dead_letters } = await run!.summary();
    assert.equal(dead_letters.FUTURE_TIMESTAMP, 30);
    assert.match(
      run!.stderr,
      /records from the future.*FUTURE_TIMESTAMP.*the clock of this machine.*may be behind/,
    );
    const letter = await database.deadLetters.findOne();
    assert.match(letter?.message, /created_at is 20.*Z, (9|10) min ahead of the clock, 20.*Z$/);
  });

  it("is not needed for an event of 2099 to be told from the others, also in a bounded run", async () => {
    const now = Date.now();
    const micros = now * 1_000;
    await topics.sendEvents(anOrder("far", Date.UTC(2099, 0)), anOrder("micros", micros));
    for (let i = 0; i < 30; i++) {
      await topics.sendEvents(anOrder(`o${i}`, now - i), aPayment(`p${i}`, `o${i}`, now));
    }
    start(LONG_T_MS, {}, "--bounded");
    const { joined, dead_letters } = await run!.summary();
    assert.equal(joined, 30);
    assert.deepEqual(
      Object.entries(dead_letters).filter(([, count]) => Number(count) > 0),
      [["FUTURE_TIMESTAMP", 2]],
    );
    const letters = await database.deadLetters.find().toArray();
    const messages = letters.map(({ message }) => message).sort();
    assert.match(messages[1]!, /created_at is 2099-01-01T00:00:00.000Z, 7\d years ahead of the clock/);
    assert.match(messages[0]!, new RegExp(`created_at is ${micros}: in microseconds it would be 20`));
  });
});
