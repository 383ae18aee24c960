/** What a run says at its end: one line of JSON, or a table for a person; and whether the books balance. */
import { type Book, deadLetterCount, type Figures, isBalanced } from "./figures.js";

/** Orders and payments are records read. */
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
    pending: figures.orders.waiting + figures.payments.waiting,
    duration_ms: Math.round(durationMs),
    ...(total !== undefined && { total: countsOf(total) }),
  };
}

function countsOf({ orders, payments, joined, unmatched, deadLetters, idsTaken }: Figures): Counts {
  return {
    orders: orders.read,
    payments: payments.read,
    joined,
    unmatched,
    duplicates: orders.duplicates + payments.duplicates,
    dead_letters: deadLetters,
    ...(idsTaken > 0 && { ids_taken: idsTaken }),
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
  const { orders, payments } = figures;
  const columns: readonly [string, (book: Book) => number][] = [
    ["read", (book) => book.read],
    ["paired", (book) => book.paired],
    ["unmatched", (book) => book.unmatched],
    ["duplicates", (book) => book.duplicates],
    ["dead letters", (book) => book.deadLetters],
    ["waiting", (book) => book.waiting],
  ];
  const row = (label: string, cells: readonly string[]): string =>
    label.padEnd(10) +
    cells.map((cell, i) => cell.padStart(Math.max(10, columns[i]![0].length + 2))).join("");
  const count = (book: Book): string[] => columns.map(([, of]) => formatCount(of(book)));
  const events = orders.read + payments.read;
  const seconds = durationMs / 1000;
  const letters = Object.entries(figures.deadLetters).map(([reason, n]) => `${reason} ${formatCount(n)}`);
  return [
    row(
      "",
      columns.map(([name]) => name),
    ),
    row("orders", count(orders)),
    row("payments", count(payments)),
    "",
    `${formatCount(figures.joined)} pairs and ${formatCount(figures.unmatched)} unmatched ${where}`,
    `${formatCount(deadLetterCount(figures))} dead letters${letters.length > 0 ? `: ${letters.join(", ")}` : ""}`,
    ...(figures.idsTaken > 0
      ? [`${formatCount(figures.idsTaken)} documents found another writer's under their _id`]
      : []),
    before === 0
      ? `${formatCount(events)} events in ${seconds.toFixed(1)} s`
      : `${formatCount(events - before)} events in ${seconds.toFixed(1)} s since this start, ${formatCount(events)} in the whole run`,
    ...(total === undefined ? [] : [`all runs on this state: ${totalText(total)}`]),
  ].join("\n");
}

function totalText({ orders, payments, joined, unmatched }: Figures): string {
  const [read, pairs, alone] = [orders.read + payments.read, joined, unmatched].map(formatCount);
  return `${read} events, ${pairs} pairs, ${alone} unmatched`;
}

/** For each topic whose books do not balance, a sentence. Each is a bug, or the sign of an abandoned bundle. */
export function imbalances({ orders, payments }: Figures): string[] {
  const books: readonly [string, Book][] = [
    ["orders", orders],
    ["payments", payments],
  ];
  return books
    .filter(([, book]) => !isBalanced(book))
    .map(
      ([kind, book]) =>
        `THE BOOKS DO NOT BALANCE: of ${book.read} ${kind} read, ${book.paired} were paired, ` +
        `${book.unmatched} unmatched, ${book.duplicates} duplicates, ${book.deadLetters} dead letters, ` +
        `and ${book.waiting} wait`,
    );
}

/** 1,234,567 */
export function formatCount(count: number): string {
  return count.toLocaleString("en-US");
}
