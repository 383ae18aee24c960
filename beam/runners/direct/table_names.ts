/** What the tables of a durable store are called: by names that stay the same as long as the graph does. */

/** @param transform unique name of the stateful step */
export const stateTableName = (transform: string, cell: string): string => `state/${transform}/${cell}`;
export const timerTableName = (transform: string, family: string): string => `timers/${transform}/${family}`;
export const COUNTERS_TABLE = "run/counters";
export const CLOCK_TABLE = "run/clock";
export const IDENTITY_TABLE = "run/identity";
