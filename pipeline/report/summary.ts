/** What a run says at its end: one line of JSON, or a table for a person; and whether the books balance. */
import { type Book, KINDS, labelOf, PLACES } from "../../schemas/figures.js";
import { deadLetterCount, type Figures, isBalanced } from "./figures.js";

/** What a run counted, by the names of its JSON. Orders and payments are records read. */
export interface Counts {
  readonly orders: number;
  readonly payments: number;
  readonly joined: number;
  readonly unmatched: number;
  readonly duplicates: number;
  /** By reason, those that occurred. */
  readonly dead_letters: Readonly<Record<string, number>>;
  /** Only where there are any: documents whose _id another writer's document has. They are dead letters. */
  readonly ids_taken?: number;
  /** Only where there are any: partitions that the read went on with elsewhere, by AUTO_OFFSET_RESET. */
  readonly positions_lost?: number;
  /** Beside `positions_lost`: offsets that were left out so. */
  readonly offsets_skipped?: number;
}

/** The JSON form: what this run counted. */
export interface Summary extends Counts {
  /** Events that wait without a partner. */
  readonly pending: number;
  readonly duration_ms: number;
  /** Of all runs on the state, where this one went on from an earlier one. */
  readonly total?: Counts;
}

/** @param total of all runs on the state, where this one went on from an earlier one */
export function summaryOf(figures: Figures, durationMs: number, total?: Figures): Summary {
  return {
    ...countsOf(figures),
    pending: pendingOf(figures),
    duration_ms: Math.round(durationMs),
    ...(total !== undefined && { total: countsOf(total) }),
  };
}

export function pendingOf({ orders, payments }: Figures): number {
  return orders.pending + payments.pending;
}

export function countsOf(figures: Figures): Counts {
  const { orders, payments, joined, unmatched, dead_letters, idsTaken, positionsLost } = figures;
  return {
    orders: orders.read,
    payments: payments.read,
    joined,
    unmatched,
    duplicates: orders.duplicates + payments.duplicates,
    dead_letters,
    ...(idsTaken > 0 && { ids_taken: idsTaken }),
    ...(positionsLost > 0 && { positions_lost: positionsLost, offsets_skipped: figures.offsetsSkipped }),
  };
}

/**
 * The table; no line ends in a blank.
 * @param total as for `summaryOf`
 * @param where the results are
 * @param before events of this run that were read before this start
 */
export function summaryText(
  figures: Figures,
  durationMs: number,
  total?: Figures,
  where = "in MongoDB",
  before = 0,
): string {
  const columns = ["read", ...PLACES] as const;
  const row = (label: string, cells: readonly string[]): string =>
    label.padEnd(10) + cells.map((cell, i) => cell.padStart(Math.max(10, columns[i]!.length + 2))).join("");
  const count = (book: Book): string[] => columns.map((name) => formatCount(book[name]));
  const events = figures.orders.read + figures.payments.read;
  const seconds = durationMs / 1000;
  const letters = Object.entries(figures.dead_letters).map(([reason, n]) => `${reason} ${formatCount(n)}`);
  return [
    row("", columns.map(labelOf)),
    ...KINDS.map((kind) => row(kind, count(figures[kind]))),
    "",
    `${formatCount(figures.joined)} joined and ${formatCount(figures.unmatched)} unmatched ${where}`,
    `${formatCount(deadLetterCount(figures))} dead letters${letters.length > 0 ? `: ${letters.join(", ")}` : ""}`,
    ...(figures.idsTaken > 0
      ? [`${formatCount(figures.idsTaken)} documents found their _id taken by another writer`]
      : []),
    ...(figures.positionsLost > 0
      ? [
          `${formatCount(figures.positionsLost)} partitions continued at another offset, ${formatCount(figures.offsetsSkipped)} offsets skipped (AUTO_OFFSET_RESET)`,
        ]
      : []),
    before === 0
      ? `${formatCount(events)} events in ${seconds.toFixed(1)} s`
      : `${formatCount(events - before)} events in ${seconds.toFixed(1)} s since this start, ${formatCount(events)} in the whole run`,
    ...(total === undefined ? [] : [`all runs on this state: ${totalText(total)}`]),
  ].join("\n");
}

function totalText({ orders, payments, joined, unmatched }: Figures): string {
  return `${formatCount(orders.read + payments.read)} events, ${formatCount(joined)} joined, ${formatCount(unmatched)} unmatched`;
}

/** For each topic whose books do not balance, a sentence. Each is a bug, or the sign of an abandoned bundle. */
export function imbalances(figures: Figures): string[] {
  return KINDS.filter((kind) => !isBalanced(figures[kind])).map((kind) => {
    const book = figures[kind];
    const places = PLACES.map((place) => `${book[place]} ${labelOf(place)}`);
    return `THE BOOKS DO NOT BALANCE: ${book.read} ${kind} were read, and there are ${places.join(", ")}`;
  });
}

/** 1,234,567 */
export function formatCount(count: number): string {
  return count.toLocaleString("en-US");
}
