/** A cell of a stateful step as it lies in a store, for whoever looks at what waits there. */
import { type FrontTimer, readFront } from "../../engine/timed_records.js";
import { ByteReader, type ByteWriter } from "../../model/bytes.js";
import type { Store } from "../../store/store.js";

/** What lies under one key. Reused: valid until the next one, or the next change of the store. */
export interface StoredValue {
  /** The encoded key, and the encoded window behind it. */
  readonly key: ByteReader;
  /** The cell's bytes; empty where the record holds a timer alone. */
  readonly value: ByteReader;
  /** Those without a tag that are kept beside the cell. */
  readonly timers: readonly FrontTimer[];
}

/** Reads one cell of all keys, with the timers that are kept beside it. */
export class StoredCellReader {
  readonly #value = new ByteReader();
  readonly #key = new ByteReader();

  private constructor(
    private readonly store: Pick<Store, "table">,
    /** The table's name. */
    readonly name: string,
  ) {}

  /** The cell of this name of the first step that has one; undefined: none has. */
  static find(store: Pick<Store, "table" | "sizes">, cell: string): StoredCellReader | undefined {
    const name = [...store.sizes().keys()].find((table) => cellOf(table) === cell);
    return name === undefined ? undefined : new StoredCellReader(store, name);
  }

  /** The table of a cell; undefined: the table is none. */
  static ofTable(store: Pick<Store, "table">, name: string): StoredCellReader | undefined {
    return cellOf(name) === undefined ? undefined : new StoredCellReader(store, name);
  }

  /** The cell's name. */
  get cell(): string {
    return cellOf(this.name)!;
  }

  /** Points `out` at the bytes of a key's cell. False: there is nothing. */
  get(key: ByteWriter, out: ByteReader): boolean {
    if (!this.store.table(this.name).get(key, out)) return false;
    if (isTimed(this.name)) readFront(out, slotsOf(this.name));
    return true;
  }

  forEach(visit: (stored: StoredValue) => void): void {
    const table = this.store.table(this.name);
    const [key, value] = [this.#key, this.#value];
    table.forEach((address) => {
      table.readKey(address, key);
      table.readValue(address, value);
      visit({ key, value, timers: isTimed(this.name) ? readFront(value, slotsOf(this.name)) : [] });
    });
  }
}

/** Names as in table_names.ts. */
function cellOf(table: string): string | undefined {
  const parts = table.split("/");
  if (parts[0] === "state") return parts.at(-1);
  return parts[0] === "timed" ? parts.at(-2) : undefined;
}

function isTimed(table: string): boolean {
  return table.startsWith("timed/");
}

/** How many families have room in the table's records. */
function slotsOf(table: string): number {
  return table.split("/").at(-1)!.split("+").length;
}
