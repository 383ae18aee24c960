import assert from "node:assert/strict";
import fc from "fast-check";
import type { Order, Payment } from "../../../schemas/events.js";
import { canonical, type Expected, type InputRecord, oracle } from "../../oracle/oracle.js";

const T = 900_000;
const D = 30_000;
const START = Date.UTC(2026, 0, 1);

type Input = Omit<InputRecord, "offset" | "timestampMs" | "key">;

/** Records in the given order; each partition's offsets count from 0. */
function run(inputs: readonly Input[], nowMs?: number): Expected {
  const next = new Map<string, number>();
  const records = inputs.map((input): InputRecord => {
    const partition = `${input.topic}/${input.partition}`;
    const offset = next.get(partition) ?? 0;
    next.set(partition, offset + 1);
    return { ...input, offset, timestampMs: 0, key: null };
  });
  return oracle(records, { timeoutMs: T, outOfOrdernessMs: D, ...(nowMs === undefined ? {} : { nowMs }) });
}

/** `atMs` counts from START. */
function order(id: string, atMs: number, change: Partial<Order> = {}, partition = 0): Input {
  const at = START + atMs;
  return record("orders", partition, {
    order_id: id,
    order_date: at,
    created_at: at,
    customer_id: "c",
    amount: 10,
    ...change,
  });
}

function payment(
  id: string,
  orderId: string,
  atMs: number,
  change: Partial<Payment> = {},
  partition = 0,
): Input {
  const at = START + atMs;
  return record("payments", partition, {
    payment_id: id,
    order_id: orderId,
    payment_date: at,
    created_at: at,
    amount: 10,
    ...change,
  });
}

function record(topic: Input["topic"], partition: number, event: object): Input {
  const text = JSON.stringify(event, (name, value: unknown) =>
    /_(?:date|at)$/.test(name) ? new Date(value as number).toISOString() : value,
  );
  return { topic, partition, value: Buffer.from(text) };
}

function total(documents: ReadonlyMap<string, number>): number {
  return [...documents.values()].reduce((sum, count) => sum + count, 0);
}

/** "paired/unmatched/duplicates/deadLetters" of a topic, after checking that its books balance. */
function books(expected: Expected, topic: "orders" | "payments"): string {
  const { read, paired, unmatched, duplicates, deadLetters } = expected.books[topic];
  assert.equal(read, paired + unmatched + duplicates + deadLetters);
  return [paired, unmatched, duplicates, deadLetters].join("/");
}

describe("oracle: pairs", () => {
  it("joins an order and its payment into the fields of the contract", () => {
    const expected = run([order("a", 0), payment("p", "a", 5)]);
    assert.deepEqual(
      [...expected.joined],
      [
        [
          canonical({
            order_id: "a",
            order_date: new Date(START),
            created_at: new Date(START),
            customer_id: "c",
            order_amount: 10,
            payment_id: "p",
            payment_date: new Date(START + 5),
            payment_amount: 10,
          }),
          1,
        ],
      ],
    );
    assert.equal(expected.unmatched.size, 0);
  });

  for (const [deltaMs, paired] of [
    [T, true],
    [T + 1, false],
    [-T, true],
    [-T - 1, false],
    [0, true],
  ] as const) {
    it(`${paired ? "pairs" : "does not pair"} a payment ${deltaMs} ms after its order`, () => {
      const expected = run([order("a", 0), payment("p", "a", deltaMs)]);
      assert.equal(books(expected, "orders"), paired ? "1/0/0/0" : "0/1/0/0");
      assert.equal(books(expected, "payments"), paired ? "1/0/0/0" : "0/1/0/0");
      assert.equal(expected.joined.size, paired ? 1 : 0);
    });
  }

  it("does not mind which was read first", () => {
    const events = [order("a", 0), payment("p", "a", 5), payment("q", "a", 6), order("b", 1)];
    assert.deepEqual(run([...events].reverse()).joined, run(events).joined);
  });

  it("gives one document for each of several payments", () => {
    const expected = run([order("a", 0), payment("p", "a", 1), payment("q", "a", 2)]);
    assert.equal(expected.joined.size, 2);
    assert.equal(books(expected, "orders"), "1/0/0/0");
    assert.equal(books(expected, "payments"), "2/0/0/0");
  });

  it("counts two pairs that look the same twice", () => {
    // The payment comes once more, 2 T later and so out of state; only its created_at, which is not shown, differs.
    const again = payment("p", "a", T, { payment_date: START });
    const expected = run([
      order("a", 0),
      payment("p", "a", -T, { payment_date: START }),
      payment("x", "none", T + D + 1),
      again,
    ]);
    assert.deepEqual([...expected.joined.values()], [2]);
  });
});

