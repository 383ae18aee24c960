import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader, ByteWriter, CorruptBytesError } from "../../../beam/model/bytes.js";
import type { Coder } from "../../../beam/model/coders/coder.js";
import { encodeToBytes } from "../../../beam/model/coders/encode_to_bytes.js";
import { coderFromProto } from "../../../beam/model/coders/registry.js";
import { readChangelog } from "../../../beam/sdk/state.js";
import type { Order, Payment } from "../../../schemas/events.js";
import type { DeadLetter } from "../../../transforms/dead_letter.js";
import { deadLetterCoder } from "../../../transforms/dead_letter_coder.js";
import { orderCoder, paymentCoder } from "../../../transforms/event_coders.js";
import { pairCoder, unmatchedCoder } from "../../../transforms/outcomes.js";
import {
  ReceivedEvent,
  receivedOrderCoder,
  receivedPaymentCoder,
} from "../../../transforms/received_event.js";
import { Waiting, waitingChangeCoder, waitingCoder, waitingLog } from "../../../transforms/waiting.js";
import { WaitingEvent } from "../../../transforms/waiting_events.js";
import { arbitraryOrder, arbitraryPayment } from "../schemas/arbitraries.js";
import { order, payment } from "./join_stream.js";

/** Encodes two values behind one another, with bytes in front, and reads them back to the byte. */
function roundTrip<T>(coder: Coder<T>, value: T): T {
  const bytes = encodeToBytes(coder, value, "nested");
  const reader = new ByteReader(Buffer.concat([Buffer.from([1, 2, 3]), bytes, bytes, Buffer.from([4])]), 3);
  const first = coder.decode(reader, "nested");
  assert.deepEqual(coder.decode(reader, "nested"), first);
  assert.equal(reader.remaining, 1);
  return first;
}

const flagged = <E>(event: fc.Arbitrary<E>) =>
  fc.record({ event, isPaired: fc.boolean() }, { noNullPrototype: true });

type Flagged<E> = { readonly event: E; readonly isPaired: boolean };

function waitingOf(orders: readonly Flagged<Order>[], payments: readonly Flagged<Payment>[]): Waiting {
  const waiting = new Waiting();
  for (const { event, isPaired } of orders) waiting.addOrder(new WaitingEvent("order", event, isPaired, 0));
  for (const { event, isPaired } of payments) {
    waiting.addPayment(new WaitingEvent("payment", event, isPaired, 0));
  }
  return waiting;
}

