import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader, ByteWriter } from "../../../../beam/model/bytes.js";
import { addressOf, ByteTable, isNewRecord } from "../../../../beam/store/byte_table.js";
import { Slab } from "../../../../beam/store/slab.js";

const reader = new ByteReader();

function written(bytes: Uint8Array): ByteWriter {
  const writer = new ByteWriter(Math.max(1, bytes.length));
  writer.writeBytes(bytes);
  return writer;
}

/** A table and the Map that it must equal, over one slab that other tables may share. */
class CheckedTable {
  readonly #expected = new Map<string, Buffer>();

  constructor(readonly table: ByteTable) {}

  put(key: Buffer, value: Buffer): void {
    this.table.put(written(key), written(value));
    this.#expected.set(key.toString("latin1"), value);
  }

  append(key: Buffer, value: Buffer): void {
    this.table.append(written(key), written(value));
    const name = key.toString("latin1");
    this.#expected.set(name, Buffer.concat([this.#expected.get(name) ?? Buffer.alloc(0), value]));
  }

  putBehind(key: Buffer, front: Buffer, value: Buffer): void {
    const address = this.table.put(written(key), written(value), written(front));
    assert.equal(address, this.table.find(written(key)));
    this.#expected.set(key.toString("latin1"), Buffer.concat([front, value]));
  }

  /** As `put`, of a record that is found already. */
  putAt(key: Buffer, front: Buffer, value: Buffer): void {
    const found = this.table.find(written(key));
    if (found === 0) return;
    const address = this.table.putAt(found, written(key), written(value), written(front));
    assert.equal(address, this.table.find(written(key)));
    this.#expected.set(key.toString("latin1"), Buffer.concat([front, value]));
  }

  /** Replaces the first bytes of a value that has as many. */
  patch(key: Buffer, front: Buffer): void {
    const address = this.table.find(written(key));
    const old = this.#expected.get(key.toString("latin1"));
    if (old === undefined || old.length < front.length) return;
    this.table.patch(address, written(front));
    this.#expected.set(key.toString("latin1"), Buffer.concat([front, old.subarray(front.length)]));
  }

  /** Exchanges the value for another of the same length. */
  swap(key: Buffer, fill: number): void {
    const name = key.toString("latin1");
    const old = this.#expected.get(name);
    const value = Buffer.alloc(old?.length ?? 20, fill);
    const writer = written(value);
    const swapped = this.table.swap(written(key), writer);
    assert.equal(isNewRecord(swapped), old === undefined);
    assert.equal(addressOf(swapped), this.table.find(written(key)));
    if (old !== undefined) assert.ok(writer.view().equals(old), "the old value is handed back");
    this.#expected.set(name, value);
  }