describe("oracle: unmatched", () => {
  it("reports an order without a payment and a payment without an order", () => {
    const expected = run([order("a", 0), payment("p", "b", 5)]);
    const dates = { created_at: new Date(START), order_date: new Date(START) };
    const paid = { created_at: new Date(START + 5), payment_date: new Date(START + 5) };
    assert.deepEqual(
      new Set(expected.unmatched.keys()),
      new Set([
        canonical({
          order_id: "a",
          ...dates,
          customer_id: "c",
          amount: 10,
          kind: "order",
          reason: "UNPAID",
          expires_at: new Date(START + T),
        }),
        canonical({
          payment_id: "p",
          order_id: "b",
          ...paid,
          amount: 10,
          kind: "payment",
          reason: "NO_ORDER",
          expires_at: new Date(START + 5 + T),
        }),
      ]),
    );
  });

  it("takes the order_id from the value, whatever the key and the partition", () => {
    const expected = run([order("a", 0, {}, 0), payment("p", "a", 5, {}, 2)]);
    assert.equal(expected.joined.size, 1);
  });
});

describe("oracle: duplicates and conflicts", () => {
  it("drops and counts an exact repeat, of an order and of a payment", () => {
    const expected = run([
      order("a", 0),
      order("a", 0),
      payment("p", "a", 5),
      payment("p", "a", 5),
      payment("p", "a", 5),
    ]);
    assert.equal(expected.duplicates, 3);
    assert.equal(books(expected, "orders"), "1/0/1/0");
    assert.equal(books(expected, "payments"), "1/0/2/0");
    assert.equal(total(expected.joined), 1);
  });

  it("takes a repeat of the last state's millisecond for a duplicate, of the next for late", () => {
    // Watermark = newest − D; the event stands while watermark ≤ created_at + T.
    assert.equal(books(run([order("a", 0), order("b", T + D), order("a", 0)]), "orders"), "0/2/1/0");
    const late = run([order("a", 0), order("b", T + D + 1), order("a", 0)]);
    assert.equal(books(late, "orders"), "0/2/0/1");
    assert.deepEqual([...late.deadLetters], [["orders/0/2", "LATE"]]);
  });

  for (const [field, value] of [
    ["amount", 11],
    ["customer_id", "d"],
    ["order_date", START - 1],
    ["created_at", START + 1],
  ] as const) {
    it(`calls another ${field} under the same id a conflict, keeps both, and lets the first stand`, () => {
      const expected = run([order("a", 0), order("a", 0, { [field]: value }), payment("p", "a", 5)]);
      assert.deepEqual([...expected.deadLetters], [["orders/0/1", "CONFLICT"]]);
      const conflict = expected.evidence.get("orders/0/1")?.conflict;
      assert.ok(conflict);
      assert.equal(conflict.kind, "order");
      assert.equal((conflict.first as Order).amount, 10);
      assert.equal((conflict.event as unknown as Record<string, unknown>)[field], value);
      assert.equal(total(expected.joined), 1);
    });
  }

  it("takes the same id after the first has left the state for a new event", () => {
    const stands = run([order("a", 0), order("b", T + D), order("a", T + D, { amount: 11 })]);
    assert.deepEqual([...stands.deadLetters.values()], ["CONFLICT"]);
    const gone = run([order("a", 0), order("b", T + D + 1), order("a", T + D, { amount: 11 })]);
    assert.equal(gone.deadLetters.size, 0);
    assert.equal(gone.unmatched.size, 3);
  });

  it("lets a conflicting event raise the watermark", () => {
    const expected = run([order("a", 0), order("a", T, { amount: 11 }), order("b", -D - 1)]);
    assert.deepEqual(
      [...expected.deadLetters],
      [
        ["orders/0/1", "CONFLICT"],
        ["orders/0/2", "LATE"],
      ],
    );
  });

  it("does not take the same payment_id under another order for a repeat", () => {
    const expected = run([payment("p", "a", 0), payment("p", "b", 0)]);
    assert.equal(books(expected, "payments"), "0/2/0/0");
  });

  it("does not take an order and a payment for each other's repeat", () => {
    assert.equal(run([order("a", 0), payment("a", "a", 0)]).joined.size, 1);
  });
});

