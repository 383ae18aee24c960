import assert from "node:assert/strict";
import {
  MongoBulkWriteError,
  MongoClient,
  MongoInvalidArgumentError,
  MongoNetworkError,
  MongoNetworkTimeoutError,
  MongoNotConnectedError,
  MongoOperationTimeoutError,
  MongoParseError,
  MongoServerError,
} from "mongodb";
import {
  classifyMongoError,
  classifyWriteError,
  describeError,
  serverName,
} from "../../../../../beam/io/mongodb/errors.js";

function server(code: number): MongoServerError {
  return new MongoServerError({ message: `code ${code}`, code });
}

/** What a bulk insert makes of any failure. */
function wrapped(error: Error): MongoBulkWriteError {
  return new MongoBulkWriteError(error, {} as ConstructorParameters<typeof MongoBulkWriteError>[1]);
}

describe("classifyMongoError", () => {
  const cases: [string, unknown, string][] = [
    ["a lost connection", new MongoNetworkError("gone"), "transient"],
    ["a silent connection", new MongoNetworkTimeoutError("slow"), "transient"],
    ["an operation out of time", new MongoOperationTimeoutError("slow"), "transient"],
    ["a primary that stepped down", server(189), "transient"],
    ["not a primary", server(10107), "transient"],
    ["a write concern out of time", server(64), "transient"],
    ["an unknown server code", server(987654), "transient"],
    ["a socket error", Object.assign(new Error("refused"), { code: "ECONNREFUSED" }), "transient"],
    ["a wrong password", server(18), "configuration"],
    ["a missing privilege", server(13), "configuration"],
    ["an Atlas refusal", server(8000), "configuration"],
    ["a write concern that cannot be met", server(100), "configuration"],
    ["a bad URI", new MongoParseError("no"), "configuration"],
    ["a document too large", server(10334), "data"],
    ["a failed validation", server(121), "data"],
    ["a document the driver refuses", new MongoInvalidArgumentError("larger"), "data"],
    ["a range error of BSON", new RangeError("offset is out of bounds"), "data"],
    ["a closed client", new MongoNotConnectedError("connect first"), "programmer"],
    ["a bug", new TypeError("undefined is not a function"), "programmer"],
    ["no error at all", "text", "programmer"],
  ];
  for (const [what, error, failure] of cases) {
    it(`calls ${what} ${failure}`, () => {
      assert.equal(classifyMongoError(error), failure);
      if (error instanceof Error) assert.equal(classifyMongoError(wrapped(error)), failure, "wrapped");
    });
  }
});

describe("classifyWriteError", () => {
  it("takes what is not known to pass or to be a setting for bad data", () => {
    assert.equal(classifyWriteError(112), "transient");
    assert.equal(classifyWriteError(13), "configuration");
    assert.equal(classifyWriteError(121), "data");
    assert.equal(classifyWriteError(987654), "data");
    assert.equal(classifyWriteError(undefined), "data");
  });
});

describe("messages", () => {
  it("never hold credentials", () => {
    const { message } = new Error("cannot use mongodb://u:pass@h/x");
    assert.equal(describeError(new Error(message)), "cannot use mongodb://***@h/x");
  });

  it("are one line and never empty", () => {
    assert.equal(describeError(new Error("two\n  lines")), "two lines");
    assert.equal(describeError(new RangeError("")), "RangeError");
    assert.equal(describeError(wrapped(new MongoNetworkError("inner"))), "inner");
  });

  it("name all hosts of a client and no user", async () => {
    const client = new MongoClient("mongodb://user:secret@one:1,two:2/?replicaSet=r");
    assert.equal(serverName(client), "one:1,two:2");
    await client.close();
  });
});
