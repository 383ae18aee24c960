import assert from "node:assert/strict";
import { type ScenarioMessage, type ScenarioOptions, scenario } from "../../../producers/scenario.js";
import { DEFAULT_SHARES, messagesPerOrder, type Shares } from "../../../producers/shares.js";
import { decodeOrder, decodePayment } from "../../../schemas/decode.js";
import type { Order, Payment } from "../../../schemas/events.js";
import { Malformed } from "../../../schemas/malformed.js";

const START_MS = Date.UTC(2026, 0, 1);
const BOUND_MS = 30_000;
const TIMEOUT_MS = 900_000;

const NONE: Shares = {
  paid: 0,
  multiplePayments: 0,
  early: 0,
  delayed: 0,
  missing: 0,
  orphan: 0,
  duplicate: 0,
  farDuplicate: 0,
  conflict: 0,
  disorder: 0,
  late: 0,
  malformed: 0,
  nullValue: 0,
  json: 0,
};

function options(change: Partial<ScenarioOptions> = {}): ScenarioOptions {
  const base = { seed: 7, orders: 2000, startMs: START_MS, eventRatePerSecond: 10 };
  return { ...base, outOfOrdernessMs: BOUND_MS, timeoutMs: TIMEOUT_MS, ...change };
}

function formatsOf(messages: readonly ScenarioMessage[]): Set<string> {
  return new Set(messages.map(({ value }) => value!.subarray(0, 1).toString("hex")));
}

function only(shares: Partial<Shares>, change: Partial<ScenarioOptions> = {}): ScenarioMessage[] {
  return [...scenario(options({ shares: { ...NONE, ...shares }, ...change }))];
}

interface Contents {
  orders: Order[];
  payments: Payment[];
  malformed: number;
  nulls: number;
}

function contents(messages: readonly ScenarioMessage[]): Contents {
  const found: Contents = { orders: [], payments: [], malformed: 0, nulls: 0 };
  for (const { topic, value } of messages) {
    if (value === null) {
      found.nulls++;
    } else if (topic === "orders") {
      const order = decodeOrder(value, 0, value.length);
      if (order instanceof Malformed) found.malformed++;
      else found.orders.push(order);
    } else {
      const payment = decodePayment(value, 0, value.length);
      if (payment instanceof Malformed) found.malformed++;
      else found.payments.push(payment);
    }
  }
  return found;
}

/** Each payment's created_at minus its order's. */
function delays({ orders, payments }: Contents): number[] {
  const createdAt = new Map(orders.map((order) => [order.order_id, order.created_at]));
  return payments.map((payment) => payment.created_at - createdAt.get(payment.order_id)!);
}

function assertNear(actual: number, expected: number, tolerance = 0.25): void {
  assert.ok(Math.abs(actual - expected) <= tolerance * expected + 5, `${actual}, expected about ${expected}`);
}

describe("scenario", () => {
  it("gives the same bytes for the same seed, each time it is iterated", () => {
    const messages = scenario(options());
    const first = [...messages];
    assert.deepEqual([...messages], first);
    assert.deepEqual([...scenario(options())], first);
    assert.notDeepEqual([...scenario(options({ seed: 8 }))], first);
  });

  it("keeps two iterations apart", () => {
    const messages = scenario(options({ orders: 300 }));
    const expected = [...messages];
    const one = messages[Symbol.iterator]();
    const other = messages[Symbol.iterator]();
    for (const message of expected) {
      assert.deepEqual(one.next().value, message);
      assert.deepEqual(other.next().value, message);
    }
  });

  it("tells each topic alone as it tells both", () => {
    const all = [...scenario(options())];
    for (const which of ["orders", "payments"] as const) {
      const alone = [...scenario(options({ which }))];
      assert.deepEqual(
        alone,
        all.filter(({ topic }) => topic === which),
      );
    }
  });

  it("never shares ids between seeds, and gives every order its own", () => {
    const ids = (seed: number) => new Set(only({ missing: 1 }, { seed }).map(({ key }) => key));
    const one = ids(1);
    assert.equal(one.size, 2000);
    for (const id of ids(2)) assert.ok(!one.has(id));
  });

  it("comes in order of arrival, no event before it was created", () => {
    let last = Number.NEGATIVE_INFINITY;
    for (const { arrivalMs, createdAtMs } of scenario(options())) {
      assert.ok(arrivalMs >= last);
      assert.ok(createdAtMs <= arrivalMs);
      last = arrivalMs;
    }
  });

  it("keeps disorder within the bound on each topic, except far duplicates and late events", () => {
    const shares = {
      ...DEFAULT_SHARES,
      late: 0,
      farDuplicate: 0,
      duplicate: 0.2,
      conflict: 0.2,
      disorder: 0.9,
    };
    const newest = { orders: Number.NEGATIVE_INFINITY, payments: Number.NEGATIVE_INFINITY };
    let worst = 0;
    for (const { topic, createdAtMs } of scenario(options({ shares }))) {
      worst = Math.max(worst, newest[topic] - createdAtMs);
      newest[topic] = Math.max(newest[topic], createdAtMs);
    }
    assert.ok(worst <= BOUND_MS, `${worst} ms behind`);
    assert.ok(worst > BOUND_MS / 2, `${worst} ms behind`);
  });

  it("has about as many messages as are expected of it, by topic", () => {
    for (const which of ["orders", "payments", "all"] as const) {
      const count = [...scenario(options({ which, orders: 5000 }))].length;
      assertNear(count, 5000 * messagesPerOrder(DEFAULT_SHARES, which), 0.03);
    }
  });

  it("has plausible content", () => {
    const { orders, payments } = contents(only({ paid: 1 }));
    assert.equal(orders.length, 2000);
    assert.equal(payments.length, 2000);
    assert.equal(orders[0]!.created_at, START_MS);
    assert.equal(orders.at(-1)!.created_at, START_MS + 199_900);
    const amounts = new Map(orders.map((order) => [order.order_id, order.amount]));
    for (const payment of payments) assert.equal(payment.amount, amounts.get(payment.order_id));
    for (const order of orders) {
      assert.ok(order.amount >= 100 && order.order_date <= order.created_at);
      assert.match(order.customer_id, /^customer-\d+$/);
    }
  });
});

