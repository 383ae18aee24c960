/**
 * A changelog cell in a table of the store. What was decoded of large values is remembered for the table, and not for
 * the processor that asks: a stage has several, and each of them changes the table.
 */
import type { ChangelogTable } from "../../exec/services.js";
import type { ByteReader, ByteWriter } from "../../model/bytes.js";
import { LeastRecentlyUsed } from "../../platform/least_recently_used.js";
import type { ByteTable } from "../../store/byte_table.js";

/** Of stored values; what is decoded of them takes about four times as much. */
const REMEMBERED_BYTES_MAX = 64 << 20;

const remembered = new WeakMap<ByteTable, LeastRecentlyUsed<unknown>>();

export class StoredChangelog implements ChangelogTable {
  /** A change behind a smaller one would make the table move, and the log repeat, all of it anyway. */
  readonly wholeBelowBytes = 512;
  readonly #values: LeastRecentlyUsed<unknown>;

  constructor(private readonly table: ByteTable) {
    let values = remembered.get(table);
    if (values === undefined) {
      values = new LeastRecentlyUsed();
      remembered.set(table, values);
    }
    this.#values = values;
  }

  get(key: ByteWriter, out: ByteReader): boolean {
    return this.table.get(key, out);
  }

  put(key: ByteWriter, value: ByteWriter): void {
    this.table.put(key, value);
  }

  append(key: ByteWriter, value: ByteWriter): void {
    this.table.append(key, value);
  }

  delete(key: ByteWriter): void {
    this.table.delete(key);
  }

  recall(key: ByteWriter): unknown {
    return this.#values.get(idOf(key));
  }

  /** The largest value is remembered whatever its size: to read it back for each element would have no end. */
  remember(key: ByteWriter, value: unknown, bytes: number): void {
    if (value === undefined) {
      if (this.#values.size > 0) this.#values.delete(idOf(key));
      return;
    }
    this.#values.set(idOf(key), value, bytes);
    while (this.#values.bytes > REMEMBERED_BYTES_MAX && this.#values.size > 1) this.#values.dropOldest();
  }
}

function idOf({ buffer, length }: ByteWriter): string {
  return buffer.latin1Slice(0, length);
}
