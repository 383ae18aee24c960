import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader } from "../../../beam/model/bytes.js";
import { encodeToBytes } from "../../../beam/model/coders/encode_to_bytes.js";
import { Waiting, waitingCoder } from "../../../transforms/waiting.js";
import { WaitingEvent } from "../../../transforms/waiting_events.js";
import { WaitingOverview } from "../../../transforms/waiting_overview.js";
import { order, payment } from "./join_stream.js";

const events = (lengths: { minLength: number; maxLength: number }) =>
  fc.array(
    fc.record({ isOrder: fc.boolean(), at: fc.integer({ min: -5, max: 20 }), isPaired: fc.boolean() }),
    lengths,
  );

function waitingOf(all: readonly { isOrder: boolean; at: number; isPaired: boolean }[]): Waiting {
  const waiting = new Waiting();
  all.forEach(({ isOrder, at, isPaired }, i) => {
    const cameFirst = (isOrder ? waiting.orders : waiting.payments).size === 0;
    if (isOrder) {
      const event = order({ created_at: at, customer_id: "ü".repeat(i) });
      waiting.addOrder(new WaitingEvent("order", event, isPaired, 0, cameFirst));
    } else {
      const event = payment({ payment_id: `p${i}`, created_at: at, amount: -i });
      waiting.addPayment(new WaitingEvent("payment", event, isPaired, 0, cameFirst));
    }
  });
  return waiting;
}

/** @param bytes whether the value lies there so that it can be looked at */
function overviewOf(waiting: Waiting, bound: number, bytes: boolean): object {
  const overview = new WaitingOverview();
  const state = {
    read: () => waiting,
    add: () => assert.fail(),
    clear: () => assert.fail(),
    peek(look: (bytes: ByteReader) => void): boolean {
      const value = encodeToBytes(waitingCoder, waiting, "nested");
      // What was looked at of a value with changes behind it says nothing.
      const reader = new ByteReader(bytes ? value : Buffer.concat([value, Buffer.from([0])]));
      look(reader);
      return reader.remaining === 0;
    },
  };
  overview.lookAt(state, bound);
  const { size, firstOrderAt, firstPaymentAt, hasExpired, isNothingToTell, hasOthers } = overview;
  return { size, firstOrderAt, firstPaymentAt, hasExpired, isNothingToTell, hasOthers };
}

describe("the overview of what waits", () => {
  it("is the same from bytes and from the value, and what the events say", () => {
    fc.assert(
      fc.property(events({ minLength: 0, maxLength: 8 }), fc.integer({ min: -6, max: 21 }), (all, bound) => {
        const waiting = waitingOf(all);
        const expired = all.filter(({ at }) => at < bound);
        const firstAt = (isOrder: boolean): number =>
          all.find((one) => one.isOrder === isOrder)?.at ?? Number.NEGATIVE_INFINITY;
        const expected = {
          size: all.length,
          firstOrderAt: firstAt(true),
          firstPaymentAt: firstAt(false),
          hasExpired: expired.length > 0,
          isNothingToTell: expired.every(({ isPaired }) => isPaired),
          hasOthers: expired.length < all.length,
        };
        assert.deepEqual(overviewOf(waiting, bound, true), expected);
        assert.deepEqual(overviewOf(waiting, bound, false), expected);
      }),
      { numRuns: 300 },
    );
  });

  it("does not look at all of very many", () => {
    const waiting = waitingOf(
      Array.from({ length: 40 }, (_, at) => ({ isOrder: false, at, isPaired: true })),
    );
    for (const [bound, hasExpired] of [
      [0, false],
      [1, true],
    ] as const) {
      assert.deepEqual(overviewOf(waiting, bound, false), {
        size: 40,
        firstOrderAt: Number.NEGATIVE_INFINITY,
        firstPaymentAt: 0,
        hasExpired,
        isNothingToTell: false,
        hasOthers: false,
      });
    }
  });
});
