import assert from "node:assert/strict";
import { BSON } from "mongodb";
import type { Order } from "../../../schemas/events.js";
import {
  deadLetterDocument,
  type RecordDeadLetter,
  type SinkDeadLetter,
  type StoredDocument,
} from "../../../transforms/dead_letter.js";

const DOCUMENT_BYTES_MAX = 16 * 1024 * 1024;
const MIB = 1024 * 1024;

const letter: RecordDeadLetter = {
  reason: "INVALID",
  message: "amount is missing",
  field: "amount",
  topic: "stream_order_producer",
  partition: 2,
  offset: 41,
  log: "aTopicsId",
  timestamp: 1_700_000_000_000,
  key: Buffer.from("o-1"),
  value: Buffer.from([0xc3, 0x01, 0xff]),
};

const first: Order = { order_id: "o-1", order_date: 1, created_at: 2, customer_id: "c", amount: 3 };

const rejected: SinkDeadLetter = {
  reason: "SINK_REJECTED",
  message: "Document failed validation",
  collection: "joined",
  code: 121,
  document: { _id: "o-1:p-1", order_id: "o-1", created_at: new Date(5), amount: 3 },
};

describe("deadLetterDocument of a record", () => {
  it("holds the record as received", () => {
    assert.deepEqual(deadLetterDocument(letter), {
      _id: "stream_order_producer:2:41:aTopicsId:3129bbcda42c9114",
      reason: "INVALID",
      message: "amount is missing",
      field: "amount",
      topic: "stream_order_producer",
      partition: 2,
      offset: 41n,
      timestamp: new Date(1_700_000_000_000),
      key: Buffer.from("o-1"),
      value: Buffer.from([0xc3, 0x01, 0xff]),
    });
  });

  it("stores bytes as Binary, the offset as int64, dates as Date", () => {
    const stored = BSON.deserialize(BSON.serialize(deadLetterDocument(letter)), { promoteValues: false });
    assert.deepEqual([...(stored.value as BSON.Binary).value()], [0xc3, 0x01, 0xff]);
    assert.equal(stored.offset._bsontype, "Long");
    assert.ok(stored.timestamp instanceof Date);
  });

  it("has no field unless one is at fault, and null for a missing key or value", () => {
    const { field, ...withoutField } = letter;
    const document = deadLetterDocument({ ...withoutField, reason: "NULL_VALUE", key: null, value: null });
    assert.equal("field" in document, false);
    assert.equal(document.key, null);
    assert.equal(document.value, null);
  });

  it("says null for a record without a timestamp, and keeps one that no Date can hold", () => {
    assert.equal(deadLetterDocument({ ...letter, timestamp: -1 }).timestamp, null);
    assert.equal(deadLetterDocument({ ...letter, timestamp: 2 ** 60 }).timestamp, 2n ** 60n);
  });

  it("keeps both versions of a conflict", () => {
    const event: Order = { ...first, amount: 4 };
    const document = deadLetterDocument({
      ...letter,
      reason: "CONFLICT",
      conflict: { kind: "order", first, event },
    });
    assert.equal(document.kind, "order");
    const stored = { order_id: "o-1", order_date: new Date(1), created_at: new Date(2), customer_id: "c" };
    assert.deepEqual(document.first, { ...stored, amount: 3 });
    assert.deepEqual(document.event, { ...stored, amount: 4 });
  });

  it("does not confuse topics that end like a partition", () => {
    const ids = [
      { ...letter, topic: "a:1", partition: 2, offset: 3 },
      { ...letter, topic: "a", partition: 12, offset: 3 },
      { ...letter, topic: "a", partition: 1, offset: 23 },
    ].map((other) => deadLetterDocument(other)._id);
    assert.equal(new Set(ids).size, 3);
  });

  it("has another _id in another log, and for other content at the same place, and the same one each time", () => {
    const id = (other: Partial<RecordDeadLetter>) => deadLetterDocument({ ...letter, ...other })._id;
    const others = [
      {},
      { log: "" },
      { log: "made again" },
      { timestamp: letter.timestamp + 1 },
      { key: null },
      { key: Buffer.alloc(0) },
      { key: Buffer.from("o-1\xc3"), value: Buffer.from([0x01, 0xff]) },
      { value: null },
      { value: Buffer.from([0xc3, 0x01, 0xfe]) },
    ];
    assert.equal(new Set(others.map(id)).size, others.length);
    const again = {
      key: Buffer.from("o-1"),
      value: Buffer.from([0xc3, 0x01, 0xff]),
      message: "in other words",
    };
    assert.equal(id(again), id({}));
  });

  it("stores a large value whole while it fits", () => {
    const document = deadLetterDocument({ ...letter, value: Buffer.alloc(14 * MIB, 7) });
    assert.equal((document.value as Buffer).length, 14 * MIB);
    assert.equal("value_truncated" in document, false);
    assertStorable(document);
  });

  it("keeps the first MiB of a value that does not fit, and says so", () => {
    const value = Buffer.alloc(17 * MIB, 7);
    const document = deadLetterDocument({ ...letter, value });
    assert.deepEqual(document.value, value.subarray(0, MIB));
    assert.equal(document.value_length, 17 * MIB);
    assert.equal(document.value_truncated, true);
    assert.equal("key_truncated" in document, false);
    assertStorable(document);
  });

  it("is storable when every part is too large", () => {
    const huge: Order = { ...first, order_id: "é".repeat(9 * MIB), customer_id: "😀".repeat(5 * MIB) };
    const document = deadLetterDocument({
      ...letter,
      reason: "CONFLICT",
      message: `${"x".repeat(256 * 1024 - 1)}😀`,
      key: Buffer.alloc(9 * MIB),
      value: Buffer.alloc(20 * MIB),
      conflict: { kind: "order", first: huge, event: { ...huge, amount: 4 } },
    });
    assertStorable(document);
    const stored = document.first as Record<string, unknown>;
    assert.equal(stored.order_id_truncated, true);
    assert.equal(stored.order_id_length, 9 * MIB);
    assert.equal(document.key_length, 9 * MIB);
    assert.equal((document.message as string).length, 256 * 1024 - 1, "a surrogate pair is not cut in two");
  });
});

