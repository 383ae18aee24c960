/**
 * Where the direct runner keeps state and timers: tables by name. Changes apply at once to the tables; `commit` makes
 * those of the bundles so far outlive the process, if the store can.
 */
import type { ByteTable } from "./byte_table.js";

export interface Store {
  /** The table with this name; made when it is first asked for. */
  table(name: string): ByteTable;
  /** Names of all tables so far, with their numbers of records. */
  sizes(): ReadonlyMap<string, number>;
  /** Bytes of memory reserved for records. */
  readonly reservedBytes: number;
  commit(): Promise<void>;
  close(): Promise<void>;
}
