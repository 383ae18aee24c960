import { AssertionError } from "node:assert";
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import * as driver from "mongodb";
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
} from "../../../../connectors/mongodb/errors.js";
import { errorClasses } from "../../../fixtures/error_classes.js";

function server(code: number): MongoServerError {
  return new MongoServerError({ message: `code ${code}`, code });
}

/** What a bulk insert makes of any failure. */
function wrapped(error: Error): MongoBulkWriteError {
  return new MongoBulkWriteError(error, {} as ConstructorParameters<typeof MongoBulkWriteError>[1]);
}

function labelled(code: number, label: string): MongoServerError {
  return new MongoServerError({ message: `code ${code}`, code, errorLabels: [label] });
}

// Of the driver's own, which it does not export.
const { PoolClearedError, PoolClearedOnNetworkError, PoolClosedError, WaitQueueTimeoutError } = createRequire(
  import.meta.url,
)("mongodb/lib/cmap/errors");
const POOL = { address: "h:1", serverError: new MongoNetworkError("gone") };

/** Every class that the driver exports: one that is new has to be decided upon here. */
const DECIDED: Readonly<Record<string, string>> = {
  MongoAPIError: "programmer",
  MongoAWSError: "transient",
  MongoAzureError: "transient",
  MongoBatchReExecutionError: "programmer",
  MongoBulkWriteError: "transient",
  MongoChangeStreamError: "transient",
  MongoClientBulkWriteCursorError: "transient",
  MongoClientBulkWriteError: "transient",
  MongoClientBulkWriteExecutionError: "transient",
  MongoClientClosedError: "programmer",
  MongoCompatibilityError: "configuration",
  MongoCryptAzureKMSRequestError: "transient",
  MongoCryptCreateDataKeyError: "transient",
  MongoCryptCreateEncryptedCollectionError: "transient",
  MongoCryptError: "transient",
  MongoCryptInvalidArgumentError: "configuration",
  MongoCryptKMSRequestNetworkTimeoutError: "transient",
  MongoCursorExhaustedError: "programmer",
  MongoCursorInUseError: "programmer",
  MongoDecompressionError: "transient",
  MongoDriverError: "transient",
  MongoError: "transient",
  MongoExpiredSessionError: "programmer",
  MongoGCPError: "transient",
  MongoGridFSChunkError: "transient",
  MongoGridFSStreamError: "transient",
  MongoInvalidArgumentError: "data",
  MongoKerberosError: "transient",
  MongoMissingCredentialsError: "configuration",
  MongoMissingDependencyError: "configuration",
  MongoNetworkError: "transient",
  MongoNetworkTimeoutError: "transient",
  MongoNotConnectedError: "programmer",
  MongoOIDCError: "transient",
  MongoOperationTimeoutError: "transient",
  MongoParseError: "configuration",
  MongoRuntimeError: "transient",
  MongoServerClosedError: "transient",
  MongoServerError: "transient",
  MongoServerSelectionError: "transient",
  MongoStalePrimaryError: "transient",
  MongoSystemError: "transient",
  MongoTailableCursorError: "programmer",
  MongoTopologyClosedError: "programmer",
  MongoTransactionError: "programmer",
  MongoUnexpectedServerResponseError: "transient",
  MongoWriteConcernError: "transient",
  BSONError: "data",
  BSONOffsetError: "data",
  BSONRuntimeError: "data",
  BSONVersionError: "data",
};

describe("classifyMongoError", () => {
  it("knows every class of error that the driver exports", () => {
    const classes = { ...errorClasses(driver), ...errorClasses(driver.BSON) };
    assert.deepEqual(Object.keys(classes).sort(), Object.keys(DECIDED).sort());
    for (const [name, DriverError] of Object.entries(classes)) {
      // Constructors ask for much that does not matter here.
      const error: Error = Object.create(DriverError.prototype, { message: { value: "m" } });
      Object.defineProperty(error, "errorLabelSet", { value: new Set() });
      assert.equal(classifyMongoError(error), DECIDED[name], name);
    }
  });

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
    ["a pool that its monitor cleared", new PoolClearedOnNetworkError(POOL), "transient"],
    ["a pool that was cleared", new PoolClearedError(POOL), "transient"],
    ["a pool of a server that left", new PoolClosedError(POOL), "transient"],
    ["a queue for connections that is too long", new WaitQueueTimeoutError("no", "h:1"), "transient"],
    ["a socket error nobody listed", Object.assign(new Error("?"), { code: "EWHATEVER" }), "transient"],
    ["an error nobody knows", new Error("unheard of"), "transient"],
    ["an abort, whose code is not the server's", new DOMException("aborted", "AbortError"), "transient"],
    ["a label that asks for another attempt", labelled(20, "RetryableWriteError"), "transient"],
    ["an overloaded server", labelled(13, "SystemOverloadedError"), "transient"],
    ["an assertion", new AssertionError({ message: "no" }), "programmer"],
    ["a bug", new TypeError("undefined is not a function"), "programmer"],
    ["no error at all", "text", "programmer"],
  ];
  for (const [what, error, failure] of cases) {
    it(`calls ${what} ${failure}`, () => {
      assert.equal(classifyMongoError(error), failure);
      if (error instanceof Error && !(error instanceof DOMException))
        assert.equal(classifyMongoError(wrapped(error)), failure, "wrapped");
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
