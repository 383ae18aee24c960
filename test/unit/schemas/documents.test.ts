/** The schemas of results against what is written: each document fits its own, and nothing of it is left out. */
import assert from "node:assert/strict";
import type avsc from "avsc";
import type { Order, Payment } from "../../../schemas/events.js";
import { type ResultKind, resultTypes } from "../../../schemas/result_types.js";
import {
  DEAD_LETTER_REASONS,
  type DeadLetter,
  FILE_LOG,
  type RecordDeadLetter,
} from "../../../transforms/dead_letter.js";
import { deadLetterDocument, sinkDeadLetter } from "../../../transforms/dead_letter_document.js";
import { documentAsAvro, joinedDocumentOf, unmatchedDocumentOf } from "../../../transforms/file_records.js";

const order: Order = { order_id: "o", order_date: 1, created_at: 2, customer_id: "c", amount: -3 };
const payment: Payment = { payment_id: "p", order_id: "o", payment_date: 4, created_at: 5, amount: 6 };
const joined = joinedDocumentOf({ order, payment });
const unpaid = unmatchedDocumentOf({ kind: "order", event: order, expiresAt: 900_002 });
const orphan = unmatchedDocumentOf({ kind: "payment", event: payment, expiresAt: 900_005 });

const record: RecordDeadLetter = {
  reason: "INVALID",
  message: "amount is missing",
  field: "amount",
  topic: "t",
  partition: 1,
  offset: 2,
  log: "log",
  timestamp: 3,
  key: Buffer.from("k"),
  value: Buffer.from([0xff]),
};
const bare: RecordDeadLetter = { ...record, timestamp: -1, key: null, value: null };
const LETTERS: readonly (readonly [string, DeadLetter, more: readonly string[]])[] = [
  ["a record of Kafka", record, []],
  ["a record without key, value and time", bare, []],
  ["a line of a file", { ...record, log: FILE_LOG, topic: "a.jsonl", partition: 0 }, []],
  ["a record of a container", { ...record, log: FILE_LOG, topic: "a.avro", partition: 16 }, []],
  [
    "a conflict",
    {
      ...record,
      reason: "CONFLICT",
      conflict: { kind: "order", first: order, event: { ...order, amount: 4 } },
    },
    ["kind", "first", "event"],
  ],
  ["a refused document", sinkDeadLetter("c", joined as never, 121, "m"), ["collection", "code", "document"]],
  [
    "a value that was cut",
    { ...record, value: Buffer.alloc(2 ** 20 + 1) },
    ["value_truncated", "value_length", "value_sha256"],
  ],
];

/** What a reader of the file gets, without what is null. */
function readBack(kind: ResultKind, document: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const read = resultTypes[kind].type.fromBuffer(documentAsAvro(kind, document));
  return Object.fromEntries(Object.entries(read).filter(([, value]) => value !== null));
}

/** Times as numbers, as Avro has them. */
function plain(document: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(document).map(([name, value]) => [name, value instanceof Date ? value.getTime() : value]),
  );
}

describe("the schemas of what is written", () => {
  it("joined has exactly the fields of its documents", () => {
    assert.deepEqual([...resultTypes.joined.columns], Object.keys(joined));
    assert.deepEqual(readBack("joined", joined), plain(joined));
  });

  it("unmatched has exactly the fields of an order's and a payment's documents", () => {
    const names = new Set([...Object.keys(unpaid), ...Object.keys(orphan)]);
    assert.deepEqual([...resultTypes.unmatched.columns].sort(), [...names].sort());
    for (const document of [unpaid, orphan])
      assert.deepEqual(readBack("unmatched", document), plain(document));
  });

  it("dead_letter knows every reason, and no other", () => {
    const { fields } = resultTypes.dead_letter.type as avsc.types.RecordType;
    const { symbols } = fields.find(({ name }) => name === "reason")!.type as avsc.types.EnumType;
    assert.deepEqual([...symbols].sort(), [...DEAD_LETTER_REASONS].sort());
  });

  for (const [what, letter, beside] of LETTERS) {
    it(`dead_letter holds all of ${what}`, () => {
      const document = deadLetterDocument(letter);
      const { more, ...columns } = readBack("dead_letter", document);
      const others = more === undefined ? {} : JSON.parse(more as string);
      assert.deepEqual(Object.keys(others), beside);
      const written = Object.keys(document).filter((name) => document[name] !== null);
      assert.deepEqual([...Object.keys(columns), ...Object.keys(others)].sort(), written.sort());
    });
  }
});
