/** What a run has counted, by the meaning that it has for orders and payments. */

import type { MetricSource } from "@order-payment-stream/beam";
import type { CounterSource } from "@order-payment-stream/beam/direct";
import type { DeadLetterReason } from "../../transforms/dead_letter.js";

/** Where the events of one topic have gone: `read` is the sum of all others, see `isBalanced`. */
export interface Book {
  readonly read: number;
  readonly paired: number;
  readonly unmatched: number;
  readonly duplicates: number;
  readonly deadLetters: number;
  /** In state, without a partner. */
  readonly waiting: number;
}

export interface Figures {
  readonly orders: Book;
  readonly payments: Book;
  /** Documents; an order with two payments gives two. */
  readonly joined: number;
  readonly unmatched: number;
  /** Those that occurred. */
  readonly deadLetters: Readonly<Partial<Record<DeadLetterReason, number>>>;
  /** Documents whose _id another writer's document has, as far as that was noticed. They are dead letters. */
  readonly idsTaken: number;
}

export const REASONS = [
  "UNDECODABLE",
  "INVALID",
  "NULL_VALUE",
  "FUTURE_TIMESTAMP",
  "LATE",
  "CONFLICT",
  "SINK_REJECTED",
] as const satisfies readonly DeadLetterReason[];

export function figuresOf(metrics: CounterSource): Figures {
  const orders = bookOf(metrics, "orders", "ReadOrders");
  const payments = bookOf(metrics, "payments", "ReadPayments");
  const deadLetters: Partial<Record<DeadLetterReason, number>> = {};
  for (const reason of REASONS) {
    const count = metrics.counter(reason, "WriteDeadLetters");
    if (count > 0) deadLetters[reason] = count;
  }
  return {
    orders,
    payments,
    joined: metrics.counter("pairs", "JoinOrdersPayments") - metrics.counter("refused", "WriteJoined"),
    unmatched: orders.unmatched + payments.unmatched - metrics.counter("refused", "WriteUnmatched"),
    deadLetters,
    idsTaken: metrics.counter("id_taken", "WriteJoined") + metrics.counter("id_taken", "WriteUnmatched"),
  };
}

/** What earlier runs on the same state have counted; undefined when there was none. */
export function earlierFigures({ earlier }: MetricSource): Figures | undefined {
  if (earlier === undefined) return undefined;
  const figures = figuresOf(earlier);
  return figures.orders.read + figures.payments.read > 0 ? figures : undefined;
}

/** What was counted since `before`; what waits is what waits now. */
export function figuresSince(before: Figures | undefined, now: Figures): Figures {
  if (before === undefined) return now;
  const deadLetters: Partial<Record<DeadLetterReason, number>> = {};
  for (const reason of REASONS) {
    const count = (now.deadLetters[reason] ?? 0) - (before.deadLetters[reason] ?? 0);
    if (count > 0) deadLetters[reason] = count;
  }
  return {
    orders: bookSince(before.orders, now.orders),
    payments: bookSince(before.payments, now.payments),
    joined: now.joined - before.joined,
    unmatched: now.unmatched - before.unmatched,
    deadLetters,
    idsTaken: now.idsTaken - before.idsTaken,
  };
}

function bookSince(before: Book, now: Book): Book {
  return {
    read: now.read - before.read,
    paired: now.paired - before.paired,
    unmatched: now.unmatched - before.unmatched,
    duplicates: now.duplicates - before.duplicates,
    deadLetters: now.deadLetters - before.deadLetters,
    waiting: now.waiting,
  };
}

function bookOf(metrics: CounterSource, kind: "orders" | "payments", read: string): Book {
  const ofJoin = (name: string): number => metrics.counter(`${name}_${kind}`, "JoinOrdersPayments");
  return {
    read: metrics.counter("records", read),
    paired: ofJoin("paired"),
    unmatched: ofJoin("unmatched"),
    duplicates: ofJoin("duplicate"),
    deadLetters: metrics.counter("rejected", read) + ofJoin("conflict"),
    waiting: ofJoin("waiting"),
  };
}

/** Whether each event that was read is in exactly one place. True whenever no bundle is under way. */
export function isBalanced({ read, paired, unmatched, duplicates, deadLetters, waiting }: Book): boolean {
  return read === paired + unmatched + duplicates + deadLetters + waiting;
}

export function deadLetterCount(figures: Figures): number {
  return Object.values(figures.deadLetters).reduce((sum, count) => sum + count, 0);
}