describe("scenario outcomes", () => {
  it("paid: one payment, soon after", () => {
    const found = delays(contents(only({ paid: 1 })));
    assert.ok(found.every((delayMs) => delayMs >= 0 && delayMs <= 5000));
  });

  it("early: created and arriving before the order, up to the timeout", () => {
    const messages = only({ early: 1 });
    const seen = new Set<string>();
    for (const { topic, key } of messages) {
      if (topic === "orders") assert.ok(seen.has(key));
      seen.add(key);
    }
    const found = delays(contents(messages));
    assert.ok(found.every((delayMs) => delayMs < 0 && delayMs >= -TIMEOUT_MS));
    assert.ok(found.includes(-TIMEOUT_MS));
  });

  it("delayed: late in the timeout, up to its very end", () => {
    const found = delays(contents(only({ delayed: 1 })));
    assert.ok(found.every((delayMs) => delayMs >= 5000 && delayMs <= TIMEOUT_MS));
    assertNear(found.filter((delayMs) => delayMs === TIMEOUT_MS).length, 2000 / 8);
  });

  it("missing: no payment; multiplePayments: two or three", () => {
    assert.equal(contents(only({ missing: 1 })).payments.length, 0);
    const { payments } = contents(only({ multiplePayments: 1 }));
    assertNear(payments.length, 5000, 0.05);
    assert.equal(new Set(payments.map((payment) => payment.payment_id)).size, payments.length);
  });

  it("mixes them by weight", () => {
    const { orders, payments } = contents(only({ paid: 0.3, missing: 0.1 }));
    assert.equal(orders.length, 2000);
    assertNear(payments.length, 1500, 0.1);
  });
});

describe("scenario faults", () => {
  it("orphan: a payment without an order", () => {
    const { orders, payments } = contents(only({ missing: 1, orphan: 0.1 }));
    const ids = new Set(orders.map((order) => order.order_id));
    assertNear(payments.length, 200);
    assert.ok(payments.every((payment) => !ids.has(payment.order_id)));
  });

  it("duplicate: the same bytes again, behind the first", () => {
    const messages = only({ missing: 1, duplicate: 0.1, disorder: 0.5, json: 0.5 });
    const firsts = new Map<string, ScenarioMessage>();
    let copies = 0;
    for (const message of messages) {
      const first = firsts.get(message.key);
      if (first === undefined) {
        firsts.set(message.key, message);
      } else {
        copies++;
        assert.deepEqual(message.value, first.value);
        assert.ok(message.arrivalMs > first.arrivalMs);
      }
    }
    assert.equal(firsts.size, 2000);
    assertNear(copies, 200);
  });

  it("farDuplicate: the same bytes after the bound but before the expiry", () => {
    const messages = only({ missing: 1, farDuplicate: 0.1 });
    const copies = messages.filter(({ arrivalMs, createdAtMs }) => arrivalMs > createdAtMs);
    assertNear(copies.length, 200);
    for (const { arrivalMs, createdAtMs } of copies) {
      assert.ok(arrivalMs - createdAtMs >= BOUND_MS && arrivalMs - createdAtMs < TIMEOUT_MS);
    }
  });

  it("conflict: the same id with another amount", () => {
    const { orders } = contents(only({ missing: 1, conflict: 0.1 }));
    const amounts = new Map<string, Set<number>>();
    for (const { order_id, amount } of orders) {
      amounts.set(order_id, (amounts.get(order_id) ?? new Set()).add(amount));
    }
    assertNear([...amounts.values()].filter((set) => set.size === 2).length, 200);
    assertNear(contents(only({ paid: 1, conflict: 0.1 })).payments.length, 2200, 0.05);
  });

  it("disorder: arrives after newer ones", () => {
    const messages = only({ missing: 1, disorder: 0.3 });
    const delayed = messages.filter(({ arrivalMs, createdAtMs }) => arrivalMs > createdAtMs);
    assertNear(delayed.length, 600);
  });

  it("late: past its expiry even for a watermark that trails by the bound", () => {
    const messages = only({ paid: 1, late: 0.1 });
    const newest = { orders: 0, payments: 0 };
    let late = 0;
    for (const { topic, createdAtMs } of messages) {
      if (newest[topic] - BOUND_MS > createdAtMs + TIMEOUT_MS) late++;
      newest[topic] = Math.max(newest[topic], createdAtMs);
    }
    assertNear(late, 190);
    assert.equal(messages.length, 4000 + late);
  });

  it("malformed and nullValue: extra messages on both topics", () => {
    const messages = only({ missing: 1, malformed: 0.1, nullValue: 0.05 });
    const { orders, malformed, nulls } = contents(messages);
    assert.equal(orders.length, 2000);
    assertNear(malformed, 200);
    assertNear(nulls, 100);
    assert.deepEqual(
      new Set(messages.filter(({ value }) => value === null).map(({ topic }) => topic)).size,
      2,
    );
  });

  it("json: the share of events that is not Avro", () => {
    const messages = only({ paid: 1, json: 0.4 });
    assertNear(messages.filter(({ value }) => value![0] === 0x7b).length, 1600, 0.1);
    assert.equal(contents(messages).malformed, 0);
  });

  it("are all there by default", () => {
    const found = contents([...scenario(options({ orders: 20_000 }))]);
    assert.ok(found.malformed > 0 && found.nulls > 0);
    const gaps = delays(found).filter((delayMs) => !Number.isNaN(delayMs));
    assert.ok(gaps.some((delayMs) => delayMs < 0) && gaps.some((delayMs) => delayMs === TIMEOUT_MS));
  });
});

