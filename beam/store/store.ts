/**
 * Where the direct runner keeps state and timers: tables by name, in memory. Changes apply to them at once. What a turn
 * changed is taken with `takeChanges`, and outlives the process, if the store can do that, with `commit`.
 */
import type { ByteWriter } from "../model/bytes.js";
import type { ByteTable } from "./byte_table.js";

/** What the tables went through between two calls of `takeChanges`. */
export interface Changes {
  /** What writing them takes. */
  readonly bytes: number;
}

export interface Store {
  /** The table with this name; made when it is first asked for, unless it was committed by an earlier process. */
  table(name: string): ByteTable;
  /** Names of all tables so far, with their numbers of records. */
  sizes(): ReadonlyMap<string, number>;
  /** Bytes of memory reserved for records. */
  readonly reservedBytes: number;
  /** What the last commit of an earlier process said beside the tables; undefined: there was none. */
  readonly progress: Buffer | undefined;
  /** Of the graph whose state this is, as the first run said it; undefined: there was none. */
  readonly identity: string | undefined;
  /** Says whose state this will be. Once, before the first commit. */
  begin(identity: string): void;
  /** What changed since the last call: a turn. */
  takeChanges(): Changes;
  /**
   * Makes the changes of some turns outlive the process, with what else is to be known where they end: all or nothing.
   * Turns come in the order in which they were taken, none is left out, and one call follows the other. `progress`
   * belongs to the store until this ends. Breaks when it cannot: the store is of no use then, and its files hold what
   * was committed before.
   */
  commit(turns: readonly Changes[], progress: ByteWriter): Promise<void>;
  close(): Promise<void>;
}
