/** Random events for property tests: every value that the encoders allow, not only plausible ones. */
import fc from "fast-check";
import type { Order, Payment } from "../../../schemas/events.js";

// "binary" units are whole code points without lone surrogates: what UTF-8 can hold.
const text = fc.oneof(fc.string({ unit: "grapheme-ascii" }), fc.string({ unit: "binary" }), fc.uuid());
const id = text.filter((value) => value !== "");
const timestamp = fc.oneof(
  fc.integer({ min: 1_600_000_000_000, max: 1_900_000_000_000 }),
  fc.integer({ min: -(2 ** 52), max: 2 ** 52 }),
  fc.constantFrom(0, -1, 63, 64, -64, -65, 2 ** 41, 2 ** 41 - 1, -(2 ** 41), 2 ** 34, -(2 ** 52), 2 ** 52),
);
const amount = fc.oneof(fc.nat(100_000), fc.integer(), fc.constantFrom(0, -(2 ** 31), 2 ** 31 - 1));

export const arbitraryOrder: fc.Arbitrary<Order> = fc.record(
  { order_id: id, order_date: timestamp, created_at: timestamp, customer_id: text, amount },
  { noNullPrototype: true },
);

export const arbitraryPayment: fc.Arbitrary<Payment> = fc.record(
  { payment_id: id, order_id: id, payment_date: timestamp, created_at: timestamp, amount },
  { noNullPrototype: true },
);
