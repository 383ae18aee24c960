/**
 * What a state directory holds, without a lock and without a change: for whoever looks at it, also beside the process
 * that it belongs to. What is read is what had been committed when the reading began, or a little later.
 */
import type { ByteTable } from "./byte_table.js";
import { Journal } from "./journal.js";
import { LocalDirectory } from "./local_directory.js";
import { classify, type Recovered, recover } from "./recovery.js";
import type { Store } from "./store.js";
import { Tables } from "./tables.js";

/** A process that writes a snapshot removes the files before it: then it is read again. */
const ATTEMPTS_MAX = 5;

/** The tables of a state that is only looked at. */
export interface StateReading extends Pick<Store, "table" | "sizes" | "reservedBytes"> {
  readonly recovered: Recovered;
  /** Names of all tables. */
  names(): readonly string[];
}

/**
 * Undefined for a directory in which there is nothing.
 * @throws StoreError for one that is damaged, or no state's
 */
export async function readState(path: string): Promise<StateReading | undefined> {
  const directory = await LocalDirectory.open(path);
  for (let attempt = 1; ; attempt++) {
    const names = await directory.list();
    if (names.length === 0) return undefined;
    const journal = new Journal();
    const tables = new Tables(journal);
    try {
      const recovered = await recover(directory, classify(path, names), tables);
      return {
        recovered,
        table: (name: string): ByteTable => tables.get(name) ?? tables.add(name),
        sizes: () => tables.sizes(),
        names: () => [...tables.names().keys()],
        reservedBytes: tables.slab.reservedBytes,
      };
    } catch (error) {
      const isChanged = (await directory.list()).join() !== names.join();
      if (!isChanged || attempt >= ATTEMPTS_MAX) throw error;
    }
  }
}
