/** A store that ends with the process. */
import type { ByteTable } from "./byte_table.js";
import type { Changes } from "./changes.js";
import type { Store } from "./store.js";
import { Tables } from "./tables.js";

/** Nobody will ask for them again. */
const NO_CHANGES: Changes = { bytes: 0 };

/** Tables in memory, gone with the process. */
export class MemoryStore implements Store {
  readonly #tables = new Tables();
  readonly isDurable = false;

  table(name: string): ByteTable {
    return this.#tables.get(name) ?? this.#tables.add(name);
  }

  sizes(): ReadonlyMap<string, number> {
    return this.#tables.sizes();
  }

  get reservedBytes(): number {
    return this.#tables.slab.reservedBytes;
  }

  newChanges(): Changes {
    return NO_CHANGES;
  }

  noteIn(): void {}

  discard(): void {}

  async commit(): Promise<void> {}

  async close(): Promise<void> {}
}
