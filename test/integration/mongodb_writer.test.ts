/**
 * MongoWriter, connectMongo and ensureIndexes on a real server, with outages made by a proxy in between: it can lose
 * an answer that the server has given, which killing the server cannot show reliably.
 */
import assert from "node:assert/strict";
import { type AddressInfo, connect as connectSocket, createServer, type Server, type Socket } from "node:net";
import type { Collection, Db, Document, MongoClient } from "mongodb";
import { MongoConfigurationError, MongoUnavailableError } from "../../beam/io/mongodb/errors.js";
import { connectMongo, ensureIndexes, MongoWriter } from "../../beam/io/mongodb/writer.js";
import { encodeOrderAvro, encodePaymentJson } from "../../schemas/encode.js";
import type { Order, Payment } from "../../schemas/events.js";
import { deadLetterDocument } from "../../transforms/dead_letter.js";
import { joinedDocument, unmatchedDocument } from "../../transforms/documents.js";
import { mongodbFixture, uniqueName } from "../fixtures/services.js";
import { compareWithMongo } from "../oracle/compare_with_mongo.js";
import { type InputRecord, oracle } from "../oracle/oracle.js";

/** Passes bytes on until it is told to fail. */
class FaultyProxy {
  private readonly sockets = new Set<Socket>();
  private server: Server | undefined;
  private port = 0;
  /** Set: the next answer of more than 30 bytes after an insert is dropped together with its connection. */
  loseNextAnswer = false;
  private insertSeen = false;

  constructor(private readonly target: { host: string; port: number }) {}

  get uri(): string {
    return `mongodb://127.0.0.1:${this.port}/`;
  }

  async open(): Promise<void> {
    this.server = createServer((client) => this.pass(client));
    await new Promise<void>((resolve) => this.server!.listen(this.port, "127.0.0.1", resolve));
    this.port = (this.server.address() as AddressInfo).port;
  }

