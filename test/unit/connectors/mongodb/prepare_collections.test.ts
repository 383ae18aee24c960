/** Collections of kinds that no server here has (views, time series, validators, access control): answers as MongoDB 7's. */
import assert from "node:assert/strict";
import { type Db, type Document, MongoServerError } from "mongodb";
import { MongoConfigurationError, MongoUnavailableError } from "../../../../connectors/mongodb/errors.js";
import {
  type CollectionPlan,
  prepareCollections,
} from "../../../../connectors/mongodb/prepare_collections.js";

interface Server {
  /** As listCollections has it. */
  readonly info?: Document;
  readonly indexes?: readonly Document[];
  readonly privileges?: readonly Document[];
  /** What a command answers instead. */
  readonly errors?: Readonly<Record<string, number>>;
}

const ID_INDEX = { name: "_id_", key: { _id: 1 } };
const PLAN: CollectionPlan = {
  collection: "c",
  setting: "SOME_SETTING",
  indexes: [{ key: { order_id: 1 } }],
};

class FakeDb {
  readonly created: Document[] = [];
  readonly databaseName = "db";
  readonly client = { options: { hosts: ["mongo.example:27017"] } };

  constructor(private readonly server: Server) {}

  #answer<T>(name: string, answer: T): Promise<T> {
    const code = this.server.errors?.[name];
    return code === undefined
      ? Promise.resolve(answer)
      : Promise.reject(new MongoServerError({ message: `${name} failed`, code }));
  }

  command(): Promise<Document> {
    const { privileges } = this.server;
    const authInfo = privileges && {
      authenticatedUsers: [{ user: "reader", db: "admin" }],
      authenticatedUserPrivileges: privileges,
    };
    return this.#answer("connectionStatus", { authInfo: authInfo ?? { authenticatedUsers: [] } });
  }

  listCollections() {
    return { next: () => this.#answer("listCollections", this.server.info ?? null) };
  }

  collection() {
    return {
      listIndexes: () => ({ toArray: () => this.#answer("listIndexes", this.server.indexes ?? [ID_INDEX]) }),
      createIndexes: async (indexes: Document[]) => {
        await this.#answer("createIndexes", undefined);
        this.created.push(...indexes);
      },
    };
  }
}

async function prepare(server: Server, plan: Partial<CollectionPlan> = {}): Promise<[string[], Document[]]> {
  const db = new FakeDb(server);
  const notes = await prepareCollections(db as unknown as Db, [{ ...PLAN, ...plan }]);
  return [notes, db.created];
}

describe("prepareCollections", () => {
  it("creates the indexes that are missing, and takes one by another name for the same", async () => {
    assert.deepEqual(await prepare({}), [[], [{ key: { order_id: 1 } }]]);
    assert.deepEqual(await prepare({ errors: { listIndexes: 26 } }), [[], [{ key: { order_id: 1 } }]]);
    const sparse = { name: "orders_by_id", key: { order_id: 1 }, sparse: true };
    assert.deepEqual(await prepare({ indexes: [ID_INDEX, sparse] }), [[], []]);
    const other = { name: "x", key: { order_id: -1 } };
    assert.deepEqual((await prepare({ indexes: [ID_INDEX, other] }))[1], [{ key: { order_id: 1 } }]);
  });

  it("refuses in one line what cannot hold the documents, and says what to do", async () => {
    const cases: readonly [Document, RegExp][] = [
      [{ type: "view" }, /is a view, which cannot be written to/],
      [{ type: "timeseries" }, /is a time-series collection/],
      [
        { type: "collection", options: { capped: true } },
        /is capped, so it throws its oldest documents away/,
      ],
      [{ type: "collection", options: { collation: { locale: "en", strength: 2 } } }, /has a collation/],
    ];
    for (const [info, why] of cases) {
      await assert.rejects(prepare({ info }), (error) => {
        assert.ok(error instanceof MongoConfigurationError, String(error));
        assert.match(error.message, why);
        assert.match(
          error.message,
          /^the collection db\.c at mongo\.example:27017 .*: name another collection in SOME_SETTING$/,
        );
        return true;
      });
    }
  });

  it("tells of a validator, unless it only warns", async () => {
    const validator = { $jsonSchema: {} };
    const [notes] = await prepare({ info: { type: "collection", options: { validator } } });
    assert.match(
      notes.join(),
      /has a validator; documents that it refuses become dead letters, SINK_REJECTED/,
    );
    const [last] = await prepare({ info: { options: { validator } } }, { takesAll: true });
    assert.match(last.join(), /a dead letter that it refuses ends the run/);
    for (const options of [
      { validator, validationAction: "warn" },
      { validator, validationLevel: "off" },
      {},
    ]) {
      assert.deepEqual(await prepare({ info: { options } }), [[], [{ key: { order_id: 1 } }]]);
    }
  });

  it("tells of the user's unique index, and refuses one over the dead letters", async () => {
    const unique = { name: "one_each", key: { order_id: 1 }, unique: true };
    const [notes, created] = await prepare({ indexes: [ID_INDEX, unique] });
    assert.match(notes.join(), /has the unique index one_each on \{"order_id":1\}; .*SINK_REJECTED/);
    assert.deepEqual(created, []);
    await assert.rejects(
      prepare({ indexes: [unique] }, { takesAll: true }),
      /can refuse a dead letter: drop it, or name/,
    );
    const own = { indexes: [{ key: { order_id: 1 }, unique: true }] };
    assert.deepEqual(await prepare({ indexes: [unique] }, own), [[], []]);
  });

  it("refuses a user who may only read, whether or not indexes are missing", async () => {
    const on = (resource: Document, ...actions: string[]) => ({ privileges: [{ resource, actions }] });
    for (const server of [
      on({ db: "db", collection: "" }, "find", "listCollections"),
      on({ db: "other", collection: "" }, "insert"),
      on({ db: "db", collection: "d" }, "insert"),
      on({ cluster: true }, "insert"),
    ]) {
      await assert.rejects(
        prepare(server),
        /the user "reader" may not write into the collection db\.c .*: grant the role readWrite on the database db$/,
      );
    }
    for (const server of [
      on({ db: "db", collection: "" }, "insert"),
      on({ db: "", collection: "c" }, "insert"),
      on({ anyResource: true }, "anyAction"),
      { errors: { connectionStatus: 59 } },
    ]) {
      assert.equal((await prepare(server))[1].length, 1);
    }
    await assert.rejects(prepare({ errors: { createIndexes: 13 } }), MongoConfigurationError);
  });

  it("does without what it may not ask, and calls an outage one", async () => {
    assert.equal((await prepare({ errors: { listCollections: 13, listIndexes: 13 } }))[1].length, 1);
    await assert.rejects(prepare({ errors: { listCollections: 91 } }), MongoUnavailableError);
  });
});
