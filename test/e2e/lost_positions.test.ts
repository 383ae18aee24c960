/**
 * Positions that are lost to other people's doings with a real Kafka, by the command line: a copy of its log directory
 * that is put back, another cluster under the same address with topics of the same names, and a topic that is made again.
 * Each is refused first, in a line that says what is lost; then AUTO_OFFSET_RESET goes on, with the state kept.
 */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Document } from "mongodb";
import { encodeOrderAvro } from "../../schemas/encode.js";
import { type LocalServer, startKafka } from "../../services/index.js";
import { CommandLine } from "../fixtures/command_line.js";
import { anOrder } from "../fixtures/event_topics.js";
import { KafkaPeer } from "../fixtures/kafka_peer.js";
import { mongodbFixture, startOrSkip } from "../fixtures/services.js";
import { TestDatabase } from "../fixtures/test_run.js";
import { until } from "../fixtures/until.js";

const ORDERS = "orders";
const PAYMENTS = "payments";
/** In event time the orders of a test are no more than some seconds apart. */
const BASE_MS = Date.now() - 60_000;

describe("positions that are lost", function () {
  this.timeout(120_000);
  const mongodb = mongodbFixture();
  const folder = mkdtempSync(join(tmpdir(), "lost-positions-"));
  const data = join(folder, "kafka");
  const state = (name: string): string => join(folder, name);
  let kafka: LocalServer;

  before("start a Kafka, read some of it, and put an older copy of its logs back", async function () {
    kafka = await startOrSkip(this, () => startKafka({ dataDir: data }));
    await withPeer(async (peer) => {
      await makeTopics(peer);
      await sendOrders(peer, "first", "second");
    });
    await run("read", ["--drain=keep"]).summary();
    cpSync(join(data, "log"), join(folder, "copy"), { recursive: true });
    await withPeer((peer) => sendOrders(peer, "third", "fourth"));
    await run("read", ["--drain=keep"]).summary();
    for (const name of ["earliest", "latest", "other cluster"]) {
      cpSync(state("read"), state(name), { recursive: true });
    }
    await kafka.kill();
    rmSync(join(data, "log"), { recursive: true });
    renameSync(join(folder, "copy"), join(data, "log"));
    await kafka.start();
    // As many as there were, so that by its offsets the log looks the same.
    await withPeer((peer) => sendOrders(peer, "fifth", "sixth"));
  });

  after(async () => {
    await kafka?.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  it("by a copy of the log directory are refused, and nothing is skipped", async () => {
    await assertRefused(
      "earliest",
      /orders\[0\] .*it was truncated or restored; it was read up to offset 4,.*AUTO_OFFSET_RESET=earliest .* continues at offset 0/,
    );
  });

  it("are gone on from at the earliest offset: what there is now is read as well", async () => {
    const left = await drained("earliest", "earliest");
    assert.deepEqual(left, ["fifth", "first", "fourth", "second", "sixth", "third"]);
  });

  it("are gone on from at the latest offset: what there is now is left out, and counted", async () => {
    const skipped = run("latest", ["--drain=keep"], { AUTO_OFFSET_RESET: "latest" });
    const { orders, positions_lost, offsets_skipped } = await skipped.summary();
    assert.deepEqual(
      { orders, positions_lost, offsets_skipped },
      { orders: 0, positions_lost: 1, offsets_skipped: 4 },
    );
    assert.match(skipped.stderr, /AUTO_OFFSET_RESET=latest: the state is kept .* continues at offset 4/);
    await withPeer((peer) => sendOrders(peer, "seventh"));
    // Told once: the position is one of this log now.
    const left = await drained("latest", "none");
    assert.deepEqual(left, ["first", "fourth", "second", "seventh", "third"]);
  });

  it("by another cluster under the same names are refused, and gone on from", async () => {
    await kafka.kill();
    renameSync(data, join(folder, "kafka before"));
    kafka = await startKafka({ dataDir: data, port: kafka.port });
    await withPeer(async (peer) => {
      await makeTopics(peer);
      await sendOrders(peer, "other 1", "other 2", "other 3", "other 4", "other 5");
    });
    await assertRefused("other cluster", /orders\[0\] is another log .*cluster/);
    const left = await drained("other cluster", "earliest");
    const others = [1, 2, 3, 4, 5].map((n) => `other ${n}`);
    assert.deepEqual(left, ["first", "fourth", ...others, "second", "third"]);
  });

  it("by a topic that was deleted and made again are refused, and gone on from", async () => {
    await withPeer(async (peer) => {
      await makeOrdersAgain(peer);
      await sendOrders(peer, "again 1", "again 2", "again 3", "again 4", "again 5", "again 6");
    });
    await assertRefused("other cluster", /orders\[0\] .*deleted and made again.* read up to offset 5,/);
    const left = await drained("other cluster", "latest");
    assert.ok(!left.some((id) => id.startsWith("again")), left.join());
    await withPeer((peer) => sendOrders(peer, "again 7"));
    assert.ok((await drained("other cluster", "none")).includes("again 7"));
  });

  it("by a topic that is made again while the process sleeps, and of which nothing was read, are refused", async () => {
    const name = "asleep";
    await withPeer(async (peer) => {
      await makeOrdersAgain(peer);
      const stream = new CommandLine(["run", `--state_dir=${state(name)}`], environmentOf(name));
      await peer.send(PAYMENTS, [{ value: "nothing that can be decoded" }]);
      await until("it to read", async () => (await found(name, "dead_letters")).length > 0);
      stream.kill("SIGSTOP");
      await makeOrdersAgain(peer);
      await sendOrders(peer, "of the other topic");
      stream.kill("SIGCONT");
      const { code } = await stream.ended;
      assert.equal(code, 1, stream.stderr);
      assert.match(stream.stderr, /orders\[0\] .*deleted and made again.* read up to offset 0,/);
    });
    assert.deepEqual(await drained(name, "earliest"), ["of the other topic"]);
  });

  function run(name: string, args: readonly string[], environment: Record<string, string> = {}): CommandLine {
    const own = ["run", "--runner=direct", "--bounded", "--summary=json", `--state_dir=${state(name)}`];
    return new CommandLine([...own, ...args], { ...environmentOf(name), ...environment });
  }

  const environmentOf = (name: string): Record<string, string> => ({
    KAFKA_BOOTSTRAP: kafka.address,
    KAFKA_ORDER_TOPIC: ORDERS,
    KAFKA_PAYMENT_TOPIC: PAYMENTS,
    MONGODB_URI: mongodb.uri(),
    MONGODB_DATABASE: databaseOf(name),
  });

  async function assertRefused(name: string, reason: RegExp): Promise<void> {
    const refused = run(name, ["--drain=keep"]);
    const { code } = await refused.ended;
    assert.equal(code, 1, refused.stderr);
    assert.match(refused.stderr, reason);
  }

  /** Ids of the orders that nobody has paid, when all that waits is expired. */
  async function drained(name: string, reset: string): Promise<string[]> {
    await run(name, ["--drain=expire"], { AUTO_OFFSET_RESET: reset }).summary();
    return (await found(name, "unmatched")).map(({ order_id }) => order_id as string).sort();
  }

  async function found(name: string, collection: string): Promise<Document[]> {
    const database = await TestDatabase.open(mongodb.uri());
    try {
      return await database.client.db(databaseOf(name)).collection(collection).find().toArray();
    } finally {
      await database.close();
    }
  }

  const databaseOf = (name: string): string => `lost_positions_${name.replaceAll(" ", "_")}`;

  async function withPeer(work: (peer: KafkaPeer) => Promise<void>): Promise<void> {
    const peer = await KafkaPeer.open(kafka.address);
    try {
      await work(peer);
    } finally {
      await peer.close();
    }
  }

  async function makeOrdersAgain({ admin }: KafkaPeer): Promise<void> {
    await admin.deleteTopics({ topics: [ORDERS] });
    await until("the name of the topic to be free", () =>
      admin.createTopics({ topics: [{ topic: ORDERS, numPartitions: 1 }], waitForLeaders: true }).then(
        () => true,
        () => undefined,
      ),
    );
  }

  async function makeTopics({ admin }: KafkaPeer): Promise<void> {
    const topics = [ORDERS, PAYMENTS].map((topic) => ({ topic, numPartitions: 1 }));
    await admin.createTopics({ topics, waitForLeaders: true });
  }

  async function sendOrders(peer: KafkaPeer, ...ids: readonly string[]): Promise<void> {
    const messages = ids.map((id) => ({ key: id, value: encodeOrderAvro(anOrder(id, BASE_MS)) }));
    await peer.send(ORDERS, messages);
  }
});
