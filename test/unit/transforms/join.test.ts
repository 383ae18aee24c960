import assert from "node:assert/strict";
import { VirtualClock } from "../../../beam/platform/clock.js";
import type { DirectRun } from "../../../beam/runners/direct/direct_runner.js";
import { encodeOrderAvro, encodePaymentAvro } from "../../../schemas/encode.js";
import type { Order, Payment } from "../../../schemas/events.js";
import { type Books, booksOf, JoinStream, type Outcome, order, payment, total } from "./join_stream.js";

/** T and D of these tests. */
const TIMEOUT_MS = 1_000;
const DISORDER_MS = 100;

/** A stream whose records all come from partition 0 of their topic. */
class Play extends JoinStream {
  #offsets = { orders: 0, payments: 0 };

  constructor() {
    super(TIMEOUT_MS, DISORDER_MS);
    this.open("orders", 0).open("payments", 0);
  }

  order(fields: Partial<Order> = {}): this {
    return this.#record("orders", encodeOrderAvro(order(fields)));
  }

  payment(fields: Partial<Payment> = {}): this {
    return this.#record("payments", encodePaymentAvro(payment(fields)));
  }

  #record(topic: "orders" | "payments", value: Buffer): this {
    const offset = this.#offsets[topic]++;
    return this.read({ topic, partition: 0, offset, timestampMs: 7, key: Buffer.from("k"), value });
  }
}

/** order amount-payment id of each pair, in order of their arrival */
const pairsOf = ({ pairs }: Outcome): string[] =>
  pairs.map((pair) => `${pair.order.created_at}-${pair.payment.payment_id}@${pair.payment.created_at}`);
const aloneOf = ({ alone }: Outcome): string[] =>
  alone.map(({ kind, event, expiresAt }) => `${kind} ${event.created_at} expires ${expiresAt}`);