describe("oracle: late", () => {
  it("is late when the partition's watermark is past the expiry, to the millisecond", () => {
    assert.equal(books(run([order("a", T + D), order("b", 0)]), "orders"), "0/2/0/0");
    assert.equal(books(run([order("a", T + D + 1), order("b", 0)]), "orders"), "0/1/0/1");
  });

  it("judges by the event's own partition only", () => {
    const ahead = order("a", T + D + 1, {}, 1);
    assert.equal(books(run([ahead, order("b", 0, {}, 0)]), "orders"), "0/2/0/0");
    const otherTopic = payment("p", "x", T + D + 1);
    assert.equal(books(run([otherTopic, order("b", 0)]), "orders"), "0/1/0/0");
  });

  it("does not count records that are no events", () => {
    const invalid = record("orders", 0, { order_id: "z", created_at: START + 10 * T });
    assert.deepEqual([...run([invalid, order("b", 0)]).deadLetters.values()], ["INVALID"]);
  });

  it("counts events beyond D that are not late, where its answer is not exact", () => {
    assert.equal(run([order("a", D), order("b", 0)]).beyondBound, 0);
    assert.equal(run([order("a", D + 1), order("b", 0)]).beyondBound, 1);
  });
});

describe("oracle: records that are no events", () => {
  it("names the reason of each, by topic, partition and offset", () => {
    const expected = run([
      { topic: "orders", partition: 1, value: null },
      { topic: "orders", partition: 1, value: Buffer.from("?") },
      record("payments", 2, { payment_id: "p" }),
    ]);
    assert.deepEqual(
      [...expected.deadLetters],
      [
        ["orders/1/0", "NULL_VALUE"],
        ["orders/1/1", "UNDECODABLE"],
        ["payments/2/0", "INVALID"],
      ],
    );
    assert.equal(books(expected, "orders"), "0/0/0/2");
    assert.equal(books(expected, "payments"), "0/0/0/1");
  });

  it("refuses timestamps beyond now + 5 min, which then move no watermark, in unbounded reads only", () => {
    const events = [order("a", 300_001), order("b", 300_000), order("c", -T - D + 300_000)];
    assert.deepEqual([...run(events, START).deadLetters], [["orders/0/0", "FUTURE_TIMESTAMP"]]);
    assert.deepEqual([...run(events).deadLetters], [["orders/0/2", "LATE"]]);
  });
});

describe("oracle against brute force", () => {
  // Few ids and times around T, nothing late and nothing repeated: every pair is then a plain comparison.
  const time = fc.oneof(fc.integer({ min: 0, max: 3 * D }), fc.constantFrom(0, T, T + 1, 2 * T));
  const events = fc.array(
    fc.record({ isOrder: fc.boolean(), orderId: fc.constantFrom("a", "b"), at: time }),
    { maxLength: 12 },
  );

  it("gives the same pairs and the same rest", () => {
    fc.assert(
      fc.property(events, (drawn) => {
        const seen = new Set<string>();
        // A partition for each order, so that an order cannot make another late.
        const inputs = drawn.flatMap(({ isOrder, orderId, at }, i) => {
          if (isOrder && seen.has(orderId)) return [];
          if (isOrder) seen.add(orderId);
          return [{ isOrder, orderId, at, i }];
        });
        const records = inputs.map(({ isOrder, orderId, at, i }) =>
          isOrder ? order(orderId, at, {}, i) : payment(`p${i}`, orderId, at, {}, i),
        );
        const pairs = new Set<string>();
        const partnered = new Set<number>();
        for (const a of inputs) {
          for (const b of inputs) {
            if (!a.isOrder || b.isOrder || a.orderId !== b.orderId || Math.abs(a.at - b.at) > T) continue;
            pairs.add(`${a.orderId} p${b.i}`);
            partnered.add(a.i).add(b.i);
          }
        }
        const expected = run(records);
        const found = [...expected.joined.keys()].map((text) => {
          const fields = Object.fromEntries(JSON.parse(text) as [string, unknown][]);
          return `${fields.order_id} ${fields.payment_id}`;
        });
        assert.deepEqual(new Set(found), pairs);
        assert.equal(total(expected.joined), pairs.size);
        assert.equal(total(expected.unmatched), inputs.length - partnered.size);
        assert.equal(expected.deadLetters.size + expected.duplicates + expected.beyondBound, 0);
      }),
      { numRuns: 500 },
    );
  });
});