describe("coders of the join", () => {
  it("give back every order and payment", () => {
    fc.assert(fc.property(arbitraryOrder, (event) => assert.deepEqual(roundTrip(orderCoder, event), event)));
    fc.assert(
      fc.property(arbitraryPayment, (event) => assert.deepEqual(roundTrip(paymentCoder, event), event)),
    );
  });

  it("give back pairs and unmatched events", () => {
    fc.assert(
      fc.property(arbitraryOrder, arbitraryPayment, (order, payment) => {
        assert.deepEqual(roundTrip(pairCoder, { order, payment }), { order, payment });
        const alone = { kind: "order", event: order, expiresAt: order.created_at + 0.5 } as const;
        assert.deepEqual(roundTrip(unmatchedCoder, alone), alone);
        const other = { kind: "payment", event: payment, expiresAt: payment.created_at } as const;
        assert.deepEqual(roundTrip(unmatchedCoder, other), other);
      }),
    );
  });

  it("give back what waits, with its flags", () => {
    fc.assert(
      fc.property(
        fc.array(flagged(arbitraryOrder), { maxLength: 4 }),
        fc.array(flagged(arbitraryPayment), { maxLength: 4 }),
        (orders, payments) => {
          const bytes = encodeToBytes(waitingCoder, waitingOf(orders, payments), "nested");
          const { value, changes } = readChangelog(waitingLog, new ByteReader(bytes));
          assert.deepEqual(JSON.parse(JSON.stringify(value)), { orders, payments });
          assert.equal(changes, orders.length + payments.length);
        },
      ),
    );
  });

  it("refuse flags and changes that no waiting event has", () => {
    const bytes = encodeToBytes(waitingCoder, waitingOf([{ event: order(), isPaired: false }], []), "nested");
    bytes[1] = 4;
    assert.throws(() => waitingCoder.decode(new ByteReader(bytes), "nested"), CorruptBytesError);
    const change = Buffer.from([5]);
    assert.throws(() => waitingChangeCoder.decode(new ByteReader(change), "nested"), CorruptBytesError);
  });

  it("give back received events with key and value as received, also null and empty ones", () => {
    const bytes = fc.option(
      fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array)),
      { nil: null },
    );
    fc.assert(
      fc.property(arbitraryOrder, bytes, bytes, fc.nat(), (event, key, value, offset) => {
        const received = receivedFrom(event, key, value, offset);
        const copy = roundTrip(receivedOrderCoder, received);
        assert.deepEqual(copy.event, event);
        assert.deepEqual(copy.key, key);
        assert.deepEqual(copy.value, value);
        const { partitionWatermark, from, timestamp } = copy;
        assert.deepEqual(
          { partitionWatermark, from, offset: copy.offset, timestamp },
          {
            partitionWatermark: -1.5e15,
            from: { topic: "topic ü", partition: 3, log: "aTopicsId" },
            offset,
            timestamp: -1,
          },
        );
      }),
    );
    const copy = roundTrip(receivedPaymentCoder, receivedFrom(payment(), Buffer.from("k"), null, 2 ** 40));
    assert.deepEqual(
      [copy.event, copy.key, copy.value, copy.offset],
      [payment(), Buffer.from("k"), null, 2 ** 40],
    );
  });

  it("read received events that were written before they told of which log they are", () => {
    const out = new ByteWriter();
    orderCoder.encode(order(), out, "nested");
    out.writeDouble(-1.5e15);
    out.writeString("topic");
    out.writeVarint(3);
    out.writeVarint(77);
    out.writeDouble(5);
    out.writeByte(0);
    out.writeByte(0);
    const received = receivedOrderCoder.decode(new ByteReader(Buffer.from(out.view())), "nested");
    assert.deepEqual(received.from, { topic: "topic", partition: 3, log: "" });
    assert.deepEqual([received.offset, received.key, received.value], [77, null, null]);
  });

  it("give back dead letters, with their bytes and both versions of a conflict", () => {
    const letters: DeadLetter[] = [
      {
        reason: "CONFLICT",
        message: "m",
        topic: "t",
        partition: 1,
        offset: 2 ** 45,
        log: "aTopicsId",
        timestamp: 1_700_000_000_000,
        key: Buffer.from("k"),
        value: Buffer.from([0, 255]),
        conflict: { kind: "order", first: order(), event: order({ amount: 2 }) },
      },
      {
        reason: "INVALID",
        field: "amount",
        message: "m",
        topic: "t",
        partition: 0,
        offset: 0,
        log: "",
        timestamp: -1,
        key: null,
        value: null,
      },
      {
        reason: "CONFLICT",
        message: "m",
        topic: "folder/file.avro",
        partition: 2 ** 40,
        offset: 3,
        log: "file",
        timestamp: -1,
        key: null,
        value: Buffer.alloc(0),
        conflict: { kind: "payment", first: payment(), event: payment({ amount: -2 }) },
        cuts: {
          value: { length: 2 ** 33, sha256: "ab".repeat(32) },
          "first.payment_id": { length: 7, sha256: "cd".repeat(32) },
        },
      },
      {
        reason: "SINK_REJECTED",
        message: "too large",
        collection: "c",
        code: 121,
        documentId: "x",
        document: { _id: "x", at: new Date(5), text: "é" },
      },
    ];
    for (const letter of letters) assert.deepEqual(roundTrip(deadLetterCoder, letter), letter);
    assert.throws(
      () => deadLetterCoder.decode(new ByteReader(Buffer.from([7])), "nested"),
      CorruptBytesError,
    );
  });

  it("are found again by a worker", () => {
    for (const coder of [
      orderCoder,
      paymentCoder,
      pairCoder,
      unmatchedCoder,
      waitingCoder,
      receivedOrderCoder,
      receivedPaymentCoder,
      deadLetterCoder,
    ]) {
      const proto = (coder as Coder<any>).toProto({ getCoderId: () => assert.fail("it has no components") });
      assert.equal(coderFromProto("c", { c: proto }), coder);
      assert.match(proto.spec!.urn, /^order-payment-stream:coder:[a-z_]+:v[12]$/);
    }
  });
});

function receivedFrom<E>(
  event: E,
  key: Buffer | null,
  value: Buffer | null,
  offset: number,
): ReceivedEvent<E> {
  const buffer = Buffer.concat([Buffer.from("front"), key ?? Buffer.alloc(0), value ?? Buffer.alloc(0)]);
  const keyStart = 5;
  const keyEnd = keyStart + (key?.length ?? 0);
  return new ReceivedEvent(
    event,
    -1.5e15,
    { topic: "topic ü", partition: 3, log: "aTopicsId" },
    offset,
    -1,
    buffer,
    key === null ? -1 : keyStart,
    key === null ? -1 : keyEnd,
    value === null ? -1 : keyEnd,
    value === null ? -1 : keyEnd + value.length,
  );
}