describe("the join", () => {
  for (const [apartMs, isPair] of [
    [0, true],
    [1, true],
    [TIMEOUT_MS - 1, true],
    [TIMEOUT_MS, true],
    [TIMEOUT_MS + 1, false],
  ] as const) {
    for (const sign of [1, -1]) {
      for (const isPaymentFirst of [false, true]) {
        const what = `a payment ${apartMs} ms ${sign > 0 ? "after" : "before"} its order, read ${isPaymentFirst ? "first" : "second"}`;
        it(`${isPair ? "pairs" : "does not pair"} ${what}`, async () => {
          const play = new Play();
          const at = { order: 10_000, payment: 10_000 + sign * apartMs };
          if (isPaymentFirst)
            play.payment({ created_at: at.payment }).flush().order({ created_at: at.order });
          else play.order({ created_at: at.order }).flush().payment({ created_at: at.payment });
          const outcome = await play.run();
          assert.deepEqual(pairsOf(outcome), isPair ? [`${at.order}-p@${at.payment}`] : []);
          const alone = [
            `order ${at.order} expires ${at.order + TIMEOUT_MS}`,
            `payment ${at.payment} expires ${at.payment + TIMEOUT_MS}`,
          ];
          assert.deepEqual(aloneOf(outcome).sort(), isPair ? [] : alone);
          assert.deepEqual(outcome.leftovers, []);
        });
      }
    }
  }

  it("waits for a partner until the watermark has passed the expiry, and not only reached it", async () => {
    const reached = await new Play()
      .order({ created_at: 0 })
      .flush(TIMEOUT_MS)
      .payment({ created_at: TIMEOUT_MS })
      .run();
    assert.deepEqual(pairsOf(reached), [`0-p@${TIMEOUT_MS}`]);
    assert.deepEqual(aloneOf(reached), []);
    const passed = await new Play()
      .order({ created_at: 0 })
      .flush(TIMEOUT_MS + 1)
      .payment({ created_at: TIMEOUT_MS })
      .run();
    assert.deepEqual(pairsOf(passed), []);
    assert.equal(aloneOf(passed).length, 2);
  });

  it("pairs several payments with one order, before and after it", async () => {
    const outcome = await new Play()
      .payment({ payment_id: "p1", created_at: 500 })
      .flush()
      .order({ created_at: 600 })
      .payment({ payment_id: "p2", created_at: 601 })
      .flush()
      .payment({ payment_id: "p3", created_at: 600 + TIMEOUT_MS })
      .payment({ payment_id: "p4", created_at: 601 + TIMEOUT_MS })
      .run();
    assert.deepEqual(pairsOf(outcome), ["600-p1@500", "600-p2@601", "600-p3@1600"]);
    assert.deepEqual(aloneOf(outcome), ["payment 1601 expires 2601"]);
    assert.equal(outcome.books.orders.paired, 1);
    assert.equal(outcome.books.payments.paired, 3);
  });

  it("keeps orders apart", async () => {
    const outcome = await new Play()
      .order({ order_id: "a" })
      .order({ order_id: "b" })
      .payment({ order_id: "b", payment_id: "p1" })
      .payment({ order_id: "c", payment_id: "p2" })
      .run();
    assert.deepEqual(
      outcome.pairs.map((pair) => pair.order.order_id),
      ["b"],
    );
    assert.deepEqual(outcome.alone.map(({ event }) => event.order_id).sort(), ["a", "c"]);
  });

  it("counts and drops duplicates, near and far, before and after the pair", async () => {
    const outcome = await new Play()
      .order({ created_at: 0 })
      .order({ created_at: 0 })
      .payment({ created_at: 10 })
      .flush()
      .order({ created_at: 0 })
      .payment({ created_at: 10 })
      .flush(TIMEOUT_MS)
      .order({ created_at: 0 })
      .payment({ created_at: 10 })
      .run();
    assert.deepEqual(pairsOf(outcome), ["0-p@10"]);
    assert.deepEqual(aloneOf(outcome), []);
    assert.equal(outcome.books.orders.duplicates, 3);
    assert.equal(outcome.books.payments.duplicates, 2);
    assert.equal(outcome.deadLetters.size, 0);
    assert.deepEqual(outcome.leftovers, []);
  });

  it("does not let a duplicate put the expiry off", async () => {
    const outcome = await new Play()
      .order({ created_at: 0 })
      .flush(900)
      .order({ created_at: 0 })
      .flush(TIMEOUT_MS + 1)
      .payment({ created_at: 999 })
      .run();
    assert.deepEqual(aloneOf(outcome), ["order 0 expires 1000", "payment 999 expires 1999"]);
  });

  it("refuses an event that contradicts one in state, and keeps both versions", async () => {
    const outcome = await new Play()
      .order({ amount: 1 })
      .order({ amount: 2 })
      .payment({ amount: 3 })
      .payment({ amount: 4 })
      .payment({ payment_id: "q", amount: 4 })
      .flush()
      .order({ customer_id: "another" })
      .order({ created_at: 1 })
      .order({ order_date: 1 })
      .run();
    assert.deepEqual(
      [...outcome.deadLetters],
      [
        ["orders/0/1", "CONFLICT"],
        ["payments/0/1", "CONFLICT"],
        ["orders/0/2", "CONFLICT"],
        ["orders/0/3", "CONFLICT"],
        ["orders/0/4", "CONFLICT"],
      ],
    );
    assert.deepEqual(outcome.conflicts.get("orders/0/1"), {
      kind: "order",
      first: order({ amount: 1 }),
      event: order({ amount: 2 }),
    });
    assert.deepEqual(outcome.conflicts.get("payments/0/1"), {
      kind: "payment",
      first: payment({ amount: 3 }),
      event: payment({ amount: 4 }),
    });
    assert.deepEqual(
      outcome.pairs.map((pair) => [pair.order.amount, pair.payment.payment_id, pair.payment.amount]),
      [
        [1, "p", 3],
        [1, "q", 4],
      ],
    );
  });

  it("takes an id that is used again after the expiry for a new event", async () => {
    const outcome = await new Play()
      .order({ created_at: 0, amount: 1 })
      .payment({ created_at: 0, amount: 1 })
      .flush()
      // The order's partition is past the first order's expiry; the payments' is not, so the join still holds it.
      .order({ order_id: "other", created_at: TIMEOUT_MS + DISORDER_MS + 1 })
      .order({ created_at: TIMEOUT_MS + DISORDER_MS + 2, amount: 2 })
      .flush()
      .payment({ order_id: "other", created_at: TIMEOUT_MS + DISORDER_MS + 1 })
      .payment({ created_at: TIMEOUT_MS + DISORDER_MS + 2, amount: 2 })
      .run();
    assert.deepEqual(outcome.deadLetters.size, 0);
    assert.deepEqual(
      outcome.pairs.map((pair) => [pair.order.order_id, pair.order.amount, pair.payment.amount]),
      [
        ["o", 1, 1],
        ["other", 1, 1],
        ["o", 2, 2],
      ],
    );
    assert.deepEqual(outcome.leftovers, []);
  });

  it("refuses as LATE what comes when its partition has passed its expiry, by a millisecond", async () => {
    const outcome = await new Play()
      .order({ order_id: "newer", created_at: TIMEOUT_MS + DISORDER_MS })
      .order({ order_id: "just in time", created_at: 0 })
      .order({ order_id: "late", created_at: -1 })
      .run();
    assert.deepEqual([...outcome.deadLetters], [["orders/0/2", "LATE"]]);
    assert.equal(outcome.alone.length, 2);
  });

  it("reports each event without a partner once, with nothing read in between", async () => {
    const clock = new VirtualClock();
    const seen: number[] = [];
    const play = new Play().order({ created_at: 5 }).payment({ order_id: "x", created_at: 6 }).flush(1_005);
    for (const watermark of [1_006, 1_007, 5_000]) play.advanceProcessingTimeBy(1).flush(watermark);
    const outcome = await play.advanceProcessingTimeBy(1).run({ clock }, (run) => {
      for (let i = 1; i <= 4; i++) {
        clock.schedule(i, () =>
          seen.push(run.metrics.counter("unmatched_orders") + run.metrics.counter("unmatched_payments")),
        );
      }
    });
    assert.deepEqual(seen, [0, 1, 2, 2]);
    assert.deepEqual(aloneOf(outcome), ["order 5 expires 1005", "payment 6 expires 1006"]);
    assert.deepEqual(outcome.leftovers, []);
  });

  it("balances its books at each step", async () => {
    const clock = new VirtualClock();
    /** What is done, and how many orders and payments have been read by then. */
    const steps: readonly (readonly [(play: Play) => unknown, number, number])[] = [
      [(play) => play.order({ order_id: "a" }), 1, 0],
      [(play) => play.order({ order_id: "a" }), 2, 0],
      [(play) => play.payment({ order_id: "a" }), 2, 1],
      [(play) => play.payment({ order_id: "a", amount: 9 }), 2, 2],
      [(play) => play.payment({ order_id: "b", created_at: 50 }), 2, 3],
      [(play) => play.flush(TIMEOUT_MS + 1), 2, 3],
      [(play) => play.order({ order_id: "b", created_at: 900 }), 3, 3],
      [(play) => play.order({ order_id: "c", created_at: 901 }), 4, 3],
      [(play) => play.flush(5_000), 4, 3],
    ];
    const play = new Play();
    for (const [step] of steps) {
      step(play.advanceProcessingTimeBy(1));
      play.flush(Number.NEGATIVE_INFINITY);
    }
    const books: Books[] = [];
    const observe = (run: DirectRun): void => {
      // The clock moves on to a step only when the one before has had all of its effect.
      for (let i = 2; i <= steps.length + 1; i++) clock.schedule(i, () => books.push(booksOf(run)));
    };
    const outcome = await play.advanceProcessingTimeBy(1).run({ clock }, observe);
    assert.deepEqual(
      books.map((book) => [total(book.orders), total(book.payments)]),
      steps.map(([, orders, payments]) => [orders, payments]),
    );
    assert.deepEqual(
      books.map((book) => [book.orders.waiting, book.payments.waiting]),
      [
        [1, 0],
        [1, 0],
        [0, 0],
        [0, 0],
        [0, 1],
        [0, 1],
        [0, 0],
        [1, 0],
        [0, 0],
      ],
    );
    assert.deepEqual(outcome.books.orders, {
      paired: 2,
      unmatched: 1,
      duplicates: 1,
      conflicts: 0,
      waiting: 0,
    });
    assert.deepEqual(outcome.books.payments, {
      paired: 2,
      unmatched: 0,
      duplicates: 0,
      conflicts: 1,
      waiting: 0,
    });
    assert.deepEqual(outcome.leftovers, []);
  });

  it("leaves no state behind after many orders", async () => {
    const play = new Play();
    for (let i = 0; i < 500; i++) {
      play.order({ order_id: `o${i}`, created_at: i });
      if (i % 3 > 0) play.payment({ order_id: `o${i}`, payment_id: `p${i}`, created_at: i + 1 });
      if (i % 7 === 0) play.order({ order_id: `o${i}`, created_at: i });
      if (i % 50 === 0) play.flush();
    }
    const outcome = await play.run();
    assert.equal(outcome.pairs.length, 333);
    assert.equal(outcome.alone.length, 167);
    assert.deepEqual(outcome.leftovers, []);
  });
});