describe("deadLetterDocument of a document that its collection refused", () => {
  it("holds the document itself when only that collection's rules refused it", () => {
    assert.deepEqual(deadLetterDocument(rejected), {
      _id: "joined:o-1:p-1:6:sink",
      reason: "SINK_REJECTED",
      message: "Document failed validation",
      collection: "joined",
      code: 121,
      document: rejected.document,
    });
  });

  it("holds Extended JSON when the document itself is in doubt", () => {
    const value = Buffer.from([1, 2, 3]);
    const document = { ...rejected.document, value, offset: 5n, ratio: Number.NaN, list: [null, true] };
    const stored = deadLetterDocument({ ...rejected, code: undefined, document });
    assert.equal(stored.code, null);
    const parsed = BSON.EJSON.parse(stored.document as string);
    assert.deepEqual(
      { ...parsed, value: Buffer.from(parsed.value.value()) },
      { ...document, offset: 5, value },
    );
  });

  it("cuts the text of a document that does not fit, and says so", () => {
    const document = { ...rejected.document, note: "é".repeat(9 * MIB) };
    for (const code of [121, 10334]) {
      const stored = deadLetterDocument({ ...rejected, code, document });
      assert.equal(stored.document_truncated, true);
      assert.ok((stored.document_length as number) > 9 * MIB);
      assert.ok((stored.document as string).startsWith('{"_id":"o-1:p-1"'));
      assertStorable(stored);
    }
  });

  it("is storable when the _id itself does not fit, under an _id of its own", () => {
    const withId = (id: string): SinkDeadLetter => ({ ...rejected, code: 10334, document: { _id: id } });
    const one = deadLetterDocument(withId(`${"x".repeat(17 * MIB)}1`));
    const two = deadLetterDocument(withId(`${"x".repeat(17 * MIB)}2`));
    assertStorable(one);
    assert.notEqual(one._id, two._id);
  });

  it("has _ids of its own, injective in collection and _id", () => {
    const sinkId = (collection: string, _id: string): string =>
      deadLetterDocument({ ...rejected, collection, document: { _id } })._id;
    const ids = [
      sinkId("a", "b:c"),
      sinkId("a:b", "c"),
      sinkId("a", "c"),
      deadLetterDocument({ ...letter, topic: "a:c", partition: 1, offset: 5 })._id,
      sinkId("a", "c:1:5"),
    ];
    assert.equal(new Set(ids).size, ids.length);
  });
});

function assertStorable(document: StoredDocument): void {
  assert.ok(BSON.calculateObjectSize(document) < DOCUMENT_BYTES_MAX);
}
