/** What becomes of documents that cannot be made or are refused: the sinks over a collection that says no. */
import assert from "node:assert/strict";
import { BSON, type Document, MongoBulkWriteError, type MongoClient } from "mongodb";
import { systemClock } from "../../../beam/platform/clock.js";
import { registerMongoClient } from "../../../connectors/mongodb/mongo_connections.js";
import type { DeadLetter } from "../../../transforms/dead_letter.js";
import { deadLetterId } from "../../../transforms/dead_letter_document.js";
import { WriteDeadLetters, WriteJoined } from "../../../transforms/write.js";

type Refuse = (document: Document) => { code: number; errmsg: string } | undefined;

class Collection {
  readonly documents: Document[] = [];
  readonly others = new Map<string, Document>();
  refuse: Refuse = () => undefined;
  readonly namespace = "db.c";
  readonly db = { client: { options: { hosts: ["h:1"] } } };

  find({ _id }: { _id: { $in: string[] } }) {
    return { toArray: async () => _id.$in.flatMap((id) => this.others.get(id) ?? []) };
  }

  async insertMany(sent: Document[]): Promise<void> {
    const faults = sent.flatMap((document, index) => {
      const isTaken = this.others.has(document._id);
      const taken = {
        code: 11000,
        errmsg: `E11000 duplicate key error collection: db.c index: _id_ dup key: {}`,
      };
      const fault = isTaken ? taken : this.refuse(document);
      if (fault === undefined) this.documents.push(BSON.deserialize(BSON.serialize(document)));
      return fault === undefined ? [] : [{ index, ...fault }];
    });
    if (faults.length === 0) return;
    throw new MongoBulkWriteError({ message: "no", code: 1, writeErrors: faults as never }, {
      getWriteErrors: () => faults,
      getWriteConcernError: () => undefined,
    } as never);
  }
}

const letter: DeadLetter = {
  reason: "UNDECODABLE",
  message: "neither Avro nor JSON",
  topic: "orders",
  partition: 2,
  offset: 41,
  log: "",
  timestamp: 1_700_000_000_000,
  key: Buffer.from("k"),
  value: Buffer.alloc(4_000, 7),
};

describe("the sinks", () => {
  let collection: Collection;
  const config = { connection: "write-test", database: "db", collection: "c" };

  beforeEach(() => {
    collection = new Collection();
    const client = { db: () => ({ collection: () => collection }), close: async () => undefined };
    registerMongoClient(config.connection, async () => client as unknown as MongoClient);
  });

  /** Returns the dead letters that came out. */
  async function write(sink: WriteJoined | WriteDeadLetters, ...elements: unknown[]): Promise<DeadLetter[]> {
    const out: DeadLetter[] = [];
    const emit = { deadLetters: (one: DeadLetter) => out.push(one) };
    const ctx = { emit, clock: systemClock } as never;
    await sink.setup();
    try {
      sink.startBundle();
      for (const element of elements) sink.process(element as never, ctx);
      await sink.finishBundle(ctx);
    } finally {
      await sink.teardown();
    }
    return out;
  }

  const order = { order_id: "o", order_date: 1, created_at: 2, customer_id: "c", amount: 3 };
  const payment = { payment_id: "p", order_id: "o", payment_date: 1, created_at: 2, amount: 3 };

  it("make a dead letter of an element of which no document can be made, and write the others", async () => {
    const broken = { order, payment: undefined };
    const sink = new WriteJoined(config);
    const out = await write(sink, broken, { order, payment });
    assert.equal(collection.documents.length, 1);
    assert.equal(out.length, 1);
    const [refused] = out;
    assert.ok(refused!.reason === "SINK_REJECTED");
    assert.match(refused!.message, /^no document can be made of it: TypeError: /);
    assert.match(String(refused!.document), /"order_id":"o"/);
    assert.equal(sink.metrics.refused.delta, 1);
    assert.deepEqual(await write(new WriteJoined(config), broken), out, "the same each time");
  });

  it("keep a document whose _id another's has, and count it", async () => {
    await write(new WriteJoined(config), { order, payment });
    const [own] = collection.documents.splice(0);
    collection.others.set(own!._id, { ...own, order_amount: 99 });
    const sink = new WriteJoined(config);
    const [refused] = await write(sink, { order, payment });
    assert.ok(refused?.reason === "SINK_REJECTED");
    assert.match(refused.message, /another document has this _id: order_amount is 99 there and 3 here/);
    assert.deepEqual([sink.metrics.id_taken.delta, sink.metrics.refused.delta], [1, 1]);
  });

  it("store a dead letter under one more _id where another record's has its own", async () => {
    const id = deadLetterId(letter);
    collection.others.set(id, { _id: id, topic: "orders", partition: 2, offset: 41, key: null, value: null });
    await write(new WriteDeadLetters(config), letter);
    const [stored] = collection.documents;
    assert.match(stored!._id, /^orders:2:41::[0-9a-f]{16}:[0-9a-f]{64}$/);
    assert.equal(stored!.value.length(), 4_000);
    collection.others.set(stored!._id, stored!);
    await write(new WriteDeadLetters(config), { ...letter, message: "said otherwise this time" });
    assert.equal(collection.documents.length, 1, "a replay meets itself");
  });

  it("reduce a dead letter that is refused, and end with its place when that is refused, too", async () => {
    collection.refuse = (document) =>
      BSON.calculateObjectSize(document) > 3_000 ? { code: 17280, errmsg: "too large here" } : undefined;
    await write(new WriteDeadLetters(config), letter);
    const [stored] = collection.documents;
    assert.equal(stored!._id, deadLetterId(letter));
    assert.equal(stored!.value.length(), 1024);
    assert.deepEqual(
      [stored!.value_length, stored!.value_truncated, stored!.reduced],
      [4_000, true, "too large here"],
    );
    collection.refuse = () => ({ code: 121, errmsg: "Document failed validation" });
    await assert.rejects(
      write(new WriteDeadLetters(config), letter),
      /the collection c refuses the dead letter of orders, partition 2, offset 41 \(code 121\): Document failed validation\. .*MONGODB_DEAD_LETTER_COLLECTION/,
    );
  });
});
