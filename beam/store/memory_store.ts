/** A store that ends with the process. */
import { ByteTable } from "./byte_table.js";
import { Slab } from "./slab.js";
import type { Changes, Store } from "./store.js";

/** Nobody will ask for them again. */
const NO_CHANGES: Changes = { bytes: 0 };

export class MemoryStore implements Store {
  readonly #slab = new Slab();
  readonly #tables = new Map<string, ByteTable>();
  readonly isDurable = false;

  table(name: string): ByteTable {
    let table = this.#tables.get(name);
    if (table === undefined) {
      table = new ByteTable(this.#slab, this.#tables.size + 1);
      this.#tables.set(name, table);
    }
    return table;
  }

  sizes(): ReadonlyMap<string, number> {
    return new Map([...this.#tables].map(([name, table]) => [name, table.size]));
  }

  get reservedBytes(): number {
    return this.#slab.reservedBytes;
  }

  newChanges(): Changes {
    return NO_CHANGES;
  }

  noteIn(): void {}

  async commit(): Promise<void> {}

  async close(): Promise<void> {}
}
