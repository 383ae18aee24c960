import assert from "node:assert/strict";
import {
  BSON,
  type Collection,
  type Document,
  MongoBulkWriteError,
  MongoNetworkError,
  MongoNotConnectedError,
  MongoServerError,
  type WriteError,
} from "mongodb";
import { MongoConfigurationError, MongoUnavailableError } from "../../../../connectors/mongodb/errors.js";
import { MongoWriter } from "../../../../connectors/mongodb/writer.js";
import type { MongoWriterOptions, WriteResult } from "../../../../connectors/mongodb/writer_options.js";

/** Answers one insert: nothing for success, or an error to throw. */
type Answer = (documents: readonly Document[]) => Error | undefined | Promise<Error | undefined>;

const ID_TAKEN = 'E11000 duplicate key error collection: db.c index: _id_ dup key: { _id: "x" }';

/** A collection that plays a script, then succeeds; with a clock that only sleeping moves. */
class Script {
  readonly batches: string[][] = [];
  readonly delays: number[] = [];
  readonly log: string[] = [];
  /** What a look-up finds: documents, or the `_id`s of ours. */
  readonly stored: (string | Document)[] = [];
  readonly lookedUp: string[][] = [];
  readonly lookupErrors: Error[] = [];
  timeMs = 0;
  inFlight = 0;
  inFlightMax = 0;

  constructor(private readonly answers: Answer[] = []) {}

  writer(options: Partial<MongoWriterOptions> = {}): MongoWriter {
    const collection = {
      namespace: "db.c",
      db: { client: { options: { hosts: ["mongo.example:27017"] } } },
      insertMany: (documents: Document[]) => this.insertMany(documents),
      find: ({ _id }: { _id: { $in: string[] } }) => {
        this.lookedUp.push(_id.$in);
        return { toArray: () => this.lookUp() };
      },
    };
    return new MongoWriter({
      collection: collection as unknown as Collection,
      sleep: async (ms) => {
        this.delays.push(ms);
        this.timeMs += ms;
      },
      now: () => this.timeMs,
      random: () => 0.5,
      logger: {
        info: (message) => this.log.push(message),
        warn: (message) => this.log.push(message),
      },
      ...options,
    });
  }

  private async lookUp(): Promise<Document[]> {
    const error = this.lookupErrors.shift();
    if (error !== undefined) throw error;
    return this.stored.map((stored) => (typeof stored === "string" ? { _id: stored, amount: 1 } : stored));
  }

  private async insertMany(documents: Document[]): Promise<{ insertedCount: number }> {
    this.batches.push(documents.map(({ _id }) => String(_id)));
    this.inFlightMax = Math.max(this.inFlightMax, ++this.inFlight);
    await new Promise((resolve) => setImmediate(resolve));
    this.inFlight--;
    const error = await this.answers.shift()?.(documents);
    if (error !== undefined) throw error;
    return { insertedCount: documents.length };
  }
}

interface Fault {
  index: number;
  code: number;
  errmsg?: string;
}

/** As the driver reports faults of documents, and of the write concern. */
function faults(documents: readonly Document[], list: readonly Fault[], concern?: number): Error {
  const result = {
    insertedCount: documents.length, // as mongo-java-server counts
    getWriteErrors: () => list,
    getWriteConcernError: () => (concern === undefined ? undefined : { code: concern, errmsg: "concern" }),
  };
  return new MongoBulkWriteError(
    {
      message: list[0]?.errmsg ?? "concern",
      code: list[0]?.code ?? concern ?? 0,
      writeErrors: concern === undefined ? ([...list] as unknown as WriteError[]) : [],
    },
    result as unknown as ConstructorParameters<typeof MongoBulkWriteError>[1],
  );
}

/** As the driver reports a failure of the whole insert. */
function broken(error: Error): Error {
  return new MongoBulkWriteError(error, {
    insertedCount: 0,
    getWriteErrors: () => [],
    getWriteConcernError: () => undefined,
  } as unknown as ConstructorParameters<typeof MongoBulkWriteError>[1]);
}

const lost = (): Error => broken(new MongoNetworkError("connection lost"));

function documents(...ids: string[]): Document[] {
  return ids.map((_id) => ({ _id, amount: 1 }));
}

function summary({ inserted, alreadyThere, rejected, retries }: WriteResult): string {
  return `${inserted} inserted, ${alreadyThere} already there, ${rejected.length} rejected, ${retries} retries`;
}

