import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader, ByteWriter, CorruptBytesError } from "../../../../beam/model/bytes.js";

function written(write: (out: ByteWriter) => void): Buffer {
  const out = new ByteWriter(1);
  write(out);
  return out.toBytes();
}

describe("ByteWriter and ByteReader", () => {
  const numbers = [
    0,
    1,
    127,
    128,
    2 ** 28 - 1,
    2 ** 28,
    2 ** 32,
    2 ** 49 - 1,
    2 ** 49,
    2 ** 53 - 1,
    -1,
    -(2 ** 53) + 1,
  ];

  for (const value of numbers) {
    it(`writes and reads the varint ${value}, the same as number and as bigint`, () => {
      const bytes = written((out) => out.writeVarint(value));
      assert.deepEqual(
        written((out) => out.writeBigVarint(BigInt(value))),
        bytes,
      );
      assert.equal(new ByteReader(bytes).readVarint(), value);
      assert.equal(new ByteReader(bytes).readBigVarint(), BigInt(value));
    });
  }

  it("reads every 64-bit varint, and tells when it is no number", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        const bytes = written((out) => out.writeBigVarint(value));
        const reader = new ByteReader(bytes);
        const isSafe = Number.isSafeInteger(Number(value));
        assert.equal(reader.tryReadVarint(), isSafe ? Number(value) : Number.NaN);
        assert.equal(reader.position, isSafe ? bytes.length : 0);
        assert.equal(reader.reset(bytes).readBigVarint(), value);
        if (!isSafe) assert.throws(() => reader.reset(bytes).readVarint(), CorruptBytesError);
      }),
    );
  });

  it("refuses a varint of more than 64 bits or without an end", () => {
    for (const hex of ["ffffffffffffffffff02", "ffffffffffffffffff81", "ffffffffffffffffffff01", "80", ""]) {
      assert.throws(() => new ByteReader(Buffer.from(hex, "hex")).readVarint(), CorruptBytesError, hex);
      assert.throws(() => new ByteReader(Buffer.from(hex, "hex")).readBigVarint(), CorruptBytesError, hex);
    }
  });

  it("reads a varint that is longer than need be", () => {
    assert.equal(new ByteReader(Buffer.from("8000", "hex")).readVarint(), 0);
    assert.equal(new ByteReader(Buffer.from("81808080808080808000", "hex")).readVarint(), 1);
  });

  it("puts the length in front of a block of any size, and of blocks in it", () => {
    for (const size of [0, 1, 127, 128, 129, 16_383, 16_384, 70_000]) {
      const block = Buffer.alloc(size, 7);
      const bytes = written((out) => {
        const outer = out.beginLengthPrefix();
        const inner = out.beginLengthPrefix();
        out.writeBytes(block);
        out.endLengthPrefix(inner);
        out.writeByte(9);
        out.endLengthPrefix(outer);
        out.writeByte(8);
      });
      const reader = new ByteReader(bytes);
      const length = reader.readVarint();
      assert.equal(length, reader.remaining - 1);
      assert.deepEqual(reader.readView(reader.readVarint()), block);
      assert.deepEqual([reader.readByte(), reader.readByte(), reader.remaining], [9, 8, 0]);
    }
  });

  it("keeps what was written when it grows", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200, size: "max" })), (parts) => {
        const bytes = written((out) => {
          for (const part of parts) out.writeBytes(part);
        });
        assert.deepEqual(bytes, Buffer.concat(parts));
      }),
    );
  });

  it("writes a part of a byte array", () => {
    const source = Uint8Array.from({ length: 300 }, (_, i) => i);
    for (const [start, end] of [
      [0, 10],
      [5, 20],
      [100, 300],
      [0, 300],
    ] as const) {
      assert.deepEqual(
        written((out) => out.writeBytes(source, start, end)),
        Buffer.from(source.slice(start, end)),
      );
    }
  });

  it("writes and reads any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300, size: "max" }), (text) => {
        const bytes = written((out) => out.writeString(text));
        assert.equal(new ByteReader(bytes).readString(), text);
      }),
    );
    assert.equal(new ByteReader(written((out) => out.writeString("\ufffd"))).readString(), "\ufffd");
  });

  it("refuses a text that is no UTF-8", () => {
    for (const hex of ["01ff", "02c328", "03eda080", "02e282"]) {
      assert.throws(() => new ByteReader(Buffer.from(hex, "hex")).readString(), CorruptBytesError, hex);
    }
  });

  it("never reads past its limit", () => {
    const reads: ((reader: ByteReader) => unknown)[] = [
      (reader) => reader.readByte(),
      (reader) => reader.readInt16(),
      (reader) => reader.readInt32(),
      (reader) => reader.readInt64(),
      (reader) => reader.readFloat(),
      (reader) => reader.readDouble(),
      (reader) => reader.readVarint(),
      (reader) => reader.readBigVarint(),
      (reader) => reader.readUtf8(1),
      (reader) => reader.readBytes(1),
      (reader) => reader.readView(1),
      (reader) => reader.readBytes(-1),
      (reader) => reader.skip(Number.MAX_SAFE_INTEGER),
    ];
    for (const read of reads) {
      assert.throws(() => read(new ByteReader(Buffer.alloc(16), 3, 3)), CorruptBytesError, String(read));
    }
  });

  it("gives copies that do not follow the input", () => {
    const input = Buffer.from([1, 2, 3]);
    const copy = new ByteReader(input).readBytes(3);
    input.fill(0);
    assert.deepEqual([...copy], [1, 2, 3]);
  });
});
