/** Very many events of one order_id: what becomes of each, and that no step's cost grows with the others. */
import assert from "node:assert/strict";
import { encodeOrderAvro, encodePaymentAvro } from "../../../schemas/encode.js";
import type { Order, Payment } from "../../../schemas/events.js";
import { JoinStream, type Outcome, order, payment, total } from "./join_stream.js";

const TIMEOUT_MS = 1_000_000;

class HotKey extends JoinStream {
  #offsets = { orders: 0, payments: 0 };

  constructor() {
    super(TIMEOUT_MS, TIMEOUT_MS);
    this.open("orders", 0).open("payments", 0);
  }

  order(fields: Partial<Order>): this {
    return this.#record("orders", encodeOrderAvro(order(fields)));
  }

  payment(number: number, created_at: number): this {
    return this.#record("payments", encodePaymentAvro(payment({ payment_id: `p${number}`, created_at })));
  }

  #record(topic: "orders" | "payments", value: Buffer): this {
    const offset = this.#offsets[topic]++;
    return this.read({ topic, partition: 0, offset, timestampMs: 7, key: Buffer.from("o"), value });
  }
}

function assertBooks({ books, leftovers }: Outcome, orders: number, payments: number): void {
  assert.equal(total(books.orders), orders);
  assert.equal(total(books.payments), payments);
  assert.equal(books.orders.waiting + books.payments.waiting, 0);
  assert.deepEqual(leftovers, []);
}

const COUNT = 5_000;

describe("a hot order_id", function () {
  this.timeout(60_000);

  for (const [times, at] of [
    ["each at its own time", (i: number) => (i * 7_919) % COUNT],
    ["all at one time", () => 0],
  ] as const) {
    it(`reports each payment without an order, ${times}`, async () => {
      const key = new HotKey();
      for (let i = 0; i < COUNT; i++) key.payment(i, at(i));
      const outcome = await key.run();
      assert.equal(new Set(outcome.alone.map(({ event }) => (event as Payment).payment_id)).size, COUNT);
      assert.equal(outcome.alone.length, COUNT);
      assertBooks(outcome, 0, COUNT);
    });

    it(`pairs its order with each payment before and behind it, ${times}`, async () => {
      const key = new HotKey();
      for (let i = 0; i < COUNT / 2; i++) key.payment(i, at(i));
      key.flush().order({ created_at: 0 }).flush();
      for (let i = COUNT / 2; i < COUNT; i++) key.payment(i, at(i));
      const outcome = await key.run();
      assert.equal(new Set(outcome.pairs.map((pair) => pair.payment.payment_id)).size, COUNT);
      assert.equal(outcome.pairs.length, COUNT);
      assert.equal(outcome.books.payments.paired, COUNT);
      assertBooks(outcome, 1, COUNT);
    });
  }

  it("finds each duplicate and each contradiction", async () => {
    const key = new HotKey();
    for (let i = 0; i < COUNT; i++) key.payment(i, i);
    key.flush();
    for (let i = 0; i < COUNT; i++) key.payment(i, i % 2 === 0 ? i : i + 1);
    key.flush();
    for (let i = 0; i < COUNT; i++) key.order({ created_at: 2 * TIMEOUT_MS, amount: i });
    const outcome = await key.run();
    assert.equal(outcome.books.payments.duplicates, COUNT / 2);
    assert.equal(outcome.books.payments.conflicts, COUNT / 2);
    assert.equal(outcome.books.orders.conflicts, COUNT - 1);
    assertBooks(outcome, COUNT, 2 * COUNT);
  });

  it("takes time in proportion to its events", async () => {
    const secondsOf = async (count: number): Promise<number> => {
      const key = new HotKey();
      for (let i = 0; i < count; i++) key.payment(i, i);
      const { user } = process.cpuUsage();
      await key.run();
      return (process.cpuUsage().user - user) / 1e6;
    };
    await secondsOf(COUNT);
    const few = await secondsOf(COUNT);
    const many = await secondsOf(8 * COUNT);
    // 64 times as much when each event reads all others.
    assert.ok(many < 24 * few + 0.5, `${few} s, and ${many} s for 8 times the events`);
  });
});