describe("MongoWriter", () => {
  it("does nothing for no documents", async () => {
    const script = new Script();
    assert.equal(
      summary(await script.writer().write([])),
      "0 inserted, 0 already there, 0 rejected, 0 retries",
    );
    assert.equal(script.batches.length, 0);
  });

  it("cuts by count, and keeps to the bound in flight", async () => {
    const script = new Script();
    const writer = script.writer({ chunkDocumentsMax: 2, chunksInFlightMax: 2 });
    const result = await writer.write(documents("a", "b", "c", "d", "e", "f", "g"));
    assert.equal(result.inserted, 7);
    assert.deepEqual(script.batches, [["a", "b"], ["c", "d"], ["e", "f"], ["g"]]);
    assert.equal(script.inFlightMax, 2);
  });

  it("cuts by bytes", async () => {
    const script = new Script();
    const large = ["a", "b", "c"].map((_id) => ({ _id, value: Buffer.alloc(400) }));
    await script.writer({ chunkBytesMax: 1_000 }).write(large);
    assert.deepEqual(script.batches, [["a", "b"], ["c"]]);
  });

  it("takes a duplicate of _id for success and of another unique index for a refusal", async () => {
    const script = new Script([
      (sent) =>
        faults(sent, [
          { index: 0, code: 11000, errmsg: ID_TAKEN },
          {
            index: 1,
            code: 11000,
            errmsg: 'E11000 duplicate key error collection: db.c index: u_1 dup key: { u: " index: _id_ " }',
          },
          {
            index: 2,
            code: 11000,
            errmsg: "E11000 duplicate key error collection: db.c index: db.c.$_id_ dup key: { : 1 }",
          },
        ]),
    ]);
    const result = await script.writer().write(documents("a", "b", "c", "d"));
    assert.equal(summary(result), "1 inserted, 2 already there, 1 rejected, 0 retries");
    assert.equal(result.rejected[0]?.index, 1);
    assert.equal(result.rejected[0]?.code, 11000);
  });

  it("asks the collection when the server does not name the index of a duplicate", async () => {
    const errmsg = "E11000 duplicate key error collection: db.c. Failed _id or unique index constraint.";
    const all: Answer = (sent) =>
      faults(
        sent,
        sent.map((_, index) => ({ index, code: 11000, errmsg })),
      );
    const script = new Script([all]);
    script.stored.push("b");
    const result = await script.writer().write(documents("a", "b"));
    assert.equal(summary(result), "0 inserted, 1 already there, 1 rejected, 0 retries");
    assert.equal(result.rejected[0]?.index, 0);

    const failing = new Script([all]);
    failing.lookupErrors.push(new MongoNetworkError("connection lost"));
    assert.equal(
      summary(await failing.writer().write(documents("a", "b"))),
      "2 inserted, 0 already there, 0 rejected, 1 retries",
    );
  });

  it("finds another's document under an _id of ours, tells it once, and takes it not for ours", async () => {
    const told: string[] = [];
    const health = {
      report: (component: string, problem: string) => told.push(`${component}: ${problem}`),
      clear() {},
    };
    const all: Answer = (sent) =>
      faults(
        sent,
        sent.map((_, index) => ({ index, code: 11000, errmsg: ID_TAKEN })),
      );
    const script = new Script([all]);
    script.stored.push("a", { _id: "b", amount: 2 }, { _id: "c", amount: 1, note: "added" }, { _id: "d" });
    const result = await script.writer({ health }).write(documents("a", "b", "c", "d"));
    assert.equal(summary(result), "0 inserted, 2 already there, 2 rejected, 0 retries");
    assert.deepEqual(result.rejected, [
      {
        index: 1,
        code: 11000,
        message: "another document has this _id: amount is 2 there and 1 here",
        idIsTaken: true,
      },
      {
        index: 3,
        code: 11000,
        message: "another document has this _id: amount is missing there and 1 here",
        idIsTaken: true,
      },
    ]);
    assert.deepEqual(told, [
      'Documents in db.c: another writer\'s document is there under an _id of ours, "b": amount is 2 there and 1 here',
    ]);
    const byId = new Script([all]);
    byId.stored.push({ _id: "a", amount: 2 });
    const compared = await byId.writer({ comparedFields: ["_id"] }).write(documents("a"));
    assert.equal(compared.alreadyThere, 1);
  });

  it("compares a bounded number, and does without where it may not read", async () => {
    const all: Answer = (sent) =>
      faults(
        sent,
        sent.map((_, index) => ({ index, code: 11000, errmsg: ID_TAKEN })),
      );
    const script = new Script([all, all, all]);
    const writer = script.writer({ comparedMax: 2 });
    await writer.write(documents("a", "b", "c", "d", "e", "f"));
    assert.deepEqual(script.lookedUp, [["a", "d"]]);
    script.lookupErrors.push(new MongoServerError({ message: "not allowed to find", code: 13 }));
    assert.equal((await writer.write(documents("a"))).alreadyThere, 1);
    script.lookupErrors.push(new MongoNetworkError("connection lost"));
    assert.equal(
      summary(await writer.write(documents("a"))),
      "1 inserted, 0 already there, 0 rejected, 1 retries",
      "written again",
    );
  });

  it("rejects documents of which BSON can make no bytes, and stops for a bug of another kind", async () => {
    const bug = new TypeError("x is not a function");
    const spoilt = { _id: "b", "zero\0byte": 1 };
    const script = new Script([() => bug]);
    const [a, c] = documents("a", "c");
    const result = await script.writer().write([a!, spoilt, c!]);
    assert.equal(summary(result), "2 inserted, 0 already there, 1 rejected, 0 retries");
    assert.deepEqual(
      result.rejected.map(({ index, code, message }) => [
        index,
        code,
        /^BSONError: .*null bytes/.test(message),
      ]),
      [[1, undefined, true]],
    );
    await assert.rejects(new Script([() => bug]).writer().write([a!]), bug);
    const unreadable = new Script([() => new BSON.BSONError("bad answer")]);
    assert.equal((await unreadable.writer().write([a!])).retries, 1);
  });

  it("rejects a refused document with index, code and message, and does not send it again", async () => {
    const script = new Script([
      (sent) =>
        faults(sent, [
          { index: 1, code: 121, errmsg: "Document failed validation" },
          { index: 2, code: 112, errmsg: "WriteConflict" },
        ]),
    ]);
    const result = await script.writer().write(documents("a", "b", "c"));
    assert.equal(summary(result), "2 inserted, 0 already there, 1 rejected, 1 retries");
    assert.deepEqual(result.rejected, [{ index: 1, code: 121, message: "Document failed validation" }]);
    assert.deepEqual(script.batches, [["a", "b", "c"], ["c"]]);
  });

  it("gives indexes of the whole array, in order, whatever chunk they were in", async () => {
    const refuseFirst: Answer = (sent) => faults(sent, [{ index: 0, code: 2, errmsg: "bad" }]);
    const script = new Script([refuseFirst, refuseFirst, refuseFirst]);
    const result = await script.writer({ chunkDocumentsMax: 2 }).write(documents("a", "b", "c", "d", "e"));
    assert.deepEqual(
      result.rejected.map(({ index }) => index),
      [0, 2, 4],
    );
  });

  it("writes everything again after a lost connection, where repeats count as there", async () => {
    const script = new Script([lost, (sent) => faults(sent, [{ index: 0, code: 11000, errmsg: ID_TAKEN }])]);
    const result = await script.writer().write(documents("a", "b"));
    assert.equal(summary(result), "1 inserted, 1 already there, 0 rejected, 1 retries");
    assert.deepEqual(script.log, [
      "MongoDB did not accept documents; trying again",
      "MongoDB accepts documents again",
    ]);
  });

  it("writes everything again when one of the driver's batches was reported and another lost", async () => {
    const script = new Script([
      () =>
        Object.assign(lost(), {
          result: {
            insertedCount: 0,
            getWriteErrors: () => [{ index: 0, code: 11000, errmsg: ID_TAKEN }],
            getWriteConcernError: () => undefined,
          },
        }),
    ]);
    const result = await script.writer().write(documents("a", "b"));
    assert.equal(summary(result), "2 inserted, 0 already there, 0 rejected, 1 retries");
  });

  it("believes no write before the write concern is met", async () => {
    const script = new Script([
      (sent) => faults(sent, [{ index: 1, code: 121, errmsg: "invalid" }], 64),
      (sent) =>
        faults(
          sent,
          sent.map((_, index) => ({ index, code: 11000, errmsg: ID_TAKEN })),
          64,
        ),
      (sent) =>
        faults(
          sent,
          sent.map((_, index) => ({ index, code: 11000, errmsg: ID_TAKEN })),
        ),
    ]);
    const result = await script.writer().write(documents("a", "b", "c"));
    assert.equal(summary(result), "0 inserted, 2 already there, 1 rejected, 2 retries");
    assert.deepEqual(script.batches.slice(1), [
      ["a", "c"],
      ["a", "c"],
    ]);
  });

  it("backs off exponentially with full jitter, up to the bound in time, then names the server", async () => {
    const script = new Script(Array.from({ length: 50 }, () => lost));
    const writer = script.writer({ backoffMinMs: 100, backoffMaxMs: 1_000, retryTimeMaxMs: 3_000 });
    await assert.rejects(writer.write(documents("a", "b")), (error) => {
      assert.ok(error instanceof MongoUnavailableError);
      assert.match(
        error.message,
        /mongo\.example:27017 did not accept 2 documents for db\.c within 3 s: connection lost/,
      );
      assert.ok(error.cause instanceof MongoNetworkError);
      return true;
    });
    assert.deepEqual(script.delays.slice(0, 5), [50, 100, 200, 400, 500]);
    assert.equal(script.timeMs, 3_000);
  });

  it("tells of an outage that lasts, and of its end, but not of a moment's", async () => {
    const told: string[] = [];
    const health = {
      report: (component: string, problem: string) => told.push(`${component}: ${problem}`),
      clear: (component: string) => told.push(`${component}: well`),
    };
    await new Script([lost]).writer({ health }).write(documents("a"));
    assert.deepEqual(told, []);
    const script = new Script(Array.from({ length: 8 }, () => lost));
    await script.writer({ health }).write(documents("a"));
    assert.ok(script.timeMs > 2_000);
    assert.deepEqual(
      [...new Set(told)],
      ["MongoDB db.c: mongo.example:27017 accepts no documents: connection lost", "MongoDB db.c: well"],
    );
  });

  it("counts the bound from the first failure of an outage and ends when sleeping is refused", async () => {
    const stop = new Error("stopping");
    const script = new Script([lost]);
    const writer = script.writer({ sleep: () => Promise.reject(stop) });
    await assert.rejects(writer.write(documents("a")), stop);
  });

  it("stops at once on a wrong setting", async () => {
    for (const error of [
      broken(new MongoServerError({ message: "not authorized on db", code: 13 })),
      faults([{}], [{ index: 0, code: 13, errmsg: "not authorized on db" }]),
    ]) {
      const script = new Script([() => error]);
      await assert.rejects(script.writer().write(documents("a")), (thrown) => {
        assert.ok(thrown instanceof MongoConfigurationError);
        assert.match(thrown.message, /mongo\.example:27017 refuses writes to db\.c: not authorized/);
        return true;
      });
      assert.equal(script.delays.length, 0);
    }
    const concern = new Script([(sent) => faults(sent, [], 100)]);
    await assert.rejects(concern.writer().write(documents("a")), MongoConfigurationError);
  });

  it("begins no new chunk after one has failed for good, and waits for those under way", async () => {
    const script = new Script([() => broken(new MongoServerError({ message: "no", code: 13 }))]);
    const writer = script.writer({ chunkDocumentsMax: 1, chunksInFlightMax: 2 });
    await assert.rejects(writer.write(documents("a", "b", "c", "d", "e")), MongoConfigurationError);
    assert.ok(script.batches.length < 5, `${script.batches.length} inserts`);
    assert.equal(script.inFlight, 0);
  });

  it("passes a bug of the caller on as it is", async () => {
    const closed = new MongoNotConnectedError("Client must be connected");
    await assert.rejects(new Script([() => closed]).writer().write(documents("a")), closed);
    await assert.rejects(new Script().writer().write([{ amount: 1 }]), /document 0 for db\.c has no _id/);
  });

  it("finds the one document that spoils an insert, and writes the others", async () => {
    const poisoned: Answer = (sent) =>
      sent.some(({ _id }) => _id === "c") ? new RangeError("offset is out of bounds") : undefined;
    const script = new Script(Array.from({ length: 20 }, () => poisoned));
    const result = await script.writer().write(documents("a", "b", "c", "d", "e"));
    assert.equal(summary(result), "4 inserted, 0 already there, 1 rejected, 0 retries");
    assert.deepEqual(result.rejected, [{ index: 2, code: undefined, message: "offset is out of bounds" }]);
  });

  it("refuses a document of 16 MiB without sending it", async () => {
    const script = new Script();
    const flat = { _id: "flat", value: Buffer.alloc(16 * 1024 * 1024) };
    const nested = { _id: "nested", inner: { value: "x".repeat(16 * 1024 * 1024) } };
    const justFits = { _id: "fits", value: "é".repeat(8 * 1024 * 1024 - 100) };
    const result = await script.writer().write([flat, { _id: "a" }, nested, justFits]);
    assert.deepEqual(
      result.rejected.map(({ index, code }) => [index, code]),
      [
        [0, 10334],
        [2, 10334],
      ],
    );
    assert.deepEqual(script.batches.flat(), ["a", "fits"]);
  });

  it("refuses a document that cannot be measured", async () => {
    const circular: Document = { _id: "loop" };
    circular.self = circular;
    const result = await new Script().writer().write([circular]);
    assert.equal(result.rejected[0]?.index, 0);
    assert.equal(result.rejected[0]?.code, undefined);
  });
});
