/**
 * The names under which a run counts orders and payments. One set for all who show it: the counters of the join, progress,
 * the summary and its JSON, the page, the metrics. Collections and folders of results are named so, too.
 */

export const KINDS = ["orders", "payments"] as const;
export type Kind = (typeof KINDS)[number];

/** Where an event can be that was read. Pending: in state, without a partner. */
export const PLACES = ["joined", "unmatched", "duplicates", "dead_letters", "pending"] as const;
export type Place = (typeof PLACES)[number];

/** Where the events of one topic have gone, in events. */
export interface Book extends Readonly<Record<Place, number>> {
  readonly read: number;
}

/** What was counted of both topics. */
export interface Tally {
  readonly orders: Book;
  readonly payments: Book;
  /** Documents; an order with two payments gives two. */
  readonly joined: number;
  readonly unmatched: number;
  /** By reason, those that occurred. */
  readonly dead_letters: Readonly<Partial<Record<string, number>>>;
}

export const NO_BOOK: Book = {
  read: 0,
  joined: 0,
  unmatched: 0,
  duplicates: 0,
  dead_letters: 0,
  pending: 0,
};

/** Events that were read and are in no place. 0 whenever no bundle is under way. */
export function missingOf(book: Book): number {
  return PLACES.reduce((left, place) => left - book[place], book.read);
}

/** As people read it: "dead letters". */
export function labelOf(name: Place | "read"): string {
  return name.replaceAll("_", " ");
}
