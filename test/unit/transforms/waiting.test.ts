import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader, ByteWriter } from "../../../beam/model/bytes.js";
import { readChangelog } from "../../../beam/sdk/state.js";
import {
  Expired,
  Waiting,
  type WaitingChange,
  waitingChangeCoder,
  waitingCoder,
  waitingLog,
} from "../../../transforms/waiting.js";
import { WaitingEvent, WaitingEvents } from "../../../transforms/waiting_events.js";
import { order, payment } from "./join_stream.js";

/** What waits, whatever the order of those that nothing tells apart. */
function contents({ orders, payments }: Waiting): string[] {
  return [...orders, ...payments].map(({ event, isPaired }) => JSON.stringify([event, isPaired])).sort();
}

function replayed(...parts: Buffer[]): Waiting {
  return readChangelog(waitingLog, new ByteReader(Buffer.concat(parts))).value;
}

/** More than a few in any case, so that an index comes to be. */
const steps = fc.array(
  fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({ add: fc.constantFrom("payment", "payment", "order"), at: fc.nat(200) }),
    },
    { weight: 1, arbitrary: fc.record({ expire: fc.nat(200), countMax: fc.integer({ min: 1, max: 60 }) }) },
  ),
  { minLength: 150, maxLength: 300 },
);

describe("what waits of one order_id", () => {
  it("comes back from its changes, from wherever it was stored whole", () => {
    fc.assert(
      fc.property(steps, fc.nat(300), fc.integer({ min: 0, max: 20 }), (steps, wholeAt, reachMs) => {
        const waiting = new Waiting();
        const whole = new ByteWriter();
        waitingCoder.encode(waiting, whole, "nested");
        const changes = new ByteWriter();
        let count = 0;
        steps.forEach((step, i) => {
          let change: WaitingChange;
          if ("expire" in step) {
            change = new Expired(step.expire, step.countMax);
          } else {
            const isPaired = i % 3 === 0;
            const isFirst = waiting[step.add === "order" ? "orders" : "payments"].size === 0;
            change =
              step.add === "order"
                ? new WaitingEvent("order", order({ created_at: step.at }), isPaired, reachMs, isFirst)
                : new WaitingEvent(
                    "payment",
                    payment({ payment_id: `p${i}`, created_at: step.at }),
                    isPaired,
                    reachMs,
                    isFirst,
                  );
          }
          waitingLog.apply(waiting, change);
          waitingChangeCoder.encode(change, changes, "nested");
          count += change.kind === "expired" ? -change.events.length : 1;
          if (i === wholeAt) {
            whole.reset();
            changes.reset();
            waitingCoder.encode(waiting, whole, "nested");
          }
        });
        assert.equal(waiting.size, count);
        const again = replayed(whole.view(), changes.view());
        assert.deepEqual(contents(again), contents(waiting));
        assert.deepEqual(again.orders.first?.event, waiting.orders.first?.event);
        assert.deepEqual(again.payments.first?.event, waiting.payments.first?.event);
      }),
      { numRuns: 100 },
    );
  });

  it("continues from a value that is stored whole", () => {
    const stored = new ByteWriter();
    stored.writeVarint(1);
    stored.writeByte(0);
    const old = new Waiting();
    old.addOrder(new WaitingEvent("order", order({ created_at: 5 }), false, 0));
    const bytes = new ByteWriter();
    waitingCoder.encode(old, bytes, "nested");
    assert.deepEqual([...bytes.view().subarray(0, 2)], [...stored.view()]);
    const change = new ByteWriter();
    waitingChangeCoder.encode(
      new WaitingEvent("payment", payment({ created_at: 9 }), true, 10),
      change,
      "nested",
    );
    assert.deepEqual(JSON.parse(JSON.stringify(replayed(bytes.view(), change.view()))), {
      orders: [{ event: order({ created_at: 5 }), isPaired: true }],
      payments: [{ event: payment({ created_at: 9 }), isPaired: true }],
    });
  });

  it("gives out those whose time is over as a sorted list would, and finds the others by their ids", () => {
    const events = fc.array(fc.record({ id: fc.nat(60), at: fc.nat(40) }), { minLength: 40, maxLength: 200 });
    fc.assert(
      fc.property(events, fc.array(fc.nat(40), { maxLength: 8 }), (drafts, bounds) => {
        const waiting = new WaitingEvents<ReturnType<typeof payment>>(({ payment_id }) => payment_id);
        let left = drafts.map(({ id, at }) => payment({ payment_id: `p${id}`, created_at: at }));
        for (const event of left) waiting.add(new WaitingEvent("payment", event, false, 0));
        for (const bound of bounds) {
          const taken = waiting.take(bound, 7);
          const due = left
            .filter(({ created_at }) => created_at < bound)
            .sort((a, b) => a.created_at - b.created_at || (a.payment_id < b.payment_id ? -1 : 1));
          const expected = due.slice(0, 7);
          assert.deepEqual(
            taken.map(({ event }) => [event.created_at, event.payment_id]),
            expected.map(({ created_at, payment_id }) => [created_at, payment_id]),
          );
          const gone = new Set(taken.map(({ event }) => event));
          left = left.filter((event) => !gone.has(event));
          assert.equal(waiting.size, left.length);
          assert.equal(waiting.hasCreatedBefore(bound), due.length > 7);
          for (let id = 0; id <= 60; id++) {
            const found: unknown[] = [];
            for (let one = waiting.withId(`p${id}`); one !== undefined; one = one.nextOfId)
              found.push(one.event);
            assert.deepEqual(
              found,
              left.filter(({ payment_id }) => payment_id === `p${id}`),
            );
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});
