/** What the tables of a durable store are called that are of no step: those of steps are in ../../stored_state/table_names.ts. */

/** The table of a store that holds the pipeline's counters. */
export const COUNTERS_TABLE = "run/counters";
export const CLOCK_TABLE = "run/clock";
/** The table of a store with the counters of the runs before this one. */
export const EARLIER_COUNTERS_TABLE = "run/counters_of_earlier_runs";
/** The table of a store that says which graph its state belongs to. */
export const IDENTITY_TABLE = "run/identity";