  /** Cuts every connection and refuses new ones. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server!.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  private pass(client: Socket): void {
    const upstream = connectSocket(this.target.port, this.target.host);
    const end = (): void => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      this.sockets.add(socket);
      socket.on("error", end).on("close", () => {
        this.sockets.delete(socket);
        end();
      });
    }
    client.on("data", (bytes) => {
      if (this.loseNextAnswer && bytes.includes("insert\u0000")) this.insertSeen = true;
      upstream.write(bytes);
    });
    upstream.on("data", (bytes) => {
      // The monitor has a connection of its own, which carries no insert.
      if (this.loseNextAnswer && this.insertSeen && bytes.includes("n\u0000")) {
        this.loseNextAnswer = false;
        this.insertSeen = false;
        end();
      } else {
        client.write(bytes);
      }
    });
  }
}

function documents(count: number): Document[] {
  return Array.from({ length: count }, (_, i) => ({ _id: `d${i}`, amount: i, at: new Date(i) }));
}

async function ids(collection: Collection): Promise<number> {
  return new Set((await collection.find().toArray()).map(({ _id }) => String(_id))).size;
}

describe("MongoDB", function () {
  this.timeout(30_000);
  const mongodb = mongodbFixture();
  let client: MongoClient;
  let db: Db;

  before(async () => {
    client = await connectMongo(mongodb.uri(), { appName: "test" });
    db = client.db(uniqueName("writer"));
  });

  after(async () => {
    await client?.close();
  });

  describe("MongoWriter", () => {
    it("writes each document once, and again counts all as there", async () => {
      const collection = db.collection("once");
      const writer = new MongoWriter({ collection });
      const all = documents(5_000);
      assert.deepEqual(await writer.write(all), {
        inserted: 5_000,
        alreadyThere: 0,
        rejected: [],
        retries: 0,
      });
      assert.deepEqual(await writer.write(all), {
        inserted: 0,
        alreadyThere: 5_000,
        rejected: [],
        retries: 0,
      });
      assert.equal(await collection.countDocuments(), 5_000);
    });

    it("takes part of the same documents from several writers at once", async () => {
      const collection = db.collection("race");
      const all = documents(3_000);
      const results = await Promise.all(
        [0, 500, 1_000].map((start) =>
          new MongoWriter({ collection, chunkDocumentsMax: 100 }).write(all.slice(start, start + 2_000)),
        ),
      );
      const counted = results.reduce((sum, { inserted }) => sum + inserted, 0);
      assert.equal(counted, 3_000);
      assert.equal(await ids(collection), 3_000);
    });

    it("refuses what breaks another unique index, and what the server cannot take", async () => {
      const collection = db.collection<Document>("refusals");
      await ensureIndexes(db, [{ collection: "refusals", indexes: [{ key: { amount: 1 }, unique: true }] }]);
      const writer = new MongoWriter({ collection });
      const { inserted, rejected } = await writer.write([
        { _id: "a", amount: 1 },
        { _id: "b", amount: 1 },
        { _id: ["an array"], amount: 2 },
        { _id: "large", amount: 3, value: Buffer.alloc(16 * 1024 * 1024) },
        { _id: "zero\u0000byte", "in\u0000key": 1, amount: 4 },
        { _id: "e", amount: 5 },
      ]);
      assert.equal(inserted, 2);
      assert.deepEqual(
        rejected.map(({ index, code }) => [index, code]),
        [
          [1, 11000],
          [2, 53],
          [3, 10334],
          [4, undefined],
        ],
      );
      for (const { message } of rejected) assert.ok(message.length > 0);
    });

    it("absorbs a write that was done but whose answer was lost", async () => {
      const { proxy, viaProxy } = await openProxy();
      try {
        const writer = new MongoWriter({ collection: viaProxy.db(db.databaseName).collection("lost") });
        await writer.write([{ _id: "warm" }]);
        proxy.loseNextAnswer = true;
        const result = await writer.write(documents(500));
        assert.equal(proxy.loseNextAnswer, false, "an answer was lost");
        assert.deepEqual(result, { inserted: 0, alreadyThere: 500, rejected: [], retries: 1 });
        assert.equal(await ids(db.collection("lost")), 501);
      } finally {
        await viaProxy.close();
        await proxy.close();
      }
    });

    it("writes through an outage that ends", async () => {
      const { proxy, viaProxy } = await openProxy();
      try {
        const collection = viaProxy.db(db.databaseName).collection("outage");
        const writer = new MongoWriter({
          collection,
          chunkDocumentsMax: 50,
          backoffMinMs: 20,
          backoffMaxMs: 100,
        });
        const writing = writer.write(documents(20_000));
        await new Promise((resolve) => setTimeout(resolve, 30));
        await proxy.close();
        await new Promise((resolve) => setTimeout(resolve, 300));
        await proxy.open();
        const { inserted, alreadyThere, rejected, retries } = await writing;
        assert.equal(inserted + alreadyThere, 20_000);
        assert.equal(rejected.length, 0);
        assert.ok(retries > 0);
        assert.equal(await ids(db.collection("outage")), 20_000);
      } finally {
        await viaProxy.close();
        await proxy.close();
      }
    });

    it("gives up an outage that lasts, naming the server", async () => {
      const { proxy, viaProxy } = await openProxy(500);
      const writer = new MongoWriter({ collection: viaProxy.db("x").collection("y"), retryTimeMaxMs: 300 });
      await proxy.close();
      await assert.rejects(writer.write(documents(1)), (error) => {
        assert.ok(error instanceof MongoUnavailableError, String(error));
        assert.match(error.message, /127\.0\.0\.1:\d+ did not take 1 documents for x\.y within 0\.3 s/);
        return true;
      });
      await viaProxy.close();
    });

    it("says so when the client was closed", async () => {
      const other = await connectMongo(mongodb.uri());
      const writer = new MongoWriter({ collection: other.db("x").collection("y") });
      await other.close();
      await assert.rejects(writer.write(documents(1)), { name: "MongoNotConnectedError" });
    });
  });

  async function openProxy(timeoutMs = 5_000): Promise<{ proxy: FaultyProxy; viaProxy: MongoClient }> {
    const { hostname, port } = new URL(mongodb.uri());
    const proxy = new FaultyProxy({ host: hostname, port: Number(port) });
    await proxy.open();
    return { proxy, viaProxy: await connectMongo(proxy.uri, { timeoutMs }) };
  }

  describe("ensureIndexes", () => {
    it("creates what is missing, and may be repeated", async () => {
      const spec = [
        {
          collection: "indexed",
          indexes: [{ key: { order_id: 1 } }, { key: { customer_id: 1, created_at: -1 } }],
        },
        { collection: "plain", indexes: [] },
      ] as const;
      await ensureIndexes(db, spec);
      await ensureIndexes(db, spec);
      const names = (await db.collection("indexed").indexes()).map(({ name }) => name);
      assert.deepEqual(names.sort(), ["_id_", "customer_id_1_created_at_-1", "order_id_1"]);
    });

    it("says which indexes it cannot create", async () => {
      await db.collection("twice").insertMany([{ a: 1 }, { a: 1 }]);
      const spec = [{ collection: "twice", indexes: [{ key: { a: 1 }, unique: true }] }] as const;
      await assert.rejects(ensureIndexes(db, spec), (error) => {
        assert.ok(error instanceof MongoConfigurationError);
        assert.match(
          error.message,
          /cannot create the indexes of \w+\.twice at 127\.0\.0\.1:\d+: .*duplicate key/,
        );
        return true;
      });
    });
  });

  describe("connectMongo", () => {
    it("stops at once when credentials are refused", async () => {
      const uri = mongodb.uri().replace("//", "//user:secret@");
      await assert.rejects(connectMongo(uri), (error) => {
        assert.ok(error instanceof MongoConfigurationError, String(error));
        assert.match(error.message, /MongoDB at 127\.0\.0\.1:\d+ refuses the connection/);
        assert.doesNotMatch(error.message, /secret/);
        return true;
      });
    });
  });

  describe("the collections", () => {
    it("are as the oracle expects them when the documents of the events are written", async () => {
      const at = Date.UTC(2026, 0, 1);
      const order: Order = { order_id: "a", order_date: at, created_at: at, customer_id: "c", amount: 1 };
      const payment: Payment = {
        payment_id: "p",
        order_id: "a",
        payment_date: at,
        created_at: at,
        amount: 1,
      };
      const values = [encodeOrderAvro(order), encodeOrderAvro({ ...order, order_id: "b" }), Buffer.from("?")];
      const records = values.map(
        (value, offset): InputRecord => ({
          topic: "orders",
          partition: 1,
          offset,
          timestampMs: at,
          key: null,
          value,
        }),
      );
      records.push({ ...records[0]!, topic: "payments", value: encodePaymentJson(payment) });
      const expected = oracle(records, { timeoutMs: 1_000, outOfOrdernessMs: 0 });
      const own = client.db(uniqueName("oracle"));
      const write = (name: string, document: Document): Promise<unknown> =>
        new MongoWriter({ collection: own.collection(name) }).write([document]);

      await write("spark_streaming_stateful_writes", joinedDocument(order, payment));
      await write("unmatched", unmatchedDocument("order", { ...order, order_id: "b" }, "UNPAID", at + 1_000));
      assert.deepEqual((await compareWithMongo(own, expected)).length, 1, "the dead letter is missing yet");
      const letter = {
        reason: "UNDECODABLE",
        message: "neither Avro nor JSON",
        topic: "stream_order_producer",
        partition: 1,
        offset: 2,
        timestamp: at,
        key: null,
        value: Buffer.from("?"),
      } as const;
      await write("dead_letters", deadLetterDocument(letter));
      assert.deepEqual(await compareWithMongo(own, expected), []);
    });
  });
});

describe("connectMongo", function () {
  this.timeout(10_000);

  for (const [what, uri] of [
    ["no scheme", "127.0.0.1:27017"],
    ["another scheme", "http://user:secret@127.0.0.1:27017"],
    ["no host", "mongodb://"],
    ["a bad port", "mongodb://user:secret@127.0.0.1:port/"],
    ["an unescaped password", "mongodb://user:sec/ret@127.0.0.1:27017"],
    ["an unknown option", "mongodb://user:secret@127.0.0.1:27017/?retries=many"],
    ["nothing", ""],
  ] as const) {
    it(`refuses a URI with ${what} at once, and keeps its password`, async () => {
      await assert.rejects(connectMongo(uri), (error) => {
        assert.ok(error instanceof MongoConfigurationError, String(error));
        assert.match(error.message, /is not a MongoDB URI/);
        assert.doesNotMatch(error.message, /secret|sec\/ret|user/);
        return true;
      });
    });
  }

  it("names a host where nothing listens", async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    await assertUnavailable(
      `mongodb://user:secret@127.0.0.1:${port}/`,
      new RegExp(`127\\.0\\.0\\.1:${port} within`),
    );
  });

  it("names a host that does not exist", async () => {
    await assertUnavailable(
      "mongodb://no-such-host.invalid:27017",
      /no-such-host\.invalid:27017 within 0\.4 s/,
    );
    await assertUnavailable("mongodb+srv://no-such-host.invalid", /no-such-host\.invalid within/);
  });

  it("does not wait for a host that accepts and never answers", async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket));
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const { port } = silent.address() as AddressInfo;
    await assertUnavailable(`mongodb://127.0.0.1:${port}`, /no MongoDB answers/);
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => silent.close(resolve));
  });

  async function assertUnavailable(uri: string, message: RegExp): Promise<void> {
    const startedMs = performance.now();
    await assert.rejects(connectMongo(uri, { timeoutMs: 400 }), (error) => {
      assert.ok(error instanceof MongoUnavailableError, String(error));
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /secret/);
      return true;
    });
    assert.ok(performance.now() - startedMs < 2_000, "in time");
  }
});
