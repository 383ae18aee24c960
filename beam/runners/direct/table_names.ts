/** What the tables of a durable store are called: by names that stay the same as long as the graph does. */

import type { TimedCell } from "../../exec/timed_cell.js";

/** @param transform unique name of the stateful step */
export const stateTableName = (transform: string, cell: string): string => `state/${transform}/${cell}`;
/**
 * A cell whose records have room for the timers without a tag of some families: see timed_records.ts. The name tells how
 * many, whatever they are called.
 */
export const timedStateTableName = (transform: string, { cell, families }: TimedCell): string =>
  `timed/${transform}/${cell}/${families.map(encodeURIComponent).join("+")}`;
export const timerTableName = (transform: string, family: string): string => `timers/${transform}/${family}`;
/** The table of a store that holds the pipeline's counters. */
export const COUNTERS_TABLE = "run/counters";
export const CLOCK_TABLE = "run/clock";
/** The table of a store with the counters of the runs before this one. */
export const EARLIER_COUNTERS_TABLE = "run/counters_of_earlier_runs";
/** The table of a store that says which graph its state belongs to. */
export const IDENTITY_TABLE = "run/identity";
