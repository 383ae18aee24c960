/** What a run has counted, by the meaning that it has for orders and payments. */

import type { MetricSource } from "@order-payment-stream/beam";
import type { CounterSource } from "@order-payment-stream/beam/direct";
import { type Book, type Kind, missingOf, PLACES, type Place, type Tally } from "../../schemas/figures.js";
import { DEAD_LETTER_REASONS, type DeadLetterReason } from "../../transforms/dead_letter.js";

export interface Figures extends Tally {
  readonly dead_letters: Readonly<Partial<Record<DeadLetterReason, number>>>;
  /** Documents whose _id another writer's document has, as far as that was noticed. They are dead letters. */
  readonly idsTaken: number;
  /** Partitions that the read went on with elsewhere, by AUTO_OFFSET_RESET, and offsets that it left out so. */
  readonly positionsLost: number;
  readonly offsetsSkipped: number;
}

const JOIN = "JoinOrdersPayments";

export function figuresOf(metrics: CounterSource): Figures {
  const orders = bookOf(metrics, "orders", "ReadOrders");
  const payments = bookOf(metrics, "payments", "ReadPayments");
  const dead_letters: Partial<Record<DeadLetterReason, number>> = {};
  for (const reason of DEAD_LETTER_REASONS) {
    const count = metrics.counter(reason, "WriteDeadLetters");
    if (count > 0) dead_letters[reason] = count;
  }
  return {
    orders,
    payments,
    joined: countOfJoin(metrics, "joined") - metrics.counter("refused", "WriteJoined"),
    unmatched: orders.unmatched + payments.unmatched - metrics.counter("refused", "WriteUnmatched"),
    dead_letters,
    idsTaken: metrics.counter("id_taken", "WriteJoined") + metrics.counter("id_taken", "WriteUnmatched"),
    positionsLost: countOfReads(metrics, "positions_lost"),
    offsetsSkipped: countOfReads(metrics, "offsets_skipped"),
  };
}

/** What earlier runs on the same state have counted; undefined when there was none. */
export function earlierFigures({ earlier }: MetricSource): Figures | undefined {
  if (earlier === undefined) return undefined;
  const figures = figuresOf(earlier);
  return figures.orders.read + figures.payments.read > 0 ? figures : undefined;
}

/** What was counted since `before`; what is pending is what is pending now. */
export function figuresSince(before: Figures | undefined, now: Figures): Figures {
  if (before === undefined) return now;
  const dead_letters: Partial<Record<DeadLetterReason, number>> = {};
  for (const reason of DEAD_LETTER_REASONS) {
    const count = (now.dead_letters[reason] ?? 0) - (before.dead_letters[reason] ?? 0);
    if (count > 0) dead_letters[reason] = count;
  }
  return {
    orders: bookSince(before.orders, now.orders),
    payments: bookSince(before.payments, now.payments),
    joined: now.joined - before.joined,
    unmatched: now.unmatched - before.unmatched,
    dead_letters,
    idsTaken: now.idsTaken - before.idsTaken,
    positionsLost: now.positionsLost - before.positionsLost,
    offsetsSkipped: now.offsetsSkipped - before.offsetsSkipped,
  };
}

function countOfReads(metrics: CounterSource, name: string): number {
  return metrics.counter(name, "ReadOrders") + metrics.counter(name, "ReadPayments");
}

function bookSince(before: Book, now: Book): Book {
  const since = { read: now.read - before.read } as Record<Place | "read", number>;
  for (const place of PLACES) since[place] = place === "pending" ? now.pending : now[place] - before[place];
  return since;
}

function bookOf(metrics: CounterSource, kind: Kind, read: string): Book {
  const book = { read: metrics.counter("records", read) } as Record<Place | "read", number>;
  for (const place of PLACES) book[place] = countOfJoin(metrics, `${place}_${kind}`);
  book.dead_letters += metrics.counter("rejected", read);
  return book;
}

function countOfJoin(metrics: CounterSource, name: string): number {
  return metrics.counter(name, JOIN);
}

/** Whether each event that was read is in exactly one place. True whenever no bundle is under way. */
export function isBalanced(book: Book): boolean {
  return missingOf(book) === 0;
}

export function deadLetterCount(figures: Figures): number {
  return Object.values(figures.dead_letters).reduce((sum, count) => sum + count, 0);
}
