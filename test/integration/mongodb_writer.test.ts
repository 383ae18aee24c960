/**
 * MongoWriter, connectMongo and prepareCollections on a real server, with outages made by a proxy in between: it can lose
 * an answer that the server has given, which killing the server cannot show reliably.
 */
import assert from "node:assert/strict";
import { type AddressInfo, connect as connectSocket, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { Collection, Db, MongoClient } from "mongodb";
import { connectMongo } from "../../connectors/mongodb/connect_mongo.js";
import { MongoConfigurationError, MongoUnavailableError } from "../../connectors/mongodb/errors.js";
import { prepareCollections } from "../../connectors/mongodb/prepare_collections.js";
import { MongoWriter } from "../../connectors/mongodb/writer.js";
import type { MongoWriterOptions } from "../../connectors/mongodb/writer_options.js";
import { type MongoHarness, testMongoWriter } from "../connector/mongo_writer_suite.js";
import { mongodbFixture, uniqueName } from "../fixtures/services.js";

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

/** A real server behind the proxy. */
class RealMongo implements MongoHarness {
  readonly server = "127\\.0\\.0\\.1:\\d+";

  private constructor(
    private readonly proxy: FaultyProxy,
    private readonly client: MongoClient,
  ) {}

  static async open(uri: string): Promise<RealMongo> {
    const { hostname, port } = new URL(uri);
    const proxy = new FaultyProxy({ host: hostname, port: Number(port) });
    await proxy.open();
    return new RealMongo(proxy, await connectMongo(proxy.uri));
  }

  newDatabase(): Db {
    return this.client.db(uniqueName("writer"));
  }

  async createUniqueIndex({ collectionName, dbName }: Collection, field: string): Promise<void> {
    const indexes = [{ key: { [field]: 1 }, unique: true }];
    await prepareCollections(this.client.db(dbName), [{ collection: collectionName, indexes }]);
  }

  writer(collection: Collection, options: Partial<MongoWriterOptions> = {}): MongoWriter {
    return new MongoWriter({ collection, ...options });
  }

  loseNextAnswer(): void {
    this.proxy.loseNextAnswer = true;
  }

  get wasAnswerLost(): boolean {
    return !this.proxy.loseNextAnswer;
  }

  setDown(isDown: boolean): Promise<void> {
    return isDown ? this.proxy.close() : this.proxy.open();
  }

  async closedCollection(): Promise<Collection> {
    const other = await connectMongo(this.proxy.uri);
    await other.close();
    return other.db("x").collection("y");
  }

  wait(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }

  async close(): Promise<void> {
    await this.client.close();
    await this.proxy.close();
  }
}

describe("MongoDB", function () {
  this.timeout(60_000);
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
    let real: RealMongo;

    before(async () => {
      real = await RealMongo.open(mongodb.uri());
    });

    after(() => real?.close());

    testMongoWriter(() => real);
  });

  describe("prepareCollections", () => {
    it("creates what is missing, and may be repeated", async () => {
      const spec = [
        {
          collection: "indexed",
          indexes: [{ key: { order_id: 1 } }, { key: { customer_id: 1, created_at: -1 } }],
        },
        { collection: "plain", indexes: [] },
      ] as const;
      await prepareCollections(db, spec);
      await prepareCollections(db, spec);
      const names = (await db.collection("indexed").indexes()).map(({ name }) => name);
      assert.deepEqual(names.sort(), ["_id_", "customer_id_1_created_at_-1", "order_id_1"]);
    });

    it("takes an index by another name for the same, and tells of a unique one", async () => {
      await db.collection("named").createIndex({ order_id: 1 }, { name: "orders_by_id" });
      await db.collection("single").createIndex({ order_id: 1 }, { unique: true, name: "one_each" });
      const plan = (collection: string) => ({ collection, indexes: [{ key: { order_id: 1 } }] });
      assert.deepEqual(await prepareCollections(db, [plan("named")]), []);
      assert.deepEqual(
        (await db.collection("named").indexes()).map(({ name }) => name),
        ["_id_", "orders_by_id"],
      );
      const [note, ...rest] = await prepareCollections(db, [plan("single")]);
      assert.match(
        note!,
        /single at .* has the unique index one_each on \{"order_id":1\}; documents that repeat its key/,
      );
      assert.deepEqual(rest, []);
    });

    it("says which indexes it cannot create", async () => {
      await db.collection("twice").insertMany([{ a: 1 }, { a: 1 }]);
      const spec = [{ collection: "twice", indexes: [{ key: { a: 1 }, unique: true }] }] as const;
      await assert.rejects(prepareCollections(db, spec), (error) => {
        assert.ok(error instanceof MongoConfigurationError);
        assert.match(
          error.message,
          /refuses to prepare the collection \w+\.twice at 127\.0\.0\.1:\d+: .*duplicate key/,
        );
        return true;
      });
    });
  });

  describe("connectMongo", () => {
    it("says so when the server speaks plain text and the URI asks for TLS", async () => {
      const uri = new URL(mongodb.uri());
      uri.searchParams.set("tls", "true");
      await assert.rejects(connectMongo(String(uri), { timeoutMs: 400 }), (error) => {
        assert.ok(error instanceof MongoConfigurationError, String(error));
        assert.match(
          error.message,
          /127\.0\.0\.1:\d+: the server speaks plain text, and the URI asks for TLS: remove/,
        );
        return true;
      });
    });

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

  it("says so when the server speaks TLS and the URI asks for plain text", async () => {
    // Without a certificate it ends each handshake with an alert, in TLS.
    const secure = createTlsServer({});
    await new Promise<void>((resolve) => secure.listen(0, "127.0.0.1", resolve));
    const { port } = secure.address() as AddressInfo;
    try {
      await assert.rejects(connectMongo(`mongodb://127.0.0.1:${port}`, { timeoutMs: 400 }), (error) => {
        assert.ok(error instanceof MongoConfigurationError, String(error));
        assert.match(error.message, /the server requires TLS, and the URI does not ask for it: add tls=true/);
        return true;
      });
    } finally {
      await new Promise((resolve) => secure.close(resolve));
    }
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
