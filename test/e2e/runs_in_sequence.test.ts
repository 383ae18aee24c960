/**
 * Runs on one state directory, by the command line: what may change from one to the next, and what is refused. A row of
 * the README's table each.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CommandLine, environmentOf } from "../fixtures/command_line.js";
import { anOrder, aPayment, EventTopics, recordOf } from "../fixtures/event_topics.js";
import { kafkaFixture, mongodbFixture } from "../fixtures/services.js";
import { TestDatabase } from "../fixtures/test_run.js";
import { until } from "../fixtures/until.js";

const BASE_MS = Date.parse("2026-01-01T12:00:00Z");
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

describe("runs in sequence on one state directory", function () {
  this.timeout(120_000);
  const kafka = kafkaFixture();
  const mongodb = mongodbFixture();
  let topics: EventTopics;
  let database: TestDatabase;
  let path: string;

  beforeEach(async () => {
    path = mkdtempSync(join(tmpdir(), "runs-in-sequence-"));
    topics = await EventTopics.create(kafka.bootstrap(), 1);
    database = await TestDatabase.open(mongodb.uri());
  });

  afterEach(async () => {
    await topics.close();
    await database.close();
    rmSync(path, { recursive: true, force: true });
  });

  function start(...args: readonly string[]): CommandLine {
    return new CommandLine(
      ["run", "--runner=direct", `--state_dir=${path}`, "--summary=json", ...args],
      environmentOf(kafka.bootstrap(), topics, database),
    );
  }

  const order = (id: string, atMs: number) => recordOf(anOrder(id, BASE_MS + atMs));
  const payment = (id: string, orderId: string, atMs: number) =>
    recordOf(aPayment(id, orderId, BASE_MS + atMs));
  const pairs = async (collection = database.joined): Promise<string[]> =>
    (await collection.find().toArray()).map((pair) => `${pair.order_id}/${pair.payment_id}`).sort();
  const alone = async (): Promise<string[]> =>
    (await database.unmatched.find().toArray()).map((one) => `${one.reason} ${one.order_id}`).sort();

  it("read on, bounded, kept and drained, and count each for itself", async () => {
    await topics.send(order("a", 0), payment("pa", "a", 0), order("x", 0));
    const first = await start("--bounded").summary();
    assert.deepEqual([first.orders, first.joined, first.unmatched, first.pending], [2, 1, 1, 0]);
    assert.equal(first.total, undefined);

    await topics.send(order("b", DAY_MS), payment("p", "other", DAY_MS));
    const kept = await start("--bounded", "--drain=keep").summary();
    assert.deepEqual(
      [kept.orders, kept.payments, kept.joined, kept.unmatched, kept.pending],
      [1, 1, 0, 0, 2],
    );
    assert.deepEqual([kept.total!.orders, kept.total!.joined], [3, 1]);

    await topics.send(payment("pb", "b", DAY_MS + MINUTE_MS));
    const last = await start("--bounded").summary();
    assert.deepEqual(
      [last.orders, last.payments, last.joined, last.unmatched, last.pending],
      [0, 1, 1, 1, 0],
    );
    assert.deepEqual(await pairs(), ["a/pa", "b/pb"]);
    assert.deepEqual(await alone(), ["NO_ORDER other", "UNPAID x"]);
  });

  it("stream after a bounded one and after a drain, and are bounded after a stream", async () => {
    const now = Date.now() - BASE_MS;
    await topics.send(order("old", 0), payment("po", "old", 0));
    await start("--bounded").summary();
    for (const [round, drain] of ["expire", "keep", "expire"].entries()) {
      const stream = start(`--drain=${drain}`);
      await topics.send(order(`s${round}`, now), payment(`p${round}`, `s${round}`, now));
      await until("the pair", async () => (await pairs()).includes(`s${round}/p${round}`), 60_000);
      assert.equal(stream.hasEnded, false);
      stream.kill("SIGTERM");
      await stream.summary();
    }
    await topics.send(order("last", now), payment("pl", "last", now));
    await start("--bounded").summary();
    assert.deepEqual(await pairs(), ["last/pl", "old/po", "s0/p0", "s1/p1", "s2/p2"]);
    assert.deepEqual(await alone(), []);
  });

  it("change T up and down over what waits", async () => {
    const keep = ["--bounded", "--drain=keep"];
    await topics.send(
      order("a", 0),
      order("b", 0),
      order("mark", 10 * MINUTE_MS),
      payment("pm", "mark", 10 * MINUTE_MS),
    );
    await start(...keep, "--state_timeout_minutes=15").summary();
    // Beyond the first T and within the second; the watermark goes beyond the first timers.
    await topics.send(payment("pa", "a", 25 * MINUTE_MS), order("far", 25 * MINUTE_MS));
    const up = start(...keep, "--state_timeout_minutes=30");
    await up.summary();
    assert.match(up.stderr, /STATE_TIMEOUT_MINUTES was 15 and is 30/);
    assert.deepEqual(await pairs(), ["a/pa", "mark/pm"]);
    assert.deepEqual(await alone(), []);
    await topics.send(payment("pf", "far", 31 * MINUTE_MS));
    const down = await start("--bounded", "--state_timeout_minutes=5", "--max_out_of_orderness=1s").summary();
    assert.deepEqual(await pairs(), ["a/pa", "mark/pm"]);
    assert.deepEqual(await alone(), ["NO_ORDER far", "UNPAID b", "UNPAID far"]);
    assert.equal(down.pending, 0);
  });

  it("may go to another group, start, bundles and collection, and say what that means", async () => {
    await topics.send(order("a", 0), payment("pa", "a", 0));
    await start("--bounded").summary();
    await topics.send(order("b", 0), payment("pb", "b", 0));
    const other = start(
      "--bounded",
      "--mongodb_collection=elsewhere",
      "--kafka_group_id=another",
      "--kafka_start=latest",
      "--bundle_size=1",
      "--bundle_time=1ms",
      "--state_sync=process",
      "--max_ahead_of_clock=1s",
    );
    await other.summary();
    assert.match(other.stderr, /MONGODB_COLLECTION was \w+ and is elsewhere: what was written before stays/);
    assert.deepEqual(await pairs(), ["a/pa"]);
    assert.deepEqual(await pairs(database.db.collection("elsewhere")), ["b/pb"]);
  });

  it("refuse another topic in one line, before anything is read", async () => {
    await topics.send(order("a", 0));
    await start("--bounded").summary();
    for (const name of ["kafka_order_topic", "kafka_payment_topic"]) {
      const refused = start("--bounded", `--${name}=other`);
      assert.deepEqual(await refused.ended, { code: 1, signal: null });
      const line = refused.stderr.trimEnd().split("\n").at(-1)!;
      assert.match(
        line,
        new RegExp(`^${name.toUpperCase()} was \\S+ and is other, but the state holds offsets`),
      );
    }
    assert.equal((await start("--bounded").summary()).orders, 0);
  });

  it("go on after a kill in the middle of a drain", async () => {
    const orders = Array.from({ length: 3_000 }, (_, i) => order(`o${i}`, i));
    await topics.send(...orders);
    const killed = start("--bounded", "--bundle_size=16");
    await until(
      "the drain to begin",
      async () => (await database.unmatched.estimatedDocumentCount()) > 0,
      60_000,
    );
    killed.kill("SIGKILL");
    await killed.ended;
    await topics.send(order("late", 60 * MINUTE_MS), payment("pl", "late", 60 * MINUTE_MS));
    const { orders: read, unmatched, pending } = await start("--bounded").summary();
    assert.deepEqual([read, unmatched, pending], [3_001, 3_000, 0]);
    assert.deepEqual(await pairs(), ["late/pl"]);
    assert.equal((await alone()).length, 3_000);
  });
});
