import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader, ByteWriter } from "../../../beam/model/bytes.js";
import { encodeToBytes } from "../../../beam/model/coders/encode_to_bytes.js";
import { Expired, Waiting, waitingCoder } from "../../../transforms/waiting.js";
import { WaitingEvent } from "../../../transforms/waiting_events.js";
import { WaitingOverview } from "../../../transforms/waiting_overview.js";
import { order, payment } from "./join_stream.js";

interface Arrived {
  readonly isOrder: boolean;
  readonly at: number;
  readonly isPaired: boolean;
}

const arrived = fc.array(
  fc.record({ isOrder: fc.boolean(), at: fc.integer({ min: -5, max: 20 }), isPaired: fc.boolean() }),
  { maxLength: 12 },
);

function waitingOf(all: readonly Arrived[]): Waiting {
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

/** State that holds one value. */
class OneValue {
  readonly add = (): never => assert.fail();
  bytes: Buffer;

  /** @param isWhole there are no changes behind it */
  constructor(
    private readonly waiting: Waiting,
    private readonly isWhole: boolean,
  ) {
    this.bytes = encodeToBytes(waitingCoder, waiting, "nested");
  }

  read(): Waiting {
    return this.waiting;
  }

  clear(): void {
    this.bytes = Buffer.of(0);
  }

  peek(look: (bytes: ByteReader) => void): boolean {
    const reader = new ByteReader(this.isWhole ? this.bytes : Buffer.concat([this.bytes, Buffer.of(0)]));
    look(reader);
    return reader.remaining === 0;
  }

  replace(write: (bytes: ByteWriter) => void): void {
    const writer = new ByteWriter();
    write(writer);
    this.bytes = writer.toBytes();
  }
}

function overviewOf(state: OneValue, bound: number) {
  const overview = new WaitingOverview();
  // What it said of another key is forgotten.
  overview.lookAt(new OneValue(waitingOf([{ isOrder: true, at: 3, isPaired: false }]), true), 5);
  overview.lookAt(state, bound);
  return overview;
}

const facts = ({ size, firstOrderAt, firstPaymentAt, hasExpired, isNothingToTell }: WaitingOverview) => ({
  size,
  firstOrderAt,
  firstPaymentAt,
  hasExpired,
  isNothingToTell,
});

describe("the overview of what waits", () => {
  it("says of bytes and of a value what the events say", () => {
    fc.assert(
      fc.property(arrived, fc.integer({ min: -6, max: 21 }), (all, bound) => {
        const waiting = waitingOf(all);
        const expired = all.filter(({ at }) => at < bound);
        const firstAt = (isOrder: boolean): number =>
          all.find((one) => one.isOrder === isOrder)?.at ?? Number.NaN;
        const expected = {
          size: all.length,
          firstOrderAt: firstAt(true),
          firstPaymentAt: firstAt(false),
          hasExpired: expired.length > 0,
        };
        const isNothingToTell = expired.every(({ isPaired }) => isPaired);
        const ofBytes = facts(overviewOf(new OneValue(waiting, true), bound));
        assert.deepEqual(ofBytes, { ...expected, isNothingToTell });
        const ofValue = facts(overviewOf(new OneValue(waiting, false), bound));
        assert.deepEqual(ofValue, { ...expected, isNothingToTell: false });
      }),
      { numRuns: 300 },
    );
  });

  it("takes out what has expired", () => {
    fc.assert(
      fc.property(arrived, fc.integer({ min: -6, max: 21 }), (all, bound) => {
        const paired = all.map((one) => (one.at < bound ? { ...one, isPaired: true } : one));
        const waiting = waitingOf(paired);
        const state = new OneValue(waiting, true);
        overviewOf(state, bound).keepOthers(state);
        // Anew, as what waits is linked to others; and with what it was told when it came.
        const left = waitingOf(paired);
        left.take(new Expired(bound, all.length));
        assert.deepEqual(state.bytes, encodeToBytes(waitingCoder, left, "nested"));
      }),
      { numRuns: 300 },
    );
  });
});
