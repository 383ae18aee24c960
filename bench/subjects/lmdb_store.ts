/**
 * Stores for comparison: the same tables in memory and the same lists of changes as the product's, kept in LMDB in
 * place of a log. A commit is one synced transaction.
 */
import { open, type RootDatabase } from "lmdb";
import { ByteReader, type ByteWriter } from "../../beam/model/bytes.js";
import type { ByteTable } from "../../beam/store/byte_table.js";
import type { Changes } from "../../beam/store/changes.js";
import {
  type ChangeList,
  Journal,
  type ReplayTable,
  type ReplayTarget,
  replay,
} from "../../beam/store/journal.js";
import type { Store } from "../../beam/store/store.js";
import { Tables } from "../../beam/store/tables.js";

export abstract class LmdbStore<Key extends Buffer | number> implements Store {
  readonly isDurable = true;
  protected readonly tables: Tables;
  protected readonly db: RootDatabase<Buffer, Key>;
  readonly #journal = new Journal();

  /** @param path of the database's file, which is not there yet */
  constructor(path: string, keyEncoding: "binary" | "uint32") {
    this.tables = new Tables(this.#journal);
    this.#journal.isReplaying = false;
    // A commit that resolves before it is on disk would be none.
    this.db = open<Buffer, Key>({
      path,
      noSubdir: true,
      encoding: "binary",
      keyEncoding,
      overlappingSync: false,
    });
  }

  /** One transaction; resolves when it is on disk. */
  protected abstract write(lists: readonly ChangeList[]): Promise<unknown>;

  table(name: string): ByteTable {
    return this.tables.get(name) ?? this.tables.add(name);
  }

  sizes(): ReadonlyMap<string, number> {
    return this.tables.sizes();
  }

  get reservedBytes(): number {
    return this.tables.slab.reservedBytes;
  }

  newChanges(): Changes {
    return this.#journal.newList();
  }

  noteIn(changes: Changes | undefined): void {
    this.#journal.noteIn(changes as ChangeList | undefined);
  }

  discard(changes: Changes): void {
    this.#journal.recycle(changes as ChangeList);
  }

  async commit(turns: readonly Changes[]): Promise<void> {
    const lists = turns as readonly ChangeList[];
    await this.write(lists);
    for (const list of lists) this.#journal.recycle(list);
  }

  close(): Promise<void> {
    return this.db.close();
  }
}

/** Each record under its own key: a write to a page anywhere in the tree. */
export class LmdbRecords extends LmdbStore<Buffer> {
  readonly #target = new RecordWriter(this.db, this.tables);

  constructor(path: string) {
    super(path, "binary");
  }

  /** How many the database has. */
  get count(): number {
    return this.db.getCount();
  }

  protected write(lists: readonly ChangeList[]): Promise<unknown> {
    return this.db.batch(() => {
      for (const { writer } of lists) replay(new ByteReader(writer.view()), this.#target);
    });
  }
}

/** Each commit as one value under the next number: all writes go to the end of the tree. */
export class LmdbCommits extends LmdbStore<number> {
  #next = 1;

  constructor(path: string) {
    super(path, "uint32");
  }

  protected write(lists: readonly ChangeList[]): Promise<unknown> {
    const value = Buffer.concat(lists.map(({ writer }) => writer.view()));
    return this.db.transaction(() => this.db.putSync(this.#next++, value, { append: true }));
  }

  /** Applies all that was committed to empty tables, as a restart would. */
  restore(): Tables {
    const restored = new Tables();
    for (const [name, table] of this.tables.names()) restored.nameTable(table.owner, name);
    for (const { value } of this.db.getRange()) replay(new ByteReader(value), restored);
    return restored;
  }
}

class RecordWriter implements ReplayTarget, ReplayTable {
  readonly #value = new ByteReader();
  #table!: ByteTable;

  constructor(
    private readonly db: RootDatabase<Buffer, Buffer>,
    private readonly tables: Tables,
  ) {}

  byNumber(table: number): ReplayTable {
    this.#table = this.tables.byNumber(table);
    return this;
  }

  nameTable(): void {
    throw new Error("no names are noted down");
  }

  put(key: ByteWriter, value: ByteWriter): void {
    void this.db.put(this.#keyOf(key), value.toBytes());
  }

  /** The record as a whole, as it is by now. */
  appendAt(key: ByteWriter): void {
    if (!this.#table.get(key, this.#value)) return;
    const { buffer, position, remaining } = this.#value;
    void this.db.put(this.#keyOf(key), Buffer.from(buffer.subarray(position, position + remaining)));
  }

  patchOf(key: ByteWriter): void {
    this.appendAt(key);
  }

  delete(key: ByteWriter): void {
    void this.db.remove(this.#keyOf(key));
  }

  #keyOf({ buffer, length }: ByteWriter): Buffer {
    const key = Buffer.allocUnsafe(1 + length);
    key[0] = this.#table.owner;
    buffer.copy(key, 1, 0, length);
    return key;
  }
}