  deleteFound(key: Buffer): void {
    const address = this.table.find(written(key));
    assert.equal(address !== 0, this.#expected.delete(key.toString("latin1")));
    if (address !== 0) this.table.deleteAt(address);
  }

  delete(key: Buffer): void {
    assert.equal(this.table.delete(written(key)), this.#expected.delete(key.toString("latin1")));
  }

  get(key: Buffer): void {
    const expected = this.#expected.get(key.toString("latin1"));
    assert.equal(this.table.has(written(key)), expected !== undefined);
    assert.equal(this.table.get(written(key), reader), expected !== undefined);
    if (expected !== undefined) assert.ok(shown(reader).equals(expected));
  }

  check(): void {
    assert.equal(this.table.size, this.#expected.size);
    const seen = new Set<string>();
    this.table.forEach((address) => {
      this.table.readKey(address, reader);
      const name = shown(reader).toString("latin1");
      assert.ok(!seen.has(name), "a record is visited once");
      seen.add(name);
      this.table.readValue(address, reader);
      assert.ok(shown(reader).equals(this.#expected.get(name)!));
      assert.equal(this.table.slab.owner(address), this.table.owner);
    });
    assert.equal(seen.size, this.#expected.size);
    for (const name of this.#expected.keys()) this.get(Buffer.from(name, "latin1"));
  }
}

function shown({ buffer, position, limit }: ByteReader): Buffer {
  return buffer.subarray(position, limit);
}

/** `length` bytes that tell where they were written from. */
function patterned(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = (seed + i * 7) & 0xff;
  return bytes;
}

const lengths = fc.oneof(
  { weight: 8, arbitrary: fc.nat(40) },
  { weight: 4, arbitrary: fc.nat(3_000) },
  { weight: 1, arbitrary: fc.integer({ min: 900_000, max: 1_300_000 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(0, 16, 48, 1_007, 1_008, 1_009, 2 ** 20 - 17, 2 ** 20 - 16, 2 ** 20),
  },
);
const operation = fc.record({
  kind: fc.constantFrom(
    "put",
    "put",
    "putBehind",
    "putAt",
    "append",
    "append",
    "patch",
    "swap",
    "delete",
    "deleteFound",
    "get",
  ),
  table: fc.nat(1),
  key: fc.nat(24),
  length: lengths,
  seed: fc.nat(255),
});

describe("ByteTable", () => {
  it("equals a Map, whatever is put, appended and deleted, with another table in the same slab", () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 120 }), (operations) => {
        const slab = new Slab();
        const tables = [1, 2].map((owner) => new CheckedTable(new ByteTable(slab, owner)));
        for (const { kind, table, key, length, seed } of operations) {
          const checked = tables[table]!;
          // Keys of several lengths, one of them empty.
          const keyBytes = patterned(key % 5 === 0 ? 0 : key, key);
          if (kind === "put") checked.put(keyBytes, patterned(length, seed));
          else if (kind === "putBehind")
            checked.putBehind(keyBytes, patterned(17, length), patterned(length, seed));
          else if (kind === "putAt") checked.putAt(keyBytes, patterned(20, length), patterned(length, seed));
          else if (kind === "patch") checked.patch(keyBytes, patterned(length % 18, seed));
          else if (kind === "append") checked.append(keyBytes, patterned(length, seed));
          else if (kind === "swap") checked.swap(keyBytes, seed);
          else if (kind === "delete") checked.delete(keyBytes);
          else if (kind === "deleteFound") checked.deleteFound(keyBytes);
          else checked.get(keyBytes);
        }
        for (const checked of tables) checked.check();
        assert.equal(slab.usedBlocks, tables[0]!.table.size + tables[1]!.table.size);
      }),
      { numRuns: 60 },
    );
  });

  it("finds every key after deletions out of long probe sequences", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(4_000), fc.boolean()), { minLength: 3_000, maxLength: 6_000 }),
        (steps) => {
          const checked = new CheckedTable(new ByteTable(new Slab(), 1));
          for (const [number, isPut] of steps) {
            const key = Buffer.from(`key ${number}`);
            if (isPut) checked.put(key, patterned(number % 13, number));
            else checked.delete(key);
          }
          checked.check();
        },
      ),
      { numRuns: 8 },
    );
  });

  it("looks at the bytes that a writer holds now", () => {
    const table = new ByteTable(new Slab(), 1);
    const key = new ByteWriter();
    for (const text of ["a", "b"]) {
      key.reset();
      key.writeString(text);
      table.put(key, key);
    }
    assert.equal(table.size, 2);
    key.writeByte(0);
    assert.equal(table.has(key), false);
    key.reset();
    key.writeString("a");
    assert.ok(table.get(key, reader));
    assert.equal(reader.readString(), "a");
  });

  it("holds a hundred thousand records, and gives all of them back", () => {
    const slab = new Slab();
    const table = new ByteTable(slab, 1);
    const key = new ByteWriter();
    const value = new ByteWriter();
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 100_000; i++) {
        key.reset();
        key.writeVarint(i);
        value.reset();
        value.writeVarint(i * 3);
        table.put(key, value);
      }
      assert.equal(table.size, 100_000);
      for (let i = 0; i < 100_000; i += 7) {
        key.reset();
        key.writeVarint(i);
        assert.ok(table.get(key, reader));
        assert.equal(reader.readVarint(), i * 3);
      }
      for (let i = 0; i < 100_000; i++) {
        key.reset();
        key.writeVarint(i);
        assert.ok(table.delete(key));
      }
      assert.equal(table.size, 0);
      assert.equal(slab.usedBlocks, 0);
    }
    assert.ok(slab.reservedBytes < 8 << 20, `${slab.reservedBytes} bytes for 100,000 tiny records, twice`);
  });

  it("keeps a record's address as long as the record fits its block", () => {
    const table = new ByteTable(new Slab(), 1);
    const key = written(Buffer.from("k"));
    // A key takes whole words.
    const address = table.put(key, written(patterned(12, 1)));
    assert.equal(table.put(key, written(patterned(2, 2))), address);
    assert.equal(table.put(key, written(patterned(12, 3))), address);
    assert.notEqual(table.put(key, written(patterned(13, 4))), address);
    assert.ok(table.get(key, reader));
    assert.ok(shown(reader).equals(patterned(13, 4)));
  });

  it("appends in linear time and memory", () => {
    const slab = new Slab();
    const table = new ByteTable(slab, 1);
    const key = written(Buffer.from("k"));
    const piece = written(patterned(100, 1));
    for (let i = 0; i < 20_000; i++) table.append(key, piece);
    assert.ok(table.get(key, reader));
    assert.equal(reader.remaining, 2_000_000);
    assert.ok(slab.reservedBytes < 20 << 20, `${slab.reservedBytes} bytes`);
  });
});
