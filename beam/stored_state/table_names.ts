/** What the tables of a stateful step are called: by names that stay the same as long as the step does. */
import type { TimedCell } from "../exec/timed_cell.js";

/** @param transform unique name of the stateful step */
export const stateTableName = (transform: string, cell: string): string => `state/${transform}/${cell}`;
/**
 * A cell whose records have room for the timers without a tag of some families: see timed_records.ts. The name tells how
 * many, whatever they are called.
 */
export const timedStateTableName = (transform: string, { cell, families }: TimedCell): string =>
  `timed/${transform}/${cell}/${families.map(encodeURIComponent).join("+")}`;
export const timerTableName = (transform: string, family: string): string => `timers/${transform}/${family}`;
