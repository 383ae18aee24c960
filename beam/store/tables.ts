/** The tables of a store, by name and by the number that stands for the name in memory and in files. */
import { CorruptBytesError } from "../model/bytes.js";
import { ByteTable } from "./byte_table.js";
import type { Journal, ReplayTarget } from "./journal.js";
import { Slab } from "./slab.js";

export class Tables implements ReplayTarget {
  readonly slab = new Slab();
  readonly #byName = new Map<string, ByteTable>();
  readonly #byNumber = new Map<number, ByteTable>();
  #lastNumber = 0;

  constructor(private readonly journal?: Journal) {}

  get(name: string): ByteTable | undefined {
    return this.#byName.get(name);
  }

  /** A table that is not there yet. */
  add(name: string): ByteTable {
    return this.#add(this.#lastNumber + 1, name);
  }

  byNumber(number: number): ByteTable {
    const table = this.#byNumber.get(number);
    if (table === undefined) throw new CorruptBytesError(`table ${number} has no name`);
    return table;
  }

  nameTable(number: number, name: string): void {
    const known = this.#byName.get(name);
    if (known !== undefined && known.owner === number) return;
    if (known !== undefined || this.#byNumber.has(number)) {
      throw new CorruptBytesError(`table ${number} cannot be ${name}: one of the two is taken`);
    }
    this.#add(number, name);
  }

  names(): ReadonlyMap<string, ByteTable> {
    return this.#byName;
  }

  sizes(): ReadonlyMap<string, number> {
    return new Map([...this.#byName].map(([name, table]) => [name, table.size]));
  }

  #add(number: number, name: string): ByteTable {
    const table = new ByteTable(this.slab, number, this.journal);
    this.#byName.set(name, table);
    this.#byNumber.set(number, table);
    this.#lastNumber = Math.max(this.#lastNumber, number);
    return table;
  }
}
