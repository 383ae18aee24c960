/** What comes out of the join, and how it travels to the sinks. */
import { type ByteReader, type ByteWriter, leafCoder } from "@order-payment-stream/beam";
import type { Order, Payment } from "../schemas/events.js";
import { readOrder, readPayment, writeOrder, writePayment } from "./event_coders.js";

export interface Pair {
  readonly order: Order;
  readonly payment: Payment;
  /**
   * When the payment came to Kafka, ms, where it was the payment that completed the pair: how long that takes is
   * measured. It is not stored: a pair that a restart finds waiting is not measured.
   */
  readonly paymentTimestamp?: number;
}

/** An event that found no partner until `expiresAt` (ms), its created_at + T. */
export type Unmatched =
  | { readonly kind: "order"; readonly event: Order; readonly expiresAt: number }
  | { readonly kind: "payment"; readonly event: Payment; readonly expiresAt: number };

export const pairCoder = leafCoder<Pair>(
  "order-payment-stream:coder:pair:v1",
  ({ order, payment }: Pair, out: ByteWriter) => {
    writeOrder(order, out);
    writePayment(payment, out);
  },
  (input: ByteReader) => ({ order: readOrder(input), payment: readPayment(input) }),
);

export const unmatchedCoder = leafCoder<Unmatched>(
  "order-payment-stream:coder:unmatched:v1",
  (unmatched: Unmatched, out: ByteWriter) => {
    out.writeByte(unmatched.kind === "order" ? 0 : 1);
    out.writeDouble(unmatched.expiresAt);
    if (unmatched.kind === "order") writeOrder(unmatched.event, out);
    else writePayment(unmatched.event, out);
  },
  (input: ByteReader) => {
    const isOrder = input.readByte() === 0;
    const expiresAt = input.readDouble();
    return isOrder
      ? { kind: "order", event: readOrder(input), expiresAt }
      : { kind: "payment", event: readPayment(input), expiresAt };
  },
);
