/**
 * Where the direct runner keeps state, timers and whatever else a restart goes on from: tables by name, in memory.
 * Changes apply to them at once; a durable store also notes each one down, and makes those of whole turns outlive the
 * process.
 */
import type { ByteTable } from "./byte_table.js";
import type { Changes } from "./changes.js";

/** State behind one interface: tables of bytes that commit together. */
export interface Store {
  /** Whether `commit` makes changes outlive the process. If not, none are recorded. */
  readonly isDurable: boolean;
  /** The table with this name; made when it is first asked for, unless an earlier process has committed it. */
  table(name: string): ByteTable;
  /** Names of all tables so far, with their numbers of records. */
  sizes(): ReadonlyMap<string, number>;
  /** Bytes of memory reserved for records. */
  readonly reservedBytes: number;
  /** An empty list of changes: a turn's. */
  newChanges(): Changes;
  /** From now on changes of any table belong to this list; undefined: there must be none. */
  noteIn(changes: Changes | undefined): void;
  /** A list that stayed empty and will not be committed. */
  discard(changes: Changes): void;
  /**
   * Makes the changes of these turns outlive the process, all or nothing. Turns come in the order in which their
   * changes are to apply, none is left out, and one call follows the other. Throws when it cannot: the store is of no
   * use then, and its files hold what was committed before.
   */
  commit(turns: readonly Changes[]): Promise<void>;
  /** After this only what was committed is left. */
  close(): Promise<void>;
}
