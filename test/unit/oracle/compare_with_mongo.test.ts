/** A checker that cannot fail proves nothing: each kind of difference is planted once and must be reported. */
import assert from "node:assert/strict";
import { BSON, type Db, type Document } from "mongodb";
import type { Order, Payment } from "../../../schemas/events.js";
import { compareWithMongo } from "../../oracle/compare_with_mongo.js";
import { type Expected, type InputRecord, oracle } from "../../oracle/oracle.js";

const AT = Date.UTC(2026, 0, 1);
const JOINED = "spark_streaming_stateful_writes";

const paid: Order = { order_id: "a", order_date: AT, created_at: AT, customer_id: "c", amount: 1 };
const unpaid: Order = { ...paid, order_id: "b" };
const payment: Payment = { payment_id: "p", order_id: "a", payment_date: AT, created_at: AT + 5, amount: 1 };

function record(topic: InputRecord["topic"], offset: number, event: object | null): InputRecord {
  const text = JSON.stringify(event, (name, value: unknown) =>
    /_(?:date|at)$/.test(name) ? new Date(value as number).toISOString() : value,
  );
  const value = event === null ? null : Buffer.from(text);
  return { topic, partition: 0, offset, timestampMs: AT, key: Buffer.from("k"), value };
}

const expected: Expected = oracle(
  [
    record("orders", 0, paid),
    record("orders", 1, unpaid),
    record("orders", 2, null),
    record("orders", 3, { ...paid, amount: 2 }),
    record("payments", 0, payment),
  ],
  { timeoutMs: 900_000, outOfOrdernessMs: 30_000 },
);

/** What a correct run leaves behind. */
function collections(): Record<string, Document[]> {
  const dates = { order_date: new Date(AT), created_at: new Date(AT) };
  const pair = {
    order_id: "a",
    ...dates,
    customer_id: "c",
    order_amount: 1,
    payment_id: "p",
    payment_date: new Date(AT),
    payment_amount: 1,
  };
  const rest = { order_id: "b", ...dates, customer_id: "c", amount: 1, kind: "order", reason: "UNPAID" };
  const letter = {
    topic: "stream_order_producer",
    partition: 0,
    timestamp: new Date(AT),
    key: new BSON.Binary(Buffer.from("k")),
  };
  const version = { order_id: "a", ...dates, customer_id: "c" };
  return {
    [JOINED]: [{ _id: "1", ...pair }],
    unmatched: [{ _id: "2", ...rest, expires_at: new Date(AT + 900_000) }],
    dead_letters: [
      { _id: "3", ...letter, offset: 2, reason: "NULL_VALUE", message: "no value", value: null },
      {
        _id: "4",
        ...letter,
        offset: 3,
        reason: "CONFLICT",
        message: "differs",
        value: new BSON.Binary(record("orders", 3, { ...paid, amount: 2 }).value!),
        first: { ...version, amount: 1 },
        event: { ...version, amount: 2 },
      },
    ],
  };
}

async function differences(change: (stored: Record<string, Document[]>) => void): Promise<string[]> {
  const stored = collections();
  change(stored);
  const db = {
    collection: (name: string) => ({ collectionName: name, find: () => stored[name] ?? [] }),
  };
  return compareWithMongo(db as unknown as Db, expected);
}

describe("compareWithMongo", () => {
  it("finds nothing in what is right", async () => {
    assert.deepEqual(await differences(() => undefined), []);
  });

  const planted: [string, (stored: Record<string, Document[]>) => void, RegExp][] = [
    ["a pair that is missing", (s) => s[JOINED]!.pop(), /^spark.*: missing: .*"order_id","a"/],
    ["a pair too many", (s) => s[JOINED]!.push({ _id: "9", order_id: "x" }), /^spark.*: not expected: /],
    ["a pair twice", (s) => s[JOINED]!.push({ ...s[JOINED]![0], _id: "9" }), /: 2 documents instead of 1: /],
    ["a wrong amount", (s) => Object.assign(s[JOINED]![0]!, { order_amount: 7 }), /: wrong content: /],
    ["a field too many", (s) => Object.assign(s[JOINED]![0]!, { more: 1 }), /: wrong content: /],
    ["a date as a number", (s) => Object.assign(s[JOINED]![0]!, { order_date: AT }), /: wrong content: /],
    [
      "a date as text",
      (s) => Object.assign(s[JOINED]![0]!, { order_date: new Date(AT).toISOString() }),
      /: wrong/,
    ],
    ["an unmatched event that is missing", (s) => s.unmatched!.pop(), /^unmatched: missing: /],
    ["another reason", (s) => Object.assign(s.unmatched![0]!, { reason: "NO_ORDER" }), /wrong content/],
    ["a dead letter that is missing", (s) => s.dead_letters!.pop(), /missing: orders\/0\/3 CONFLICT/],
    [
      "a dead letter twice",
      (s) => s.dead_letters!.push({ ...s.dead_letters![0], _id: "9" }),
      /doubled: orders\/0\/2/,
    ],
    [
      "a dead letter too many",
      (s) => s.dead_letters!.push({ ...s.dead_letters![0], _id: "9", offset: 9 }),
      /not expected: orders\/0\/9 NULL_VALUE/,
    ],
    [
      "a dead letter of another reason",
      (s) => Object.assign(s.dead_letters![0]!, { reason: "LATE" }),
      /orders\/0\/2 is LATE instead of NULL_VALUE/,
    ],
    [
      "no message",
      (s) => Object.assign(s.dead_letters![0]!, { message: "" }),
      /orders\/0\/2: has no message/,
    ],
    ["another value", (s) => Object.assign(s.dead_letters![1]!, { value: null }), /value is not as received/],
    ["another key", (s) => Object.assign(s.dead_letters![1]!, { key: null }), /key is not as received/],
    [
      "another timestamp",
      (s) => Object.assign(s.dead_letters![0]!, { timestamp: new Date(0) }),
      /timestamp is .* instead of/,
    ],
    ["a conflict without its first version", (s) => delete s.dead_letters![1]!.first, /: first is /],
  ];
  for (const [what, change, line] of planted) {
    it(`reports ${what}, in one line`, async () => {
      const lines = await differences(change);
      assert.equal(lines.length, 1, lines.join("\n"));
      assert.match(lines[0]!, line);
    });
  }

  it("gives 20 lines at most", async () => {
    const lines = await differences((s) => {
      for (let i = 0; i < 50; i++) s.unmatched!.push({ _id: `x${i}`, order_id: `x${i}` });
    });
    assert.equal(lines.length, 20);
    assert.equal(lines.at(-1), "… and 31 more differences");
  });
});
