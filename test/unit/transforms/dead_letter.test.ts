import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { BSON } from "mongodb";
import { ByteReader, ByteWriter } from "../../../beam/model/bytes.js";
import type { Order } from "../../../schemas/events.js";
import type { DeadLetter, RecordDeadLetter, StoredDocument } from "../../../transforms/dead_letter.js";
import { deadLetterCoder } from "../../../transforms/dead_letter_coder.js";
import { deadLetterDocument, sinkDeadLetter } from "../../../transforms/dead_letter_document.js";

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

const refused: StoredDocument = { _id: "o-1:p-1", order_id: "o-1", created_at: new Date(5), amount: 3 };

function rejection(
  document: StoredDocument,
  code: number | undefined = 121,
  collection = "joined",
): StoredDocument {
  return deadLetterDocument(sinkDeadLetter(collection, document, code, "Document failed validation"));
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

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

  it("keeps a value of a MiB whole", () => {
    const document = deadLetterDocument({ ...letter, value: Buffer.alloc(MIB, 7) });
    assert.equal((document.value as Buffer).length, MIB);
    assert.equal("value_truncated" in document, false);
    assertStorable(document);
  });

  it("keeps the first MiB of a larger value, with the length and the digest of the whole", () => {
    const value = Buffer.alloc(20 * MIB, 7);
    const document = deadLetterDocument({ ...letter, value });
    assert.deepEqual(document.value, value.subarray(0, MIB));
    assert.equal(document.value_length, 20 * MIB);
    assert.equal(document.value_sha256, sha256(value));
    assert.equal(document.value_truncated, true);
    assert.equal("key_truncated" in document, false);
    assert.deepEqual([document.topic, document.partition, document.offset], [letter.topic, 2, 41n]);
    assertStorable(document);
  });

  it("is storable when every part is too large, also after it went from one step to another", () => {
    const order_id = `x${"é".repeat(9 * MIB)}`;
    const huge: Order = { ...first, order_id, customer_id: "😀".repeat(5 * MIB) };
    const large: RecordDeadLetter = {
      ...letter,
      reason: "CONFLICT",
      message: `${"x".repeat(MIB - 1)}😀`,
      key: Buffer.alloc(9 * MIB),
      value: Buffer.alloc(20 * MIB),
      conflict: { kind: "order", first: huge, event: { ...huge, amount: 4 } },
    };
    const document = deadLetterDocument(large);
    assertStorable(document);
    const stored = document.first as Record<string, unknown>;
    assert.equal(stored.order_id_truncated, true);
    assert.equal(stored.order_id_length, 18 * MIB + 1, "bytes of UTF-8");
    assert.equal(stored.order_id_sha256, sha256(Buffer.from(order_id)));
    assert.equal(stored.order_id, order_id.slice(0, MIB / 2), "a character is not cut in two");
    assert.equal(document.key_length, 9 * MIB);
    assert.equal(document.message, "x".repeat(MIB - 1));

    const encoded = encode(large);
    assert.ok(encoded.length < 10 * MIB, `${encoded.length} bytes travel`);
    assert.deepEqual(deadLetterDocument(decode(encoded)), document);
  });
});

describe("deadLetterDocument of a document that its collection refused", () => {
  it("holds the document itself when only that collection's rules refused it", () => {
    assert.deepEqual(rejection(refused), {
      _id: "joined:o-1:p-1:6:sink",
      reason: "SINK_REJECTED",
      message: "Document failed validation",
      collection: "joined",
      code: 121,
      document: refused,
    });
  });

  it("holds Extended JSON when the document itself is in doubt", () => {
    const value = Buffer.from([1, 2, 3]);
    const document = { ...refused, value, offset: 5n, ratio: Number.NaN, list: [null, true] };
    const stored = deadLetterDocument(sinkDeadLetter("joined", document, undefined, "no"));
    assert.equal(stored.code, null);
    const parsed = BSON.EJSON.parse(stored.document as string);
    assert.deepEqual(
      { ...parsed, value: Buffer.from(parsed.value.value()) },
      { ...document, offset: 5, value },
    );
  });

  it("cuts the texts of a large document, and says so", () => {
    const note = "é".repeat(9 * MIB);
    const own = rejection({ ...refused, note }).document as Record<string, unknown>;
    assert.equal(own._id, "o-1:p-1");
    assert.equal(own.note, "é".repeat(MIB / 2));
    assert.equal(own.note_length, 18 * MIB);
    assert.equal(own.note_sha256, sha256(Buffer.from(note)));
    const inDoubt = rejection({ ...refused, note, _id: `o-1${note}` }, 10334);
    const text = JSON.parse(inDoubt.document as string);
    assert.deepEqual([text.order_id, text.note], ["o-1", "é".repeat(32 * 1024)]);
    assert.deepEqual([text.note_length, text.note_sha256], [18 * MIB, sha256(Buffer.from(note))]);
    assertStorable(inDoubt);
  });

  it("has an _id that every server can index, however long the document's is", () => {
    for (const length of [300, 17 * MIB]) {
      const one = rejection({ _id: `${"x".repeat(length)}1` });
      const two = rejection({ _id: `${"x".repeat(length)}2` });
      assertStorable(one);
      assert.ok(one._id.length < 1_000);
      assert.notEqual(one._id, two._id);
    }
  });

  it("goes from one step to another as it is", () => {
    for (const code of [121, 10334, undefined]) {
      const letter = sinkDeadLetter("joined", { ...refused, note: "é".repeat(9 * MIB) }, code, "no");
      assert.deepEqual(deadLetterDocument(decode(encode(letter))), deadLetterDocument(letter));
    }
  });

  it("has _ids of its own, injective in collection and _id", () => {
    const sinkId = (collection: string, _id: string): string => rejection({ _id }, 121, collection)._id;
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

function encode(letter: DeadLetter): Buffer {
  const out = new ByteWriter(1);
  deadLetterCoder.encode(letter, out, "nested");
  return Buffer.from(out.buffer.subarray(0, out.length));
}

function decode(bytes: Buffer): DeadLetter {
  return deadLetterCoder.decode(new ByteReader(bytes), "nested");
}