describe("scenario limits", () => {
  it("runs for ever in bounded memory, at any pace", function () {
    this.timeout(20_000);
    for (const eventRatePerSecond of [1000, 100_000]) {
      let largest = 0;
      let pending = 0;
      let taken = 0;
      let lastOrder = 0;
      for (const { key } of scenario(options({ orders: Number.POSITIVE_INFINITY, eventRatePerSecond }))) {
        // Messages told minus messages taken; an order's number is in its id.
        lastOrder = Math.max(lastOrder, Number(key.split("-")[2]));
        pending = lastOrder * messagesPerOrder(DEFAULT_SHARES, "all") - ++taken;
        largest = Math.max(largest, pending);
        if (taken === 200_000) break;
      }
      assert.ok(largest < 250_000, `${largest} messages pending at ${eventRatePerSecond} orders/s`);
    }
  });

  it("works with a timeout far below the bound", () => {
    const messages = [...scenario(options({ timeoutMs: 600, outOfOrdernessMs: 100 }))];
    const gaps = delays(contents(messages)).filter((delayMs) => !Number.isNaN(delayMs));
    assert.ok(gaps.every((delayMs) => Math.abs(delayMs) <= 600));
    assert.ok([...scenario(options({ timeoutMs: 1, outOfOrdernessMs: 1 }))].length > 3000);
    assert.ok([...scenario(options({ timeoutMs: 5000, outOfOrdernessMs: 60_000 }))].length > 3000);
  });

  it("refuses impossible options at once", () => {
    assert.throws(() => scenario(options({ orders: -1 })), /orders is -1/);
    assert.throws(() => scenario(options({ startMs: 0.5 })), /startMs is 0.5/);
    assert.throws(() => scenario(options({ eventRatePerSecond: 0 })), /eventRatePerSecond is 0/);
    assert.throws(() => scenario(options({ timeoutMs: Number.NaN })), /timeoutMs/);
    assert.throws(() => scenario(options({ shares: { json: 2 } })), /share json/);
  });

  it("are in the format that is asked for, late ones too, and else the same", () => {
    const shares = { paid: 0.5, missing: 0.5, late: 0.1 };
    const single = only(shares);
    const json = only(shares, { valueFormat: { name: "json" } });
    const framed = only(shares, { valueFormat: { name: "confluent", schemaIds: { order: 7, payment: 8 } } });
    assert.deepEqual(
      [single, json, framed].map((each) => [...formatsOf(each)]),
      [["c3"], ["7b"], ["00"]],
    );
    for (const [i, { topic, value }] of framed.entries()) {
      assert.equal(value!.readUInt32BE(1), topic === "orders" ? 7 : 8);
      assert.deepEqual(value!.subarray(5), single[i]!.value!.subarray(10));
    }
  });

  it("knows what is still to come", () => {
    const told = scenario(options({ orders: 200 }));
    const messages = told[Symbol.iterator]();
    let sent = 0;
    while (told.rest().orders > 0) {
      messages.next();
      sent++;
    }
    const { messages: rest, lastArrivalMs } = told.rest();
    const others = [...{ [Symbol.iterator]: () => messages }];
    assert.ok(sent > 200 && rest > 0);
    assert.equal(others.length, rest);
    assert.equal(others.at(-1)!.arrivalMs, lastArrivalMs);
  });
});
