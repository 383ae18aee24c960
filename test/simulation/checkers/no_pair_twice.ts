/**
 * No order and payment are joined twice. Told by what a pair consists of, not by `_id`: two documents of one pair with
 * different `_id`s are what this looks for.
 */
import { canonical } from "../../oracle/oracle.js";
import { decodePaymentRecord } from "../../oracle/record_decoder.js";
import type { Checker, CheckerFactory } from "./checker.js";
import { storedCollections } from "./stored_collections.js";

export const noPairTwice: CheckerFactory = (world, report): Checker => {
  const check = (): void => {
    const found = new Map<string, number>();
    for (const { _id, ...fields } of storedCollections(world).joined) {
      const text = canonical(fields);
      found.set(text, (found.get(text) ?? 0) + 1);
    }
    if ([...found.values()].every((count) => count === 1)) return;
    // Payments that differ in created_at only give documents that look the same.
    const lookalikes = new Map<string, Set<number>>();
    for (const { topic, value } of world.records()) {
      const decoded = topic === "payments" ? decodePaymentRecord(value) : undefined;
      if (decoded === undefined || !("event" in decoded)) continue;
      const { created_at, ...shown } = decoded.event;
      const key = shownOf(shown);
      const times = lookalikes.get(key) ?? new Set();
      lookalikes.set(key, times.add(created_at));
    }
    for (const [text, count] of found) {
      const fields = Object.fromEntries(JSON.parse(text) as [string, any][]);
      const key = shownOf({
        order_id: fields.order_id,
        payment_id: fields.payment_id,
        payment_date: Date.parse(fields.payment_date.date),
        amount: fields.payment_amount,
      });
      const allowed = lookalikes.get(key)?.size ?? 0;
      if (count > allowed) report(`${count} documents instead of ${allowed}: ${text}`);
    }
  };
  return { onStart: check, onEnd: check };
};

function shownOf(payment: {
  readonly order_id: string;
  readonly payment_id: string;
  readonly payment_date: number;
  readonly amount: number;
}): string {
  const { order_id, payment_id, payment_date, amount } = payment;
  return JSON.stringify([order_id, payment_id, payment_date, amount]);
}
