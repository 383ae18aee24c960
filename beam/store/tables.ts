/** The tables of a store, by name and by the number that stands for the name in memory and in files. */
import { CorruptBytesError } from "../model/bytes.js";
import { ByteTable } from "./byte_table.js";
import type { Journal, ReplayTarget } from "./journal.js";
import { Slab } from "./slab.js";

/** What the name of a table begins with that holds nothing, but says which directory the files are of. */
const DIRECTORY_NAME = "directory/";

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

  /** Of a new store: from then on its files tell themselves from those of others. */
  nameDirectory(id: string): void {
    this.add(DIRECTORY_NAME + id);
  }

  byNumber(number: number): ByteTable {
    const table = this.#byNumber.get(number);
    if (table === undefined) throw new CorruptBytesError(`table ${number} has no name`);
    return table;
  }

  nameTable(number: number, name: string): void {
    const known = this.#byName.get(name);
    if (known !== undefined && known.owner === number) return;
    const isOther = name.startsWith(DIRECTORY_NAME) && known === undefined && this.#byNumber.has(number);
    if (isOther) throw new CorruptBytesError("it belongs to another state directory");
    if (known !== undefined || this.#byNumber.has(number)) {
      throw new CorruptBytesError(`table ${number} cannot be ${name}: one of the two is taken`);
    }
    this.#add(number, name);
  }

  names(): ReadonlyMap<string, ByteTable> {
    return this.#byName;
  }

  sizes(): ReadonlyMap<string, number> {
    const tables = [...this.#byName].filter(([name]) => !name.startsWith(DIRECTORY_NAME));
    return new Map(tables.map(([name, table]) => [name, table.size]));
  }

  #add(number: number, name: string): ByteTable {
    const table = new ByteTable(this.slab, number, this.journal);
    this.#byName.set(name, table);
    this.#byNumber.set(number, table);
    this.#lastNumber = Math.max(this.#lastNumber, number);
    return table;
  }
}
