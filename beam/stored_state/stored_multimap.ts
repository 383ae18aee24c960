/**
 * A multimap cell in the tables of a store: one holds the values of each map key, so that a change touches no other;
 * one the list of a key's map keys, each with its length in front.
 */
import { ByteReader, ByteWriter } from "../model/bytes.js";
import type { ByteTable } from "../store/byte_table.js";

export class StoredMultimap {
  readonly #address = new ByteWriter(256);
  readonly #list = new ByteWriter(256);
  readonly #reader = new ByteReader();

  constructor(
    private readonly lists: ByteTable,
    private readonly values: ByteTable,
  ) {}

  keys(key: ByteWriter): Buffer[] {
    const keys: Buffer[] = [];
    const reader = this.#reader;
    if (!this.lists.get(key, reader)) return keys;
    while (reader.remaining > 0) keys.push(reader.readBytes(reader.readVarint()));
    return keys;
  }

  get(key: ByteWriter, mapKey: ByteWriter, out: ByteReader): boolean {
    return this.values.get(this.#addressOf(key, mapKey), out);
  }

  append(key: ByteWriter, mapKey: ByteWriter, value: ByteWriter): void {
    const address = this.#addressOf(key, mapKey);
    if (!this.values.get(address, this.#reader)) {
      this.#list.reset();
      this.#listOne(mapKey.view());
      this.lists.append(key, this.#list);
    }
    this.values.append(address, value);
  }

  delete(key: ByteWriter, mapKey: ByteWriter): void {
    const address = this.#addressOf(key, mapKey);
    if (!this.values.get(address, this.#reader)) return;
    this.values.delete(address);
    const gone = mapKey.view();
    this.#list.reset();
    for (const each of this.keys(key)) if (!each.equals(gone)) this.#listOne(each);
    if (this.#list.length === 0) this.lists.delete(key);
    else this.lists.put(key, this.#list);
  }

  clear(key: ByteWriter): void {
    for (const mapKey of this.keys(key)) {
      this.#list.reset();
      this.#list.writeBytes(mapKey);
      this.values.delete(this.#addressOf(key, this.#list));
    }
    this.lists.delete(key);
  }

  #listOne(mapKey: Buffer): void {
    this.#list.writeVarint(mapKey.length);
    this.#list.writeBytes(mapKey);
  }

  /** Where the key and window end is known from themselves, so no two pairs have one address. */
  #addressOf(key: ByteWriter, mapKey: ByteWriter): ByteWriter {
    this.#address.reset();
    this.#address.writeBytes(key.buffer, 0, key.length);
    this.#address.writeBytes(mapKey.buffer, 0, mapKey.length);
    return this.#address;
  }
}
