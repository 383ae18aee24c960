/**
 * What MongoWriter does with a server, for a real one behind a faulty network and for the simulation's: a fake that
 * passes fails as the real thing does.
 */
import assert from "node:assert/strict";
import type { Collection, Db, Document } from "mongodb";
import { MongoUnavailableError } from "../../connectors/mongodb/errors.js";
import type { MongoWriter } from "../../connectors/mongodb/writer.js";
import type { MongoWriterOptions } from "../../connectors/mongodb/writer_options.js";
import { encodeOrderAvro, encodePaymentJson } from "../../schemas/encode.js";
import type { Order, Payment } from "../../schemas/events.js";
import { deadLetterDocument } from "../../transforms/dead_letter_document.js";
import { joinedDocument, unmatchedDocument } from "../../transforms/documents.js";
import { compareWithMongo } from "../oracle/compare_with_mongo.js";
import { type InputRecord, oracle } from "../oracle/oracle.js";

/** A server, and a way to it that can fail. */
export interface MongoHarness {
  /** An empty database, reached the faulty way. */
  newDatabase(): Db;
  createUniqueIndex(collection: Collection, field: string): Promise<void>;
  /** A writer that goes by the harness's clock. */
  writer(collection: Collection, options?: Partial<MongoWriterOptions>): MongoWriter;
  /** The next insert is done and its answer lost. */
  loseNextAnswer(): void;
  readonly wasAnswerLost: boolean;
  setDown(isDown: boolean): Promise<void>;
  /** A collection of a client that was closed. */
  closedCollection(): Promise<Collection>;
  wait(ms: number): Promise<void>;
  /** The server as errors name it, as a pattern. */
  readonly server: string;
}

export function numberedDocuments(count: number): Document[] {
  return Array.from({ length: count }, (_, i) => ({ _id: `d${i}`, amount: i, at: new Date(i) }));
}

async function ids(collection: Collection): Promise<number> {
  return new Set((await collection.find().toArray()).map(({ _id }) => String(_id))).size;
}

/** @param harness opened before the tests */
export function testMongoWriter(harness: () => MongoHarness): void {
  let db: Db;

  before(() => {
    db = harness().newDatabase();
  });

  it("writes each document once, and again counts all as there", async () => {
    const collection = db.collection("once");
    const writer = harness().writer(collection);
    const all = numberedDocuments(5_000);
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
    const all = numberedDocuments(3_000);
    const results = await Promise.all(
      [0, 500, 1_000].map((start) =>
        harness()
          .writer(collection, { chunkDocumentsMax: 100 })
          .write(all.slice(start, start + 2_000)),
      ),
    );
    const counted = results.reduce((sum, { inserted }) => sum + inserted, 0);
    assert.equal(counted, 3_000);
    assert.equal(await ids(collection), 3_000);
  });

  it("refuses what breaks another unique index, and what the server cannot take", async () => {
    const collection = db.collection<Document>("refusals");
    await harness().createUniqueIndex(collection, "amount");
    const { inserted, rejected } = await harness()
      .writer(collection)
      .write([
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
    const collection = db.collection<Document>("lost");
    const writer = harness().writer(collection);
    await writer.write([{ _id: "warm" }]);
    harness().loseNextAnswer();
    const result = await writer.write(numberedDocuments(500));
    assert.ok(harness().wasAnswerLost, "an answer was lost");
    assert.deepEqual(result, { inserted: 0, alreadyThere: 500, rejected: [], retries: 1 });
    assert.equal(await ids(collection), 501);
  });

  it("writes through an outage that ends", async () => {
    const collection = db.collection("outage");
    const writer = harness().writer(collection, {
      chunkDocumentsMax: 50,
      backoffMinMs: 20,
      backoffMaxMs: 100,
    });
    const writing = writer.write(numberedDocuments(20_000));
    await harness().wait(30);
    await harness().setDown(true);
    await harness().wait(300);
    await harness().setDown(false);
    const { inserted, alreadyThere, rejected, retries } = await writing;
    assert.equal(inserted + alreadyThere, 20_000);
    assert.equal(rejected.length, 0);
    assert.ok(retries > 0);
    assert.equal(await ids(collection), 20_000);
  });

  it("gives up an outage that lasts, naming the server", async () => {
    const collection = db.collection("given_up");
    const writer = harness().writer(collection, { retryTimeMaxMs: 300, attemptTimeoutMs: 500 });
    await harness().setDown(true);
    try {
      await assert.rejects(writer.write(numberedDocuments(1)), (error) => {
        assert.ok(error instanceof MongoUnavailableError, String(error));
        const pattern = `${harness().server} did not accept 1 documents for ${collection.namespace} within 0\\.3 s`;
        assert.match(error.message, new RegExp(pattern));
        return true;
      });
    } finally {
      await harness().setDown(false);
    }
  });

  it("says so when the client was closed", async () => {
    const writer = harness().writer(await harness().closedCollection());
    await assert.rejects(writer.write(numberedDocuments(1)), { name: "MongoNotConnectedError" });
  });

  it("leaves the collections as the oracle expects them", async () => {
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
    const own = harness().newDatabase();
    const write = (name: string, document: Document): Promise<unknown> =>
      harness().writer(own.collection(name)).write([document]);

    await write("spark_streaming_stateful_writes", joinedDocument(order, payment));
    await write("unmatched", unmatchedDocument("order", { ...order, order_id: "b" }, "UNPAID", at + 1_000));
    assert.deepEqual((await compareWithMongo(own, expected)).length, 1, "the dead letter is missing yet");
    const letter = {
      reason: "UNDECODABLE",
      message: "neither Avro nor JSON",
      topic: "stream_order_producer",
      partition: 1,
      offset: 2,
      log: "aTopicsId",
      timestamp: at,
      key: null,
      value: Buffer.from("?"),
    } as const;
    await write("dead_letters", deadLetterDocument(letter));
    assert.deepEqual(await compareWithMongo(own, expected), []);
  });
}
